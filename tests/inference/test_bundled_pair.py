"""The bundled pair on the photograph that comes with the package and the bundled network on made crowds: golden answers
by torch and by ONNX Runtime. After other weights ship: `python tests/make_golden.py`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_golden import PHOTOGRAPH, crowd_answers, from_left
from rdpose.inference import estimator

ENGINES = ["graph", "weights"]


def golden_of(golden: Path, name: str) -> Any:
    return json.loads((golden / name).read_text())


def weights_of(engine: str) -> Path | None:
    return None if engine == "graph" else estimator.shipped_weights()


@cache
def answers(engine: str) -> dict[str, dict[str, list]]:
    return crowd_answers(weights_of(engine))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_bundled_pair_finds_the_two_people_of_the_photograph(golden: Path, engine: str) -> None:
    expected = golden_of(golden, "photograph.json")
    found = from_left(estimator.load(weights_of(engine))(PHOTOGRAPH))
    np.testing.assert_allclose(found.boxes_xyxy, expected["boxes_xyxy"], atol=0.05)
    np.testing.assert_allclose(found.joints, expected["joints"], atol=0.05)
    np.testing.assert_allclose(found.scores, expected["scores"], atol=1e-3)


@pytest.mark.parametrize("name", ["crowd_3.jpg", "crowd_8.jpg", "crowd_21.jpg"])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_bundled_network_finds_the_joints_on_file_in_a_crowd(golden: Path, engine: str, name: str) -> None:
    """To a thousandth of a pixel: threads, instruction sets and engines differ by a tenth of that. Joints that the
    network hardly sees are left out, whose maps may have two peaks of one height."""
    expected, found = golden_of(golden, "crowds.json")[name], answers(engine)[name]
    seen = np.array(expected["joint_scores"]) > 0.1
    assert seen.mean() > 0.7
    np.testing.assert_allclose(np.array(found["joints"])[seen], np.array(expected["joints"])[seen], rtol=0, atol=1e-3)
    for scores in ("joint_scores", "scores"):
        np.testing.assert_allclose(found[scores], expected[scores], rtol=0, atol=1e-4)


def test_a_cpu_takes_the_graph_whose_weights_lie_beside_it() -> None:
    network = estimator.load(device="cpu")
    assert "bundled.onnx" in repr(network)
    assert estimator.shipped_weights().with_suffix(".onnx").stat().st_size < 200_000
