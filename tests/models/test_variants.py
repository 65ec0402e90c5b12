"""Every variant with weights by formula, neighbours and boxes: the heatmaps that tests/make_golden.py wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from make_golden import VARIANTS, crops_by_formula, variant, variant_maps
from rdpose import heatmaps

NAMES = [f"{backbone}.{name}" for backbone, name in VARIANTS]


@pytest.fixture(scope="module")
def answers(golden: Path) -> Mapping[str, np.ndarray]:
    with np.load(golden / "variants.npz") as file:
        return dict(file)


@pytest.mark.parametrize(("backbone", "name"), VARIANTS, ids=NAMES)
def test_the_heatmaps_are_those_on_file(answers: Mapping[str, np.ndarray], backbone: str, name: str) -> None:
    found, expected = variant_maps(backbone, name), answers[f"{backbone}.{name}"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    for method in ("quarter", "dark"):
        joints, on_file = (heatmaps.decode(torch.from_numpy(maps), method)[0] for maps in (found, expected))
        torch.testing.assert_close(4 * joints, 4 * on_file, rtol=0, atol=1e-3)  # pixels of the crop


@pytest.mark.parametrize(("backbone", "name"), VARIANTS, ids=NAMES)
def test_the_answers_on_file_say_which_variants_know_of_boxes(backbone: str, name: str) -> None:
    image, neighbours, box = crops_by_formula()
    network = variant(backbone, name)
    with torch.inference_mode():
        known, alone, unknown = network(image, neighbours, box), network(image, None, box), network(image)
    aware = name in ("rdpose", "boxes")
    for other in (alone, unknown):
        assert ((known - other).abs().max() > 0.01 * known.abs().max()) == aware
