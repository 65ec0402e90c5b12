"""The sdist and the wheel, looked into and each tried in an empty environment: `make package`.

What is installed there is the package with its plain dependencies, from the file alone. The command and `rdpose.load`
then find the people of a rendered crowd. `build` makes the wheel from the sdist, so the wheel tells what both hold.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from extras import BASE, REPOSITORY, environment

BROUGHT_ALONG = {"py.typed"} | {
    f"weights/{name}" for name in ("bundled.onnx", "bundled.safetensors", "detector.onnx", "detector.yaml")
}
RENDER = """
import numpy
from rdpose import drawing
from rdpose.data.synthetic import render_scene
drawing.save("crowd.png", render_scene(numpy.random.default_rng(0), num_people=(3, 3)).picture)
"""
FIND = """
import json, pathlib, rdpose
assert "site-packages" in rdpose.__file__, rdpose.__file__
poses = rdpose.load()("crowd.png")
assert 0 < len(poses) == len(json.loads(pathlib.Path("found/results.json").read_text()))
print(f"rdpose {rdpose.__version__} found {len(poses)} people")
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rdpose-package-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "build", "--outdir", str(folder), str(REPOSITORY)], check=True)
        (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
        check_content(wheel)
        for file in (wheel, sdist):
            python = environment(folder / f"of {file.suffix}", file, BASE)
            predict(python, folder / f"run of {file.suffix}")
            print(f"{file.name}: works", flush=True)


def check_content(wheel: Path) -> None:
    """What users need is there; what only developers need (tests, recipes, ...) is not."""
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    if missing := {f"rdpose/{name}" for name in BROUGHT_ALONG} - names:
        sys.exit(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    if foreign := sorted(name for name in names if not re.match(r"rdpose(-[\w.]+\.dist-info)?/", name)):
        sys.exit(f"{wheel.name} would install {foreign[0]} beside the package ({len(foreign)} such files)")


def predict(python: Path, folder: Path) -> None:
    """Find people with the command and from Python; PYTHONPATH would bring this checkout's package in."""
    folder.mkdir()
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python.with_name("rdpose")), "predict", "crowd.png", "--out", "found"]
    for words in ([python, "-c", RENDER], command, [python, "-c", FIND]):
        subprocess.run(words, cwd=folder, env=bare, check=True)


if __name__ == "__main__":
    main()
