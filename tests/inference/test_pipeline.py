"""Crops to joints: what the flip test averages, how heatmap cells become picture pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from rdpose import heatmaps, skeletons
from rdpose.config import schema as groups
from rdpose.data.crops import crop_people
from rdpose.inference.pipeline import Inference, mirror_boxes
from rdpose.skeletons import COCO_17

MODEL = groups.ModelSettings()

WIDTH, HEIGHT = 64, 96
NOBODY, UNKNOWN = torch.zeros(1, 1, 4), torch.zeros(1, 4)


def brightness(crops: Tensor, neighbours: Tensor, box: Tensor) -> Tensor:
    """A stand-in network that a mirror does not confuse: each joint is where it is bright."""
    small = torch.nn.functional.avg_pool2d(crops.float().mean(1, keepdim=True), 4) / 255
    return small.expand(-1, 17, -1, -1).clone()


def sided(crops: Tensor, neighbours: Tensor, box: Tensor) -> Tensor:
    """A stand-in network that tells left from right: odd joints see only the left half of the crop."""
    maps = brightness(crops, neighbours, box)
    maps[:, 1::2, :, maps.shape[-1] // 2 :] = 0
    return maps


def crops(seed: int = 0, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, HEIGHT, WIDTH), dtype=torch.uint8, generator=generator)


def test_a_network_without_sides_gives_the_same_with_and_without_the_flip() -> None:
    plain, flipped = (Inference(brightness, COCO_17, flip=flip, shift=False) for flip in (False, True))
    torch.testing.assert_close(flipped.heatmaps(crops(), NOBODY, UNKNOWN), plain.heatmaps(crops(), NOBODY, UNKNOWN))


def test_the_flip_test_averages_with_left_and_right_renamed() -> None:
    straight, mirrored = sided(crops(), NOBODY, UNKNOWN), sided(crops().flip(-1), NOBODY, UNKNOWN)
    expected = (straight + mirrored.flip(-1)[:, COCO_17.flip_order]) / 2
    found = Inference(sided, COCO_17, flip=True, shift=False).heatmaps(crops(), NOBODY, UNKNOWN)
    torch.testing.assert_close(found, expected)


def test_the_shift_moves_mirrored_maps_by_one_cell() -> None:
    inferences = (Inference(brightness, COCO_17, shift=shift) for shift in (False, True))
    flat, shifted = (inference.heatmaps(crops(), NOBODY, UNKNOWN) for inference in inferences)
    straight = brightness(crops(), NOBODY, UNKNOWN)
    torch.testing.assert_close((2 * shifted - straight)[..., 1:], (2 * flat - straight)[..., :-1])


@pytest.mark.parametrize("decode", ["quarter", "dark", "argmax"])
def test_by_default_the_flip_test_moves_no_joint_by_half_a_cell(decode: str) -> None:
    """A perfect network: the mirror of pixel x is cell (w - 1) - (W - 1 - x) / 4 = x / 4 - 0.75, and 0.25 shifted."""

    def perfect(image: Tensor, neighbours: Tensor, box: Tensor) -> Tensor:
        places = image.flatten(2).argmax(2)[:, :1]
        cells = torch.stack([places % WIDTH, places // WIDTH], dim=-1) / 4
        return heatmaps.render(cells, torch.ones(len(image), 1) > 0, HEIGHT // 4, WIDTH // 4, 2.0, unbiased=True)[0]

    image = torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    image[..., 48, 32] = 255
    settings = groups.TestSettings(decode=decode)  # pyrefly: ignore
    inference = Inference.of(perfect, skeletons.from_names(["head"]), settings, MODEL)
    found, _ = inference.joints(image, NOBODY, UNKNOWN)
    assert found[0, 0].tolist() == pytest.approx([32.5, 48], abs=0.51)
    if decode == "dark":
        assert found[0, 0].tolist() == pytest.approx([32.5, 48], abs=0.02)


def test_the_mirrored_crop_has_mirrored_boxes() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def network(image: Tensor, neighbours: Tensor, box: Tensor) -> Tensor:
        seen.append((neighbours, box))
        return brightness(image, neighbours, box)

    neighbours, box = torch.tensor([[[0.0, 5.0, 20.0, 30.0], [0, 0, 0, 0]]]), torch.tensor([[10.0, 0.0, 50.0, 90.0]])
    Inference(network, COCO_17).heatmaps(crops(), neighbours, box)
    assert seen[0][0].tolist() == [neighbours[0].tolist(), [[43, 5, 63, 30], [0, 0, 0, 0]]]
    assert seen[0][1].tolist() == [box[0].tolist(), [13, 0, 53, 90]]


def test_mirroring_boxes_twice_is_nothing() -> None:
    boxes = torch.tensor([[3.0, 1.0, 20.0, 9.0], [0.0, 0.0, 0.0, 0.0]])
    assert torch.equal(mirror_boxes(mirror_boxes(boxes, WIDTH), WIDTH), boxes)


@pytest.mark.parametrize("flip", [False, True])
def test_a_bright_place_is_found_in_the_picture(flip: bool) -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[88:104, 148:164] = 255  # around (155.5, 95.5)
    boxes = np.array([[100, 20, 220, 180], [130, 50, 190, 140]], np.float32)
    found = crop_people(picture, boxes, (WIDTH, HEIGHT), max_neighbours=2)
    joints, confidence = Inference(brightness, COCO_17, flip=flip, decode="argmax").in_picture(found)
    assert joints.shape == (2, 17, 2)
    assert (joints - torch.tensor([155.5, 95.5])).abs().max() < 12  # two cells
    assert confidence.min() > 0.5


@pytest.mark.parametrize(
    ("decode", "given", "shift"),
    [
        ("quarter", None, True),
        ("argmax", None, True),
        ("dark", None, True),
        ("dark", False, False),
        ("quarter", False, False),
    ],
)
def test_mirrored_maps_are_shifted_unless_settings_say_not(decode: str, given: bool | None, shift: bool) -> None:
    settings = groups.TestSettings(decode=decode, shift_heatmap=given, flip=False)
    found = Inference.of(brightness, COCO_17, settings, groups.ModelSettings(sigma=3.0))
    assert (found.decode, found.shift, found.flip, found.sigma) == (decode, shift, False, 3.0)
