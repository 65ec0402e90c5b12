"""Samples that depend on (seed, epoch, index) alone, joints and boxes that follow the crop, batches that cover all."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import rdpose
from rdpose import geometry
from rdpose.config.schema import AugmentSettings, NeighbourSettings
from rdpose.data import annotations, loaders
from rdpose.data.crops import boxes_inside, crop_people, cut, inside, neighbours_in_crop, rivals_in_crop, warp
from rdpose.data.loaders import CropDataset, EpochSampler, PictureDataset, one_thread
from rdpose.data.people import People
from rdpose.io import images

SIZE = (64, 96)
STILL = AugmentSettings(flip=0, scale=0, rotation=0, half_body=0)
CALM = NeighbourSettings(withhold=0, miss=0, double=0, invent=0, shift=0)


@pytest.fixture(scope="module")
def people(tiny_crowd: Path) -> People:
    return annotations.read(tiny_crowd / "annotations/person_keypoints_train2017.json", tiny_crowd / "images/train2017")


def crops(people: People, augment: AugmentSettings = STILL, neighbours: NeighbourSettings = CALM, **options):
    options = {"max_neighbours": 3, "seed": 0} | options
    return CropDataset(people, SIZE, augment=augment, neighbours=neighbours, **options)


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for key in one:
        assert torch.equal(one[key], other[key]), key


def test_a_sample_has_one_shape_and_type_for_everybody(people: People) -> None:
    dataset = crops(people, AugmentSettings(color=0.2, erase=0.5), NeighbourSettings())
    kinds = {key: (tuple(tensor.shape), tensor.dtype) for key, tensor in dataset[0, 0].items()}
    assert kinds == {
        "image": ((3, 96, 64), torch.uint8),
        "joints": ((17, 2), torch.float32),
        "visible": ((17,), torch.uint8),
        "box": ((4,), torch.float32),
        "neighbours": ((3, 4), torch.float32),
        "rivals": ((3, 17, 3), torch.float32),
        "draws": ((4,), torch.float32),
        "index": ((), torch.int64),
    }
    torch.utils.data.default_collate([dataset[0, index] for index in range(len(dataset))])


def test_the_crop_follows_the_moved_box(people: People) -> None:
    """What the network is told is the box that the crop was cut around: the truth cannot be read off it."""
    still, moved = crops(people), crops(people, STILL.model_copy(update={"shift": 0.1}))
    moves = []
    for index in range(len(moved)):
        one, other = still[0, index], moved[0, index]
        for box in (one["box"], other["box"]):
            assert ((box[:2] + box[2:]) / 2).tolist() == pytest.approx([SIZE[0] / 2, SIZE[1] / 2], abs=0.01)
        moves.append((one["joints"] - other["joints"]).abs().max())
    assert min(moves) > 0.1


def test_a_half_body_looks_like_a_person_whom_the_picture_cuts_off(people: People) -> None:
    """The box is the crop's, as in use, and what lies outside is not labelled."""
    halves = crops(people, STILL.model_copy(update={"half_body": 1.0, "half_body_joints": 0}))
    outside = 0
    for index in range(len(halves)):
        sample, whole = halves[0, index], crops(people)[0, index]
        box, joints = sample["box"], sample["joints"]
        assert ((box[:2] + box[2:]) / 2).tolist() == pytest.approx([SIZE[0] / 2, SIZE[1] / 2], abs=0.01)
        inside = ((joints >= 0) & (joints < torch.tensor(SIZE))).all(dim=1)
        assert torch.equal(sample["visible"] > 0, (whole["visible"] > 0) & inside)
        outside += int((~inside & (whole["visible"] > 0)).sum())
    assert outside > 0


def test_the_picture_of_a_half_body_may_end_at_its_box(people: People) -> None:
    """Black beyond, and what lies there is not labelled."""
    halves = STILL.model_copy(update={"half_body": 1.0, "half_body_joints": 0})
    open_, ended = crops(people, halves), crops(people, halves.model_copy(update={"picture_end": 1.0}))
    hidden = 0
    for index in range(len(ended)):
        sample, whole = ended[0, index], open_[0, index]
        x1, y1, x2, y2 = sample["box"].tolist()
        columns, rows = np.arange(SIZE[0]), np.arange(SIZE[1])[:, None]
        cells = np.ptp(sample["joints"].numpy(), axis=0) / np.ptp(people.joints[ended.rows[index]], axis=0)
        edge = 1 + 2 * float(cells.max())  # the end falls between pixels of the picture
        beyond = (columns < x1 - edge) | (columns > x2 + edge) | (rows < y1 - edge) | (rows > y2 + edge)
        within = (columns > x1 + edge) & (columns < x2 - edge) & (rows > y1 + edge) & (rows < y2 - edge)
        assert not sample["image"].numpy()[:, beyond].any()
        np.testing.assert_allclose(sample["image"].numpy()[:, within], whole["image"].numpy()[:, within], atol=2)
        kept = sample["joints"][sample["visible"] > 0]
        assert ((kept >= torch.tensor([x1 - 0.01, y1 - 0.01])) & (kept <= torch.tensor([x2, y2]) + 0.01)).all()
        hidden += int((whole["visible"] > 0).sum() - len(kept))
    assert hidden > 0


def test_a_cut_picture_looks_the_same_where_it_is_left() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    transform = geometry.crop_transform((40, 30), (48, 64), SIZE, rotation_deg=25, flip=True)
    frame, margin = np.array([20.3, 12.6, 61.5, np.inf]), np.array([2, 2, -2, 0])
    (part, moved), whole = cut(picture, transform, frame), warp(picture, transform, SIZE)
    assert part.shape == (60 - 12, 62 - 20, 3)
    kept = warp(part, moved, SIZE).astype(int)
    back = geometry.apply(geometry.invert(transform), np.indices(SIZE).reshape(2, -1).T.astype(np.float32))
    deep = inside(back, frame + margin).reshape(SIZE).T
    beyond = ~inside(back, frame - margin).reshape(SIZE).T
    assert np.abs(kept - whole)[deep].max() <= 2
    assert not kept[beyond].any()
    assert min(deep.sum(), beyond.sum()) > 500


def test_a_picture_that_ends_shows_no_boxes_beyond() -> None:
    boxes = np.array([[10, 10, 30, 30], [40, 0, 60, 20], [0, 0, 100, 100]], np.float32)
    frame = np.array([-np.inf, 5, 35, np.inf])
    assert boxes_inside(boxes, frame).tolist() == [[10, 10, 30, 30], [0, 5, 35, 100]]
    assert boxes_inside(boxes[:0], frame).shape == (0, 4)


def test_rivals_are_the_joints_of_others_that_lie_in_the_crop() -> None:
    joints = np.array([[[1, 2], [99, 2]], [[5, 6], [7, 8]], [[-1, 0], [3, 200]]], np.float32)
    visible = np.array([[2, 2], [1, 2], [2, 2]])
    found = rivals_in_crop(joints, visible, SIZE, 2)
    assert found.tolist() == [[[5, 6, 1], [7, 8, 1]], [[1, 2, 1], [0, 0, 0]]]
    assert not rivals_in_crop(joints[:0], visible[:0], SIZE, 2).any()


def test_rivals_are_mirrored_with_the_crop(people: People) -> None:
    straight, mirrored = (crops(people, STILL.model_copy(update={"flip": flip})) for flip in (0.0, 1.0))
    compared = 0
    for index in range(len(straight)):
        one, other = straight[0, index]["rivals"], mirrored[0, index]["rivals"][:, people.skeleton.flip_order]
        other[..., 0] = SIZE[0] - 1 - other[..., 0]
        for rival in one[one[:, :, 2].sum(1) > 4]:  # their order may change, as a joint may leave the crop's edge
            both = (rival[:, 2] > 0) & (other[:, :, 2] > 0)
            distance = ((other - rival)[..., :2].abs().amax(-1) * both).amax(1)
            assert distance[both.sum(1) > 3].min() < 1e-3
            compared += 1
    assert compared > 3


def test_seed_epoch_and_index_decide(people: People) -> None:
    options = (AugmentSettings(color=0.1, erase=0.3), NeighbourSettings())
    dataset = crops(people, *options)
    first = dataset[2, 5]
    dataset[0, 1]  # what was asked for in between plays no part
    assert_equal(dataset[2, 5], first)
    assert_equal(crops(people, *options)[2, 5], first)
    for other in (dataset[3, 5], crops(people, *options, seed=1)[2, 5]):
        assert not torch.equal(other["draws"], first["draws"])
        assert not torch.equal(other["image"], first["image"])


def test_workers_play_no_part(people: People) -> None:
    dataset = crops(people, AugmentSettings(), NeighbourSettings())
    batches = []
    for workers in (0, 2):
        sampler = EpochSampler(len(dataset), 4, seed=0)
        batches.append(list(DataLoader(dataset, batch_sampler=sampler, num_workers=workers)))
    for one, other in zip(*batches, strict=True):
        assert_equal(one, other)


def test_still_samples_are_the_boxes_crops(people: People) -> None:
    dataset = crops(people)
    row = dataset.rows[3]
    sample, picture = dataset[0, 3], images.read(people.image_path(people.image_index[row]))
    transform = geometry.crop_transform(*geometry.crop_region(people.box_xywh[row], 64 / 96), SIZE)
    assert np.array_equal(sample["image"].permute(1, 2, 0).numpy(), warp(picture, transform, SIZE))
    np.testing.assert_allclose(sample["joints"].numpy(), geometry.apply(transform, people.joints[row]), atol=1e-4)
    x1, y1, x2, y2 = sample["box"].tolist()
    assert ((x1 + x2) / 2, (y1 + y2) / 2) == pytest.approx((32, 48), abs=1e-3)
    assert max((x2 - x1) / 64, (y2 - y1) / 96) == pytest.approx(0.8, abs=1e-3)  # 1 / the padding of 1.25
    assert sample["index"] == row


def test_flip_is_one_for_picture_joints_and_boxes(people: People) -> None:
    straight, mirrored = (crops(people, STILL.model_copy(update={"flip": flip}))[0, 3] for flip in (0.0, 1.0))
    difference = straight["image"].flip(-1).float() - mirrored["image"].float()
    assert difference.abs().mean() < 1  # interpolated at the mirror of the same places
    order = people.skeleton.flip_order
    expected = straight["joints"][order]
    expected[:, 0] = 63 - expected[:, 0]
    torch.testing.assert_close(mirrored["joints"], expected, atol=1e-3, rtol=0)
    assert torch.equal(mirrored["visible"], straight["visible"][order])
    for name in ("box", "neighbours"):
        boxes = straight[name].reshape(-1, 4)
        known = (boxes[:, 2] > boxes[:, 0])[:, None]
        turned = torch.where(known, boxes[:, [2, 1, 0, 3]] * torch.tensor([-1, 1, -1, 1]), 0)
        turned = turned + known * torch.tensor([63, 0, 63, 0])
        torch.testing.assert_close(mirrored[name].reshape(-1, 4), turned, atol=1e-3, rtol=0)


def test_joints_stay_on_the_same_pixels_under_every_augmentation(people: People) -> None:
    """A joint carries a white spot in the picture; the crop must show it at the joint's place."""
    settings = AugmentSettings(rotation=45, scale=0.35, half_body=0.5, shift=0.1)
    for index in range(12):
        rng = np.random.default_rng(index)
        row = people.trainable()[index]
        view = loaders.transforms.draw_view(
            rng, people.box_xywh[row], people.joints[row], people.visible[row],
            upper_body=people.skeleton.upper_body, aspect=64 / 96, settings=settings,
        )  # fmt: skip
        transform = geometry.crop_transform(view.center, view.size, SIZE, view.rotation_deg, view.flip)
        picture = np.zeros((300, 300, 3), np.uint8)
        x, y = people.joints[row][5].round().astype(int)
        picture[y - 3 : y + 4, x - 3 : x + 4] = 255
        crop = warp(picture, transform, SIZE)
        at = geometry.apply(transform, np.array([[x, y]], np.float32))[0].round().astype(int)
        if (at >= 0).all() and (at < SIZE).all():
            assert crop[at[1], at[0], 0] == 255


def test_neighbours_are_those_in_sight_nearest_first_and_padded() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [-30, 0, 0, 20], [30, 40, 36, 60], [70, 0, 90, 90], [5, 5, 5, 50], [0, 0, 64, 96]], np.float32
    )
    found = neighbours_in_crop(boxes, SIZE, 4)
    assert found.tolist() == [boxes[5].tolist(), boxes[2].tolist(), boxes[0].tolist(), [0] * 4]
    assert neighbours_in_crop(boxes, SIZE, 1).tolist() == [boxes[5].tolist()]
    assert not neighbours_in_crop(boxes[:0], SIZE, 2).any()


def test_people_count_as_often_as_they_are_repeated(people: People) -> None:
    repeats = np.ones(len(people), int)
    repeats[4] = 3
    dataset = crops(people, repeats=repeats)
    assert len(dataset) == len(people) + 2
    assert Counter(dataset.rows.tolist())[4] == 3


@pytest.mark.parametrize(("samples", "batch", "world"), [(10, 4, 1), (10, 4, 2), (3, 4, 2), (16, 4, 2), (1, 2, 3)])
def test_processes_have_equal_batches_and_see_everybody(samples: int, batch: int, world: int) -> None:
    samplers = [EpochSampler(samples, batch, seed=0, rank=rank, world=world) for rank in range(world)]
    epochs = [list(sampler) for sampler in samplers]
    assert {len(epoch) for epoch in epochs} == {len(sampler) for sampler in samplers} == {len(epochs[0])}
    assert {len(indices) for epoch in epochs for indices in epoch} == {batch}
    seen = Counter(index for epoch in epochs for indices in epoch for _, index in indices)
    assert set(seen) == set(range(samples))
    full = len(epochs[0]) * batch * world
    assert max(seen.values()) - min(seen.values()) <= 1
    assert sum(seen.values()) == full


def test_two_processes_share_the_batches_of_one() -> None:
    one = list(EpochSampler(21, 8, seed=3))
    two = [list(EpochSampler(21, 4, seed=3, rank=rank, world=2)) for rank in range(2)]
    assert one == [first + second for first, second in zip(*two, strict=True)]


def test_every_epoch_has_an_order_of_its_own() -> None:
    sampler = EpochSampler(20, 20, seed=0)
    (first,) = sampler
    sampler.epoch = 1
    (second,) = sampler
    assert {epoch for epoch, _ in first} == {0}
    assert {epoch for epoch, _ in second} == {1}
    assert [i for _, i in first] != [i for _, i in second]
    assert sorted(i for _, i in first) == sorted(i for _, i in second)


def test_a_picture_is_read_once_for_all_its_people(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = images.read
    monkeypatch.setattr(images, "read", lambda path, **more: reads.append(path) or read(path, **more))
    dataset = PictureDataset(people, SIZE, max_neighbours=3)
    items = [dataset[index] for index in range(len(dataset))]
    assert len(reads) == len(set(reads)) == people.num_images
    assert torch.cat([item.index for item in items]).tolist() == list(range(len(people)))
    assert {item.neighbours.shape[1:] for item in items} == {(3, 4)}


def test_test_crops_are_still_training_crops(people: People) -> None:
    dataset, item = crops(people), PictureDataset(people, SIZE, max_neighbours=3)[0]
    for position, row in enumerate(item.index.tolist()):
        sample = dataset[0, row]
        assert torch.equal(item.image[position], sample["image"])
        torch.testing.assert_close(item.box[position], sample["box"])
        torch.testing.assert_close(item.neighbours[position], sample["neighbours"], atol=1e-4, rtol=0)
        back = geometry.apply(geometry.invert(item.transform[position].numpy()), sample["joints"].numpy())
        labelled = people.visible[row] > 0
        np.testing.assert_allclose(back[labelled], people.joints[row][labelled], atol=1e-3)


def test_unwanted_people_are_neighbours_only_and_unsure_ones_nobodys(people: People) -> None:
    wanted = np.arange(len(people)) == 0
    item = PictureDataset(people, SIZE, max_neighbours=3, wanted=wanted)[0]
    assert item.index.tolist() == [0]
    assert item.neighbours.any()
    unsure = PictureDataset(people, SIZE, max_neighbours=3, neighbour_score=1.1)
    assert len(unsure) == people.num_images
    assert not unsure[0].neighbours.any()


def test_neighbours_end_where_the_picture_is_made_to_end(people: People) -> None:
    """A detector sees no more of them than the network does."""
    halves = STILL.model_copy(update={"half_body": 1.0, "half_body_joints": 0})
    beyond = {}
    for end in (0.0, 1.0):
        dataset = crops(people, halves.model_copy(update={"picture_end": end}))
        samples = [dataset[0, index] for index in range(len(dataset))]
        frames = torch.stack([sample["box"] for sample in samples])[:, None]
        boxes = torch.stack([sample["neighbours"] for sample in samples])
        beyond[end] = torch.cat([frames[..., :2] - boxes[..., :2], boxes[..., 2:] - frames[..., 2:]], dim=-1)
        beyond[end] = beyond[end][boxes[..., 2] > boxes[..., 0]]
        assert len(beyond[end])
    assert beyond[1.0].max() < 0.01
    assert beyond[0.0].max() > 1


def test_a_group_is_nobodys_neighbour(people: People) -> None:
    """Neither in a test nor in training, though the picture shows it."""
    others = replace(people, crowd=np.arange(len(people)) > 0)
    assert not PictureDataset(others, SIZE, max_neighbours=3)[0].neighbours.any()
    assert not crops(others)[0, 0]["neighbours"].any()
    assert crops(people)[0, 0]["neighbours"].any()


def test_a_doubled_box_is_nobodys_neighbour() -> None:
    boxes = np.array([[10, 10, 50, 90], [11, 10, 51, 90], [40, 20, 80, 95]], np.float32)
    found = crop_people(np.zeros((100, 100, 3), np.uint8), boxes, SIZE, max_neighbours=3)
    assert (found.neighbours[..., 2] > found.neighbours[..., 0]).sum(1).tolist() == [1, 1, 2]


@pytest.mark.parametrize(("moved", "others"), [(2.0, 0), (3.0, 1)])
def test_boxes_that_overlap_by_nine_tenths_are_one_persons(moved: float, others: int) -> None:
    """Of 40 columns 38 and 37 are common: 38 / 42 = .905 and 37 / 43 = .860."""
    boxes = np.array([[10, 10, 50, 90], [10 + moved, 10, 50 + moved, 90]], np.float32)
    found = crop_people(np.zeros((100, 100, 3), np.uint8), boxes, SIZE, max_neighbours=3)
    assert (found.neighbours[..., 2] > found.neighbours[..., 0]).sum(1).tolist() == [others] * 2


def test_a_picture_without_people_gives_no_crops() -> None:
    found = crop_people(np.zeros((50, 50, 3), np.uint8), np.zeros((0, 4), np.float32), SIZE, max_neighbours=3)
    assert [tuple(part.shape) for part in found] == [(0, 3, 96, 64), (0, 4), (0, 3, 4), (0, 2, 3), (0,)]


def test_no_loader_starts_opencvs_threads_in_its_workers() -> None:
    """Each worker would start as many as there are processors."""
    sources = [path.read_text(encoding="utf-8") for path in Path(rdpose.__file__).parent.rglob("*.py")]
    made = [source[at.start() :][:400] for source in sources for at in re.finditer(r"= DataLoader\(", source)]
    assert len(made) == 2
    assert all("worker_init_fn=one_thread" in text for text in made)
    before = cv2.getNumThreads()
    one_thread(0)
    assert cv2.getNumThreads() == 1
    cv2.setNumThreads(before)
