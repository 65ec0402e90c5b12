"""What a bar says: what is done, how fast this run is, how long it still takes."""

from __future__ import annotations

import pytest

from rdpose.utils import progress
from rdpose.utils.progress import Bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the bar sees; change its only element."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_what_an_earlier_run_did_counts_as_done_but_not_for_the_speed(clock, capsys: pytest.CaptureFixture) -> None:
    with Bar("training", total=100, unit="crops") as bar:
        bar.skip(50)
        clock[0] = 21.0
        bar.advance(21, note="loss 0.4")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: 71/100 crops, 1.0 crops/s, 0:29 left loss 0.4"


def test_lines_come_every_so_often_and_at_the_end(clock, capsys: pytest.CaptureFixture) -> None:
    with Bar("testing", total=0, unit="people") as bar:
        for second in range(1, 31):
            clock[0] = float(second)
            bar.advance(2)
    assert capsys.readouterr().err.splitlines() == [
        "testing: 42 people, 2.0 people/s",
        "testing: 60 people, 2.0 people/s",
    ]


def test_a_quiet_bar_and_an_error_say_nothing(clock, capsys: pytest.CaptureFixture) -> None:
    with Bar("training", total=2, unit="crops", quiet=True) as bar:
        clock[0] = 60.0
        bar.advance(2)
    with pytest.raises(KeyError), Bar("training", total=2, unit="crops"):
        raise KeyError
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_lines_stay_and_standard_output_is_left_alone(capsys, monkeypatch) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    progress._console.cache_clear()
    with Bar("training", total=4, unit="crops") as bar:
        bar.advance(4, note="epoch 1/1 loss 0.4")
        bar.say("epoch 1/1: loss 0.4, AP 0.500 [best 0.500]")
        print("a result")
    progress._console.cache_clear()
    written = capsys.readouterr()
    assert written.out == "a result\n"
    assert "epoch 1/1: loss 0.4, AP 0.500 [best 0.500]" in written.err


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (725.9, "12:05"), (3725, "1:02:05")])
def test_a_clock(seconds: float, text: str) -> None:
    assert progress.clock(seconds) == text
