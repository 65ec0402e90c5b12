"""A network of another geometry goes the whole way: trained, tested, drawn, robustly looked at, exported, loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import rdpose
from rdpose import geometry, robustness
from rdpose.config.schema import Settings
from rdpose.data.loaders import PictureDataset
from rdpose.engine import preview, tester, trainer
from rdpose.geometry import CellGrid
from rdpose.inference.pipeline import open_network
from rdpose.models import builders
from rdpose.models.box_conditioning import box_maps
from rdpose.robustness import looking
from rdpose.skeletons import COCO_17
from rdpose.visualization import decoupling

UDP = ("model.geometry=udp", "model.unbiased=true", "test.decode=udp")


@pytest.fixture
def settings(tiny_settings: Callable[..., Settings]) -> Settings:
    return tiny_settings(*UDP)


def test_a_training_a_test_and_an_export_keep_the_geometry(settings: Settings, tiny_crowd: Path) -> None:
    best = trainer.train(settings)
    scores = tester.test_weights(settings, best)
    assert "96x64 udp, given boxes, flip test, udp" in str(scores)
    network, read, _ = open_network(best)
    assert (network.convention, read.model.geometry, read.test.decode) == ("udp", "udp", "udp")  # type: ignore
    estimator = rdpose.load(best)
    assert (estimator.inference.convention, estimator.inference.shift) == ("udp", False)
    pytest.importorskip("onnx")
    from rdpose.export import export

    report = export(best, decode=True)  # which compares joints, to .01 pixels
    other = rdpose.load(report.path, zoom=())
    assert (other.inference.convention, other.inference.shift) == ("udp", False)
    picture = str(next((tiny_crowd / "images/val2017").iterdir()))
    boxes = [[20, 10, 80, 110], [60, 15, 120, 115]]
    poses, others = (one(picture, boxes).joints for one in (estimator, other))
    assert (np.abs(poses - others) < 0.05).mean() > 0.9  # of a network that has learnt nothing


def test_training_crops_targets_and_pictures_of_them_follow(settings: Settings, tmp_path: Path) -> None:
    from rdpose.engine.build import make_dataset

    plain = settings.model_copy(update={"model": settings.model.model_copy(update={"geometry": "hrnet"})})
    one, other = (make_dataset(made, COCO_17)[0, 0] for made in (settings, plain))
    ratio = (one["joints"][:, 0] / other["joints"][:, 0])[one["visible"] > 0]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 63 / 64), rtol=0, atol=1e-4)
    shown = [preview.show(made, tmp_path / f"{number}.png", num=1) for number, made in enumerate((settings, plain))]
    assert shown[0].read_bytes() != shown[1].read_bytes()


def test_maps_of_boxes_end_where_the_cells_do() -> None:
    """A box over the whole crop has its middle in the middle of the cells, and so has its map."""
    near = []
    for convention in ("hrnet", "udp"):
        grid = CellGrid.of(convention, (64, 96), (16, 24))
        near.append(box_maps(None, torch.tensor([[0.0, 0, 63, 95]]), torch.zeros(1, 1, 24, 16), grid)[0, 1])
    assert torch.allclose(near[1], near[1].flip(0, 1), atol=1e-6)
    assert not torch.allclose(near[0], near[0].flip(0, 1), atol=1e-2)
    torch.manual_seed(0)
    plain = builders.build("hrnet_small", "rdpose", num_joints=17).eval()
    udp = builders.build("hrnet_small", "rdpose", num_joints=17, convention="udp").eval()
    udp.load_state_dict(plain.state_dict())
    crop, boxes = torch.zeros(1, 3, 96, 64), (torch.tensor([[[30.0, 0, 63, 95]]]), torch.tensor([[0.0, 0, 40, 95]]))
    assert not torch.equal(plain.features(crop, *boxes)[1], udp.features(crop, *boxes)[1])  # type: ignore


def test_forced_anchors_lie_where_they_are_asked_for(tiny_crowd: Path) -> None:
    """The way from the own anchor to the goal, in cells, and back from cells into the picture."""
    annotations = tiny_crowd / "annotations/person_keypoints_val2017.json"
    benchmark = robustness.read("tiny", annotations, tiny_crowd / "images/val2017", skeleton=COCO_17)
    crops = benchmark.crops((64, 96), 3, convention="udp")
    assert not torch.equal(crops.transform, benchmark.crops((64, 96), 3).transform)
    torch.manual_seed(0)
    network = builders.build("hrnet_small", "rdpose", num_joints=17, convention="udp").eval()
    seen = looking.look(network, crops)[0]
    assert seen.anchor is not None
    in_crop = geometry.apply(crops.transform.numpy(), seen.anchor[:, None])[:, 0]
    cells = CellGrid.of("udp", (64, 96), (16, 24)).to_cells(in_crop)
    np.testing.assert_allclose(cells, cells.round(), atol=1e-3)
    dataset = PictureDataset(benchmark.people, (64, 96), max_neighbours=3, convention="udp")
    assert decoupling.draw(network, dataset, num=1).any()  # type: ignore


def test_the_published_code_trains_in_hrnets_geometry_alone(tiny_settings: Callable[..., Settings]) -> None:
    with pytest.raises(ValueError, match=r"trains without model.geometry"):
        trainer.train(tiny_settings("model.geometry=udp", "model.variant=official"))
