"""Each extra alone, in a fresh environment, where it does its job: `make extras`, or `python tests/extras.py detect`.

The package comes from its wheel, as users get it. What every installation has (torch, OpenCV, ...) is installed once,
into an environment that the others see; each of them adds one extra. Versions are those of constraints.txt, where they
exist for this Python.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BASE = "nothing"
PINS = ["--constraint", str(REPOSITORY / "constraints.txt")] if sys.version_info[:2] == (3, 11) else []
NETWORK = "rdpose.inference.estimator.shipped_weights()"
PHOTOGRAPH = "importlib.resources.files('rdpose') / 'demo.jpg'"
EXPORT = f"""
import importlib.resources, pathlib, rdpose, rdpose.export, rdpose.inference.estimator
made = rdpose.export.export({NETWORK}, pathlib.Path("small{{ending}}"), format="{{format}}").path
assert len(rdpose.load(made)(str({PHOTOGRAPH}))) > 1
"""
JOBS = {
    BASE: f"""
import importlib.resources, json, pathlib, rdpose.cli
try:
    rdpose.cli.main(["predict", str({PHOTOGRAPH}), "--out", "found"])
except SystemExit as end:
    assert not end.code, end
assert len(json.loads(pathlib.Path("found/results.json").read_text())) > 1
""",
    "onnx": EXPORT.format(ending=".onnx", format="onnx"),
    "openvino": EXPORT.format(ending=".xml", format="openvino"),
    "detect": """
import numpy, sys, tempfile
sys.path.insert(0, REPOSITORY + "/tests")
from tiny_detectors import rt_detr, save
from rdpose import detection
detector = detection.load(save(rt_detr, "detector"), min_score=0.0, device="cpu")
assert len(detector(numpy.zeros((60, 90, 3), numpy.uint8)).scores) == 12
""",
    "tensorboard": """
import pathlib
from rdpose import demo
few = {"train2017": 4, "val2017": 4}
list(demo.run(pathlib.Path("demo"), overrides=["train.epochs=1", "model.image_size=[64, 96]"], num_pictures=few))
assert list(pathlib.Path("demo").rglob("tensorboard/events.*")), "a training leaves no file of TensorBoard's"
""",
    "heic": """
from rdpose.io import images
assert images.read(REPOSITORY + "/tests/golden/turned.heic").shape == (40, 24, 3)
""",
}
"""What a user of each extra does; assertions say that it worked."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("extras", nargs="*", help=f"of {', '.join(JOBS)}; by default all of them")
    asked = parser.parse_args().extras or list(JOBS)
    if unknown := set(asked) - set(JOBS):
        parser.error(f"no job is written down for {', '.join(sorted(unknown))}; there are {', '.join(JOBS)}")
    with tempfile.TemporaryDirectory(prefix="rdpose-extras-") as name:
        folder = Path(name)
        pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY))
        (wheel,) = folder.glob("rdpose-*.whl")
        base = environment(folder / "base", wheel, BASE)
        failed = [extra for extra in asked if not works(extra, folder, wheel, base)]
    if failed:
        sys.exit(f"these extras do not do their job alone: {', '.join(failed)}")


def works(extra: str, folder: Path, wheel: Path, base: Path) -> bool:
    """Install one extra beside what all have, and let it do its job; what it says is shown where it fails."""
    started = time.monotonic()
    python = base if extra == BASE else environment(folder / extra, wheel, extra, beside=base)
    place = folder / f"{extra} job"
    place.mkdir()
    code = f"REPOSITORY = {str(REPOSITORY)!r}\n{JOBS[extra]}"
    done = subprocess.run(
        [python, "-P", "-W", "error::ImportWarning", "-c", code], cwd=place, capture_output=True, text=True
    )
    print(f"{extra:12} {'works' if done.returncode == 0 else 'fails'}  {time.monotonic() - started:.0f} s", flush=True)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-3000:], sep="\n", flush=True)
    return done.returncode == 0


def environment(place: Path, wheel: Path, extra: str, *, beside: Path | None = None) -> Path:
    """The Python of a new environment with the package and one extra; it sees the packages of `beside`'s, too."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if beside is not None:
        (packages(python) / "base.pth").write_text(f"{packages(beside)}\n")
    asked = str(wheel) if extra == BASE else f"rdpose[{extra}] @ {wheel.as_uri()}"
    pip("--python", str(python), "install", "--no-compile", *PINS, asked)
    return python


def packages(python: Path) -> Path:
    """The folder that an environment's packages lie in."""
    return Path(sysconfig.get_path("purelib", vars={"base": str(python.parents[1])}))


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True)


if __name__ == "__main__":
    main()
