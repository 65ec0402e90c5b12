"""A run opens each annotation file and each results file once: then they may be gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rdpose import cli, robustness
from rdpose.config.schema import Settings
from rdpose.engine import tester, trainer
from rdpose.io import files
from rdpose.robustness import Seen
from rdpose.skeletons import COCO_17

Maker = Callable[..., Settings]
EACH_EPOCH = ("train.epochs=3", "train.validate_every=1", "test.flip=false")


class Once:
    """Files that lie elsewhere as soon as they have been read: no library can open them again."""

    def __init__(self, read: Callable[[Path | str], bytes]) -> None:
        self.read, self.watched, self.opens = read, list[Path](), list[Path]()

    def __call__(self, path: Path | str) -> bytes:
        content = self.read(path)
        if Path(path) in self.watched:
            self.opens.append(Path(path))
            Path(path).rename(f"{path}.opened")
        return content

    def put_back(self) -> None:
        for path in self.opens:
            Path(f"{path}.opened").rename(path)
        self.opens.clear()


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> Once:
    made = Once(files.read_bytes)
    monkeypatch.setattr(files, "read_bytes", made)
    return made


@pytest.fixture
def root(tiny_crowd: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_crowd, tmp_path / "data")


@pytest.fixture
def labels(root: Path) -> Path:
    return root / "annotations/person_keypoints_val2017.json"


@pytest.mark.parametrize("skeleton", ["coco", "file"])
@pytest.mark.parametrize("metric", ["coco", "pck"])
def test_a_training_and_a_test(
    tiny_settings: Maker, root: Path, labels: Path, once: Once, skeleton: str, metric: str
) -> None:
    settings = tiny_settings(f"data.root={root}", f"data.skeleton={skeleton}", f"data.metric={metric}", *EACH_EPOCH)
    once.watched = [labels]
    best = trainer.train(settings)
    assert once.opens == [labels]
    once.put_back()
    assert tester.test_weights(settings, best)
    assert once.opens == [labels]


def test_commands_on_results(
    tiny_settings: Maker, tiny_weights: Path, root: Path, labels: Path, once: Once, tmp_path: Path
) -> None:
    settings = tiny_settings(f"data.root={root}")
    tester.test_weights(settings, tiny_weights)
    found = settings.run_dir / "results/keypoints_val2017_results.json"
    other = Path(shutil.copy(found, tmp_path / "other.json"))
    once.watched = [labels, found, other]
    run("eval", found, "--annotations", labels)
    assert sorted(once.opens) == sorted([labels, found])
    once.put_back()
    pictures = root / "images/val2017"
    run("report", found, other, "--annotations", labels, "--images", pictures, "--out", tmp_path / "page.html")
    assert sorted(once.opens) == sorted([labels, found, other])


def run(*arguments: str | Path) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    assert end.value.code == 0


def test_a_benchmark(tiny_settings: Maker, root: Path, labels: Path, once: Once) -> None:
    once.watched = [labels]
    benchmark = robustness.read("tiny", labels, root / "images/val2017", skeleton=COCO_17)
    joints = benchmark.people.joints
    seen = Seen(np.arange(len(joints)), joints, np.ones(joints.shape[:2], np.float32), None)
    assert robustness.measure(benchmark, seen, tiny_settings())["AP"] == pytest.approx(1)
    assert once.opens == [labels]
