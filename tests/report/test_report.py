"""The page: complete, self-contained, and as wide as its window in a real browser."""

import json
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from rdpose import cli, report
from rdpose.drawing import save
from rdpose.evaluation import evaluate
from rdpose.report import charts
from rdpose.skeletons import COCO_17

VOID = {"meta", "img", "br"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Eight pictures of two people each, and two results files, the second a worse one."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(3)
    people, good, bad = [], [], []
    for image in range(1, 9):
        save(folder / "images" / f"{image}.jpg", rng.integers(60, 200, (240, 320, 3)).astype(np.uint8))
        for left in (30, 110):
            joints = np.array([left, 40]) + rng.random((17, 2)) * (90, 160)
            labels = np.concatenate([joints, np.full((17, 1), 2)], axis=1).ravel().tolist()
            identity = len(people) + 1
            shape = {"bbox": [left, 40, 90, 160], "area": 9000.0, "iscrowd": 0, "num_keypoints": 17}
            people.append({"id": identity, "image_id": image, "category_id": 1, "keypoints": labels} | shape)
            for results, noise in ((good, 4), (bad, 12)):
                keypoints = np.concatenate([joints + rng.normal(0, noise, (17, 2)), rng.random((17, 1))], axis=1)
                row = {"image_id": image, "category_id": 1, "keypoints": keypoints.ravel().tolist()}
                results.append(row | {"score": float(rng.random()), "annotation_id": identity})
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 320, "height": 240} for i in range(1, 9)]
    content = {"images": images, "annotations": people, "categories": [category]}
    for name, rows in (("labels", content), ("good", good), ("a <worse> one", bad), ("none", [])):
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return folder


def write(data: Path, *names: str, images: bool = True) -> str:
    out = data / "out" / "report.html"
    files = [data / f"{name}.json" for name in names]
    report.write(files, data / "labels.json", data / "images" if images else None, out)
    assert [entry.name for entry in out.parent.iterdir()] == ["report.html"]
    return out.read_text(encoding="utf-8")


def test_own_sigmas_are_measured_with(data: Path) -> None:
    """The figures are those that `eval` and `test` give with the same skeleton."""
    own, out = replace(COCO_17, name="own", sigmas=(0.02,) * 17), data / "own.html"
    report.write([data / "good.json"], data / "labels.json", None, out, skeleton=own)
    ap = evaluate(data / "good.json", data / "labels.json", skeleton=own).figures["AP"]
    assert f"{ap:.3f}" in out.read_text(encoding="utf-8")
    assert f"{ap:.3f}" not in write(data, "good", images=False)


class Reader(HTMLParser):
    """Collects tags and text, and checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_one_result_tells_everything_and_fetches_nothing(data):
    html = write(data, "good")
    page = Reader(html)
    for words in ("The table", "AP .75", "Precision and recall", "AP by size", "AP by crowd", "left wrist"):
        assert words in page.text
    for words in ("jitter", "inversion", "swap", "miss", "misassigned", "Worst", "Typical", "OKS 0."):
        assert words in page.text
    assert "nan" not in page.text
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    sources = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(sources) == 2 * 2 * 6
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "url(" not in html
    assert "@import" not in html


def test_two_results_stand_side_by_side(data):
    page = Reader(write(data, "good", "a <worse> one"))
    assert "change" in page.text
    assert "Better with good" in page.text
    assert "Kinds of error: a <worse> one" in page.text
    captions = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert sum("a <worse> one, OKS" in caption for caption in captions) == len(captions) / 3


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["out/good.json"], ["good"]),
        (["a/good.json", "b/a <worse> one.json"], ["good", "a <worse> one"]),
        (["out/plain/results/val.json", "out/ours/results/val.json"], ["plain", "ours"]),
        (["out/hrnet/plain/val.json", "out/resnet/ours/val.json"], ["hrnet/plain", "resnet/ours"]),
        (["out/val.json", "out/new/val.json"], ["val", "new/val"]),
        (["val/val.json", "val.json"], ["val/val", "val"]),
    ],
)
def test_names_are_what_differs(paths: list[str], expected: list[str]) -> None:
    assert report._labels([Path(path) for path in paths]) == expected


def test_names_may_be_given(data, tmp_path):
    both, out = [data / "good.json", data / "none.json"], tmp_path / "r.html"
    arguments = ["report", *both, "--annotations", data / "labels.json", "--out", out, "--names", "ours, theirs"]
    with pytest.raises(SystemExit) as end:
        cli.main(list(map(str, arguments)))
    assert end.value.code == 0
    assert "<title>ours and theirs on labels</title>" in out.read_text()
    for names in (["one"], ["one", "one"], ["one", ""]):
        with pytest.raises(ValueError, match=r"names are \['one'.*: give another name to each of 2 results files"):
            report.write(both, data / "labels.json", None, out, names=names)
    with pytest.raises(ValueError, match=r"good\.json is named twice"):
        report.write([both[0], both[0]], data / "labels.json", None, out)


def test_without_pictures_or_results_there_are_no_cases(data):
    assert "Worst" not in write(data, "good", images=False)
    empty = Reader(write(data, "none"))
    assert "nan" not in empty.text
    assert "no joints to judge" in empty.text
    assert "Worst" not in empty.text


def test_what_cannot_be_reported_is_said(data, tmp_path):
    with pytest.raises(ValueError, match="one results file, or of two"):
        report.write([], data / "labels.json", None, tmp_path / "r.html")
    content = json.loads((data / "labels.json").read_text())
    (tmp_path / "nobody.json").write_text(json.dumps(content | {"annotations": []}))
    with pytest.raises(ValueError, match=r"nobody\.json labels nobody"):
        report.write([data / "none.json"], tmp_path / "nobody.json", None, tmp_path / "r.html")
    with pytest.raises(FileNotFoundError, match=r"9\.json"):
        report.write([data / "9.json"], data / "labels.json", None, tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_charts_are_well_formed_and_to_scale():
    drawn = charts.bars(["a & b", "c"], [[0.5, float("nan")], [1.0, 0.25]], notes=["3", "12"])
    rectangles = ElementTree.fromstring(drawn).findall("{*}rect")
    widths = [float(rectangle.get("width", "")) for rectangle in rectangles]
    assert widths[0] == pytest.approx(widths[1] / 2, abs=0.1)
    assert widths[2] == 0
    assert max(float(r.get("x", "")) + float(r.get("width", "")) for r in rectangles) < charts.WIDTH
    stacked = ElementTree.fromstring(charts.stacks(["x"], [[0.25, 0.75]], ["good", "bad"]))
    assert [r.get("class") for r in stacked.findall("{*}rect")] == ["k0", "k1"]
    curve = ElementTree.fromstring(charts.lines([charts.Line("n", [0, 1], [1, 0])], x_title="x", y_title="y"))
    assert len(curve.findall("{*}path")) == 7


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser Chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_fits_the_window_of_a_browser(data, tmp_path, width):
    long = [f"output/crowds/hrnet_small/{name}_256x192_adam_lr1e-3/keypoints_val2017_results" for name in ("a", "b")]
    page = tmp_path / "report.html"
    both = [data / "good.json", data / "a <worse> one.json"]
    report.write(both, data / "labels.json", data / "images", page, names=long)
    shot = tmp_path / "shot.png"
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},1000"]
    words += ["--disable-quic", "--no-first-run", f"--user-data-dir={tmp_path / 'browser'}"]
    subprocess.run(
        ["chromium", *words, f"--screenshot={shot}", f"file://{page}"],
        check=True,
        capture_output=True,
        timeout=300,
    )
    picture = cv2.imread(str(shot))
    assert picture.shape[1] == width
    # Paper is all that may stand in the margins: what sticks out at the right would colour them.
    assert (picture[:, -10:] == picture[0, 0]).all()
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 500
