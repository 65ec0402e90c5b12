"""The bundled pair on the photograph that comes with the package: a golden answer, by torch and by ONNX Runtime."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from rdpose.inference import estimator
from rdpose.structures import Poses

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/photograph.json").read_text())
PHOTOGRAPH = str(files("rdpose") / "demo.jpg")


def from_left(poses: Poses) -> Poses:
    return poses[np.argsort(poses.boxes_xyxy[:, 0])]


@pytest.mark.parametrize("weights", ["graph", "weights"])
def test_the_bundled_pair_finds_the_two_people_of_the_photograph(weights: str) -> None:
    given = None if weights == "graph" else estimator.shipped_weights()
    found = from_left(estimator.load(given)(PHOTOGRAPH))
    np.testing.assert_allclose(found.boxes_xyxy, GOLDEN["boxes_xyxy"], atol=0.05)
    np.testing.assert_allclose(found.joints, GOLDEN["joints"], atol=0.05)
    np.testing.assert_allclose(found.scores, GOLDEN["scores"], atol=1e-3)


def test_a_cpu_takes_the_graph_whose_weights_lie_beside_it() -> None:
    network = estimator.load(device="cpu")
    assert "bundled.onnx" in repr(network)
    assert estimator.shipped_weights().with_suffix(".onnx").stat().st_size < 200_000
