"""What people name is found, and called so that results tell it apart."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from rdpose.predict import sources as inputs


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "a/1.jpg",
        "a/2.PNG",
        "a/deep/1.jpg",
        "a/notes.txt",
        "b/1.jpg",
        "street.mp4",
        "scans/one.TIF",
        "scans/two.gif",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "pics.zip", "w") as file:
        for name in ("b/2.jpg", "b/", "10.png", "notes.txt", "../1.jpg", "__MACOSX/b/._2.jpg", "clip.mp4"):
            file.writestr(name, "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a/1.jpg"], ["1.jpg"]),
        (["a"], ["1.jpg", "2.PNG", "deep/1.jpg"]),
        (["scans"], ["one.TIF", "two.gif"]),
        (["a/1.jpg", "b/1.jpg"], ["a/1.jpg", "b/1.jpg"]),
        (["a/*.jpg", "street.mp4"], ["a/1.jpg", "street.mp4"]),
        (["**/1.jpg"], ["a/1.jpg", "a/deep/1.jpg", "b/1.jpg"]),
        (["pics.zip"], ["pics.zip@10.png", "pics.zip@b/2.jpg"]),
        (["pics.zip@b/2.jpg"], ["2.jpg"]),
        (["0"], ["camera0"]),
        (["http://127.0.0.1:8000/some%20one.jpg"], ["some one.jpg"]),
        (["http://127.0.0.1:8000/live/"], ["live"]),
        (["http://localhost"], ["localhost"]),
    ],
)
def test_names(tree: Path, sources: list[str], names: list[str]) -> None:
    assert [one.name for one in inputs.find(sources, out=Path("out"))] == names


@pytest.mark.parametrize(
    ("source", "picture"),
    [("a/1.jpg", True), ("street.mp4", False), ("0", False), ("http://x/a.PNG", True), ("http://x/a.mp4", False)],
)
def test_pictures_and_videos(tree: Path, source: str, picture: bool) -> None:
    assert inputs.find([source], out=Path("out"))[0].is_picture == picture


def test_a_named_file_of_unknown_kind_may_be_a_video(tree: Path) -> None:
    for name in ("a/clip.xyz", "a/noise.jpg"):
        (tree / name).write_bytes(b"something")
    with pytest.raises(ValueError, match=r"clip\.xyz is damaged or of an unknown kind .*; if it is a video, .*\.mp4"):
        inputs.find(["a/clip.xyz"], out=Path("out"))[0].read()
    with pytest.raises(ValueError, match=r"take it off the list$"):
        inputs.find(["a/noise.jpg"], out=Path("out"))[0].read()


def test_what_an_earlier_run_wrote_is_no_input(tree: Path) -> None:
    (tree / "a/found").mkdir()
    (tree / "a/found/1.jpg").write_bytes(b"")
    assert len(inputs.find(["a"], out=Path("a/found"))) == 3


@pytest.mark.parametrize(
    ("sources", "out", "error", "message"),
    [
        (["nothing.jpg"], "out", FileNotFoundError, "nothing.jpg does not exist: name a picture"),
        (["c*.jpg"], "out", FileNotFoundError, r"no file is called as in c\*\.jpg"),
        (["empty"], "out", ValueError, r"folder empty has neither pictures .* nor videos \(\.mp4, .*\.wmv"),
        (["a/1.jpg"], "a", ValueError, "would take the place of their pictures; name another folder"),
        (["a"], "a", ValueError, "results in a would take the place of their pictures; name another folder"),
        (["a/*.jpg"], "a", ValueError, "results in a would take the place of their pictures; name another folder"),
        (
            ["raws"],
            "out",
            ValueError,
            r"neither .*; raws: 1 file looks like a picture .*\(1 \.nef\): convert",
        ),
        (["nothing.zip"], "out", FileNotFoundError, "nothing.zip does not exist: name a picture"),
        (["empty.zip"], "out", ValueError, r"empty.zip has no pictures \(\.jpg"),
        (
            ["raws.zip"],
            "out",
            ValueError,
            r"raws\.zip has no .*; raws\.zip: 1 file looks .*\(1 \.cr2\): convert",
        ),
        (["broken.zip"], "out", ValueError, "broken.zip cannot be read as a zip"),
        (["http://x/1.jpg", "http://y/1.jpg"], "out", ValueError, "would both be called 1.jpg"),
        (["a/1.jpg", "results.mp4"], "out", ValueError, r"written to out/results\.json; run them one by one"),
        (["street.avi", "street.avi.mp4"], "out", ValueError, r"written to out/street\.avi\.mp4; run them"),
    ],
)
def test_useless_sources_are_told(tree: Path, sources: list[str], out: str, error: type, message: str) -> None:
    (tree / "empty").mkdir()
    (tree / "raws").mkdir()
    for name in ("results.mp4", "street.avi", "street.avi.mp4", "broken.zip", "raws/1.NEF"):
        (tree / name).write_bytes(b"")
    zipfile.ZipFile(tree / "empty.zip", "w").close()
    with zipfile.ZipFile(tree / "raws.zip", "w") as file:
        file.writestr("1.CR2", "")
    with pytest.raises(error, match=message):
        inputs.find(sources, out=Path(out))


def test_drawn_pictures_that_are_not_written_are_in_nobodys_way(tree: Path) -> None:
    for name in ("street.avi", "street.avi.mp4", "a.webp", "a.webp.jpg"):
        (tree / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.webp\.jpg; run them"):
        inputs.find(["a.webp", "a.webp.jpg"], out=Path("out"))
    assert len(inputs.find(["a.webp", "a.webp.jpg"], out=Path("out"), draw=False)) == 2
    with pytest.raises(ValueError, match=r"street\.avi\.json; run them"):
        inputs.find(["street.avi", "street.avi.mp4"], out=Path("out"), draw=False)
