"""Write what the detector's file finds in two rendered pictures, for the test that pins the bundled file.

    python -m recipes.detector.golden

To be run after every change of the file; the test compares boxes (x1 y1 x2 y2 in the picture's pixels) and scores
above .3 after suppression.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from recipes.detector.export import SHIPPED, session
from recipes.detector.measure import find

from rdpose.data import synthetic
from rdpose.io import files

GOLDEN = Path(__file__).resolve().parents[2] / "tests/golden/detector.json"
SEEDS = (11, 12)
LOWEST_SCORE = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--out", type=Path, default=GOLDEN)
    options = parser.parse_args()
    answers = found_in_crowds(options.model)
    files.write_text(options.out, json.dumps({seed: rows.round(3).tolist() for seed, rows in answers.items()}) + "\n")
    print(f"{options.out}: {sum(map(len, answers.values()))} boxes")


def found_in_crowds(model: Path) -> dict[int, np.ndarray]:
    """Seed of a picture -> (n, 5) boxes and scores, surest first."""
    runner, answers = session(model), {}
    for seed in SEEDS:
        found = find(runner, crowd(seed).picture)
        answers[seed] = found[found[:, 4] > LOWEST_SCORE]
    return answers


def crowd(seed: int) -> synthetic.Scene:
    """A small picture of two to four people."""
    return synthetic.render_scene(
        np.random.default_rng(seed), num_people=(2, 4), size_wh=(192, 144), overlap=(0.0, 0.5)
    )


if __name__ == "__main__":
    main()
