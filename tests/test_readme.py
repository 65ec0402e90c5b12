"""Every command and every line of Python in README.md and docs/ runs, in a folder that holds the files they name.

Files are small and networks know nothing; the commands are as they are written. What cannot run here stands in
ELSEWHERE, with the test that runs it.
"""

from __future__ import annotations

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import rdpose
from rdpose import cli, drawing
from rdpose.checkpoints import zoo
from rdpose.config import loading
from rdpose.engine import tester
from rdpose.io import images
from rdpose.io.video import VideoWriter
from rdpose.models import builders
from their_network import write

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PROGRAMS = ("rdpose", "python", "torchrun", "make", "pip", "source")
ELSEWHERE = {
    "rdpose train experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml model.backbone=hf:facebook/dinov2-small "
    "'train.freeze=[backbone.encoder]'": "models/backbones/test_hub.py::test_a_training_by_name_loads_without_the_hub",
    "rdpose demo": "test_cli.py::test_the_demo_goes_the_whole_way",
    "rdpose weights hrnet_w32_coco_256x192": "checkpoints/test_zoo.py::test_weights_are_fetched_by_name",
}
SHORT = {
    "benchmarks/heatmaps.py": "--seconds 0.01",
    "benchmarks/backbones.py": "--help",  # exporting takes a while
    "benchmarks/annotations.py": "--people 300",
    "benchmarks/evaluation.py": "--pictures 20",
    "benchmarks/oks_nms.py": "--pictures 20",
    "benchmarks/training_step.py": "--size 32 32 --steps 1",
    "benchmarks/tracking.py": "--videos 1 --frames 5 --people 2",
    "benchmarks/pipeline.py": "--help",  # exporting HRNet takes minutes
    "benchmarks/photographs.py": "--help",  # so does exporting the bundled network
    "benchmarks/video_memory.py": "--frames 60",
}
"""Options that make a benchmark short."""
LABELS = "data/coco/annotations/person_keypoints_val2017.json"
PICTURES = ("street.jpg", "holiday.jpg")
SIZE_WH = (160, 120)
PLACEHOLDERS = {"CONFIG": "experiments/coco/hrnet/w32_256x192_adam_lr1e-3.yaml", "FILE": "weights.safetensors"}


def commands(page: Path) -> list[str]:
    """The commands of a page's blocks, indented or fenced; continued lines are one."""
    text = re.sub(r"^```(?!sh|bash|console)\w+\n.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    text = text.replace("\\\n", " ")
    indented = re.findall(r"(?<=\n\n)(?: {4}.*\n)+", text)
    fenced = re.findall(r"^```\w+\n(.*?)^```", text, re.DOTALL | re.M)
    lines = [line.strip().removeprefix("$ ") for block in (*indented, *fenced) for line in block.splitlines()]
    return [line for line in lines if line.split(" ")[0].split("/")[-1] in PROGRAMS]


def python_of(page: Path) -> str:
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text().split("## Reference")[0], re.DOTALL | re.M))


@pytest.fixture(scope="module")
def files(tiny_config: Path, tiny_crowd: Path, tiny_weights: Path, tmp_path_factory) -> Path:
    """A folder with everything that the pages name."""
    root = tmp_path_factory.mktemp("reader")
    for name in ("tools", "visualization", "examples", "benchmarks", "src"):
        (root / name).symlink_to(REPOSITORY / name)
    for data in (root / "data/coco", root / "demo/data"):
        data.mkdir(parents=True)
        for name in ("annotations", "images"):
            (data / name).symlink_to(tiny_crowd / name)
    content = json.loads((root / LABELS).read_text())
    boxes = [{**row, "score": 0.9, "file_name": name} for row in content["annotations"] for name in PICTURES]
    detected = "person_detection_results/COCO_val2017_detections_AP_H_56_person.json"
    for name in ("boxes.json", f"data/coco/{detected}"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(json.dumps(boxes))
    settings = tiny_config.read_text().replace("2017}\nloss", f"2017, boxes: {detected}}}\nloss")
    assert detected in settings
    for path in (REPOSITORY / "experiments").rglob("*.yaml"):
        here = root / path.relative_to(REPOSITORY)
        here.parent.mkdir(parents=True, exist_ok=True)
        kind = here.parts[here.parts.index("experiments") + 1]
        own = settings.replace("crowds", kind)
        if kind == "own":  # they start from the network inside the package
            own = own.replace("hrnet_small", "mobilenet_fpn")
        here.write_text(own.replace("validate_every: 0", "validate_every: 1"))
    run = root / "demo/output/crowds/hrnet_small/demo"
    tester.test_weights(
        loading.load(tiny_config, ["name=demo", f"data.root={root}/demo/data", f"output_dir={root}/demo/output"]),
        tiny_weights,
    )
    shutil.copy(run / "results/keypoints_val2017_results.json", root / "RESULTS.json")
    for path in (root / "weights.safetensors", run / "model_best.safetensors"):
        shutil.copy(tiny_weights, path)
    fetched = zoo.PUBLIC["hrnet_w32_coco_256x192"]
    for place in ("pose_resnet_50_256x192.pth", zoo.FOLDER / fetched.folder / fetched.file):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        torch.save(builders.build("resnet18", "plain", num_joints=17).state_dict(), root / place)
    frames = [np.random.default_rng(i).integers(0, 255, (*SIZE_WH[::-1], 3), np.uint8) for i in range(3)]
    if find_spec("onnx"):
        write(root / "theirs.onnx")
    for name in PICTURES:
        drawing.save(root / name, frames[0])
    shutil.copy(root / LABELS, root / "labels.json")
    shutil.copy(REPOSITORY / "src/rdpose/demo.jpg", root / "photo.jpg")  # with people in it
    with VideoWriter(root / "street.mp4", fps=25) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, index / 25)
    return root


@pytest.fixture
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(files, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what a command line does, in this process."""
    program, *arguments = (PLACEHOLDERS.get(word, word) for word in shlex.split(command, comments=True))
    program = program.split("/")[-1]
    if program == "make":
        subprocess.run(["make", "-n", *arguments], cwd=REPOSITORY, check=True, capture_output=True)
    elif program == "pip":
        extras = {extra for text in arguments for found in re.findall(r"\[(.*)\]", text) for extra in found.split(",")}
        known = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert extras <= set(known)
        assert (REPOSITORY / "constraints.txt").is_file()
    elif program == "source":
        assert arguments == [".venv/bin/activate"]
    elif program == "torchrun":  # one process here; tests/engine/test_trainer.py starts two
        at = arguments.index("-m")
        assert arguments[at + 1] == "rdpose"
        start(cli.main, arguments[at + 2 :])
    elif program == "rdpose":
        start(cli.main, arguments)
    else:
        script, *rest = arguments
        monkeypatch.syspath_prepend(Path(script).parent)  # as python does, and runpy does not
        monkeypatch.setattr(sys, "argv", [script, *rest, *SHORT.get(script, "").split()])
        start(runpy.run_path, script, run_name="__main__")


def start(function, *arguments, **named) -> None:
    try:
        function(*arguments, **named)
    except SystemExit as end:
        if end.code:
            pytest.fail(f"exit status {end.code}")


def name_of(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name_of)
def test_every_command_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in commands(page):
        bare = shlex.join(shlex.split(command, comments=True))
        if bare in ELSEWHERE:
            file, test = ELSEWHERE[bare].split("::")
            assert f"def {test}(" in (REPOSITORY / "tests" / file).read_text()
            continue
        run(command, monkeypatch)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # a page may open files in one line
@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page)], ids=name_of)
def test_every_line_of_python_runs(page: Path, folder: Path) -> None:
    given = {"image": images.read("street.jpg"), "boxes": [[40, 30, 100, 110], [90, 20, 150, 115]]}
    exec(compile(python_of(page), str(page), "exec"), given)
    if "rdpose" in given:
        assert isinstance(given["poses"], rdpose.Poses)
        assert len(given["poses"])


def test_generated_pages_are_what_the_code_says() -> None:
    docs = REPOSITORY / "docs"
    generate = SimpleNamespace(**runpy.run_path(str(docs / "generate.py")))
    again = "a docstring changed: run `python docs/generate.py`"
    assert (docs / "settings.md").read_text() == generate.settings_page(), again
    assert (docs / "model-zoo.md").read_text() == generate.zoo_page(), again
    page = (docs / "python.md").read_text()
    assert page == generate.python_page(page), again
    told = set(re.findall(r"^\| `([\w.]+)`", generate.settings_page(), re.MULTILINE))
    of_a_source = {"annotations", "images", "format", "boxes", "repeat"}
    keys = {key for key in loading.known_keys() if not key.startswith(("data.train.", "data.test."))}
    assert told == of_a_source | {key for key in keys if not any(other.startswith(f"{key}.") for other in keys)}


def test_benchmarks_are_all_told() -> None:
    told = set(re.findall(r"python (benchmarks/\w+\.py)", (REPOSITORY / "docs/benchmarks.md").read_text()))
    programs = {f"benchmarks/{path.name}" for path in (REPOSITORY / "benchmarks").glob("*.py")}
    assert told == programs - {"benchmarks/reference.py"}  # which the others import


def anchors(page: Path) -> set[str]:
    """What GitHub and zensical call a page's headings: lower case, words joined by hyphens, no other signs."""
    headings = re.findall(r"^#+ (.*)", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.M), re.M)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted({*PAGES, *REPOSITORY.glob("*.md")}), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", prose):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}, which is no heading there"


def entries(nav: list) -> Iterator[str]:
    for item in nav:
        for value in item.values():
            yield from [value] if isinstance(value, str) else entries(value)


def test_the_site_shows_every_page() -> None:
    project = tomllib.loads((REPOSITORY / "zensical.toml").read_text())["project"]
    assert sorted(entries(project["nav"])) == sorted(page.name for page in PAGES[1:])
