"""The HRNet family's command line becomes the arguments of the rdpose command."""

from __future__ import annotations

import pytest

from rdpose.compat.command import arguments


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("--cfg a.yaml", ["a.yaml"]),
        ("--cfg a.yaml TEST.MODEL_FILE w.pth TEST.USE_GT_BBOX False",
         ["a.yaml", "TEST.MODEL_FILE=w.pth", "TEST.USE_GT_BBOX=False"]),
        ("--cfg a.yaml DATASET.PROB_HALF_BODY -1 train.epochs=2 --resume",
         ["a.yaml", "train.epochs=2", "--resume", "DATASET.PROB_HALF_BODY=-1"]),
        ("--modelDir out --dataDir /d --logDir log --cfg=a.yaml GPUS (0,1)",
         ["a.yaml", "GPUS=(0,1)", "OUTPUT_DIR=out", "LOG_DIR=log", "DATA_DIR=/d"]),
        ("--cfg a.yaml OUTPUT_DIR x --modelDir out", ["a.yaml", "OUTPUT_DIR=out"]),
    ],
)  # fmt: skip
def test_command_line_of_the_family(argv: str, expected: list[str]) -> None:
    assert arguments(argv.split()) == expected


def test_previous_model_folder_is_not_ignored_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments(["--cfg", "a.yaml", "--prevModelDir", "old"]) == ["a.yaml"]
    assert "--prevModelDir has no meaning here" in capsys.readouterr().err
