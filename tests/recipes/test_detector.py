"""The recipe of the person detector, in miniature: the network, its loss, a training, what ships, what it finds."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from rdpose import geometry
from rdpose.io import files

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "src/rdpose/weights/detector.onnx"
GOLDEN = REPOSITORY / "tests/golden/detector.json"


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY))


def sharp(distances: torch.Tensor) -> torch.Tensor:
    """(..., 11) logits of bins that are sure of whole distances (...)."""
    return 50.0 * torch.nn.functional.one_hot(distances, 11)


def test_every_cell_answers_in_the_order_of_its_cells() -> None:
    from recipes.detector.nanodet import NUM_BINS, NanoDet

    cells = NanoDet.cells(64, 96)
    assert cells.shape == (8 * 12 + 4 * 6 + 2 * 3, 3)
    assert cells[[0, 1, 12, 96, -1]].tolist() == [[4, 4, 8], [12, 4, 8], [4, 12, 8], [8, 8, 16], [80, 48, 32]]
    with torch.no_grad():
        logits, bins = NanoDet().eval()(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    assert (logits.shape, bins.shape) == ((2, len(cells)), (2, len(cells), 4, NUM_BINS))
    assert len(NanoDet.cells(416, 416)) == 3549


def test_boxes_by_hand() -> None:
    from recipes.detector.nanodet import decode

    cells = torch.tensor([[12.0, 4.0, 8.0], [48.0, 80.0, 32.0]])
    bins = sharp(torch.tensor([[[1, 0, 2, 3], [0, 1, 1, 0]]]))
    bins[0, 1, 3, [4, 5]] = 50.0 + bins[0, 1, 3, 0]  # half 4, half 5
    boxes, scores = decode(torch.tensor([[0.0, -20.0]]), bins, cells)
    torch.testing.assert_close(boxes, torch.tensor([[[4.0, 4, 28, 28], [48, 48, 80, 80 + 4.5 * 32]]]))
    torch.testing.assert_close(scores, torch.tensor([[0.5, 0.0]]), atol=1e-6, rtol=0)


def test_halves_and_doubles_are_bilinear() -> None:
    from recipes.detector.nanodet import half, twice

    image = torch.randn(1, 2, 4, 6)
    halved = torch.nn.functional.interpolate(image, scale_factor=0.5, mode="bilinear")
    torch.testing.assert_close(half(image), halved)
    assert twice(image).shape == (1, 2, 8, 12)


def test_weights_come_back_from_their_file(tmp_path: Path) -> None:
    from recipes.detector.nanodet import NanoDet, load, save

    detector = NanoDet().to(memory_format=torch.channels_last)
    save(detector, tmp_path / "weights.safetensors")
    for key, tensor in load(tmp_path / "weights.safetensors").state_dict().items():
        assert torch.equal(tensor, detector.state_dict()[key])


def test_parts_of_the_loss_by_hand() -> None:
    from recipes.detector.loss import distribution_focal, giou, iou, quality_focal, to_distances

    a, b = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2], [3, 0, 5, 2]])
    torch.testing.assert_close(iou(a[:1], b), torch.tensor([[2 / 6, 0.0]]))
    torch.testing.assert_close(giou(a, b), torch.tensor([2 / 6, -2 / 10]))
    # sigmoid(0) = .5: ln 2 times the squared error
    torch.testing.assert_close(
        quality_focal(torch.zeros(2), torch.tensor([1.0, 0.5])), torch.tensor([np.log(2) / 4, 0.0]).float()
    )
    # even bins: each has 1 / 11, whatever is wanted; sure bins: 0 where they are right
    torch.testing.assert_close(
        distribution_focal(torch.zeros(1, 4, 11), torch.full((1, 4), 2.3)), torch.full((1, 4), np.log(11)).float()
    )
    right = torch.tensor([[1, 0, 2, 3]])
    assert distribution_focal(sharp(right), right.float()).max() < 1e-6
    cell = torch.tensor([[12.0, 4.0, 8.0]])
    far = torch.tensor([[4.0, 8.0, 28.0, 400.0]])  # starts below the cell, ends farther than the bins reach
    torch.testing.assert_close(to_distances(far, cell), torch.tensor([[1.0, 0.0, 2.0, 9.99]]))


def test_cells_answer_for_the_person_whom_they_see() -> None:
    from recipes.detector.loss import assign
    from recipes.detector.nanodet import NanoDet

    cells = NanoDet.cells(64, 64)
    people = torch.tensor([[0.0, 0, 24, 48, 1], [32, 8, 64, 64, 0.5]])
    boxes = torch.zeros(len(cells), 4)
    first, second = 8 * 2 + 1, 8 * 4 + 5  # cells of stride 8 at (12, 20) and (44, 36)
    boxes[first], boxes[second] = people[0, :4], people[1, :4]
    who, overlap = assign(torch.zeros(len(cells)), boxes, cells, people)
    assert (who[first], who[second]) == (0, 1)
    assert (overlap[first], overlap[second]) == (1, 1)
    assert ((who >= 0).sum(), who[-1]) == (2, -1)  # one overlap of 1 each: one cell each
    nobody, _ = assign(torch.zeros(len(cells)), boxes, cells, torch.zeros(0, 5))
    assert (nobody == -1).all()


def test_the_right_answer_costs_nothing_and_ignored_boxes_do_not_count() -> None:
    from recipes.detector.data import Batch
    from recipes.detector.loss import losses
    from recipes.detector.nanodet import NanoDet

    cells = NanoDet.cells(64, 64)
    place = 8 * 2 + 1
    person = torch.tensor([[4.0, 4, 28, 44, 1]])  # 1, 2, 2 and 3 strides around (12, 20)
    logits, bins = torch.full((1, len(cells)), -30.0), torch.zeros(1, len(cells), 4, 11)
    bins[..., 0] = 50.0  # elsewhere empty boxes
    logits[0, place], bins[0, place] = 30.0, sharp(torch.tensor([1, 2, 2, 3]))
    pictures, nothing = torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.zeros(0, 4)
    right = losses(logits, bins, cells, Batch(pictures, [person], [nothing]))
    assert right.total < 1e-3
    invented = logits.clone()
    far = 8 * 6 + 6
    invented[0, far], bins[0, far] = 5.0, sharp(torch.tensor([1, 1, 1, 1]))
    counted = losses(invented, bins, cells, Batch(pictures, [person], [nothing]))
    ignored = losses(invented, bins, cells, Batch(pictures, [person], [torch.tensor([[44.0, 44, 60, 60]])]))
    assert counted.score > 4
    assert ignored.score < 1e-3


def test_fused_boxes_and_labels_by_hand() -> None:
    from recipes.detector.labels import Source, merge
    from recipes.detector.teachers import fuse, mirrored

    one, other = np.array([[0.0, 0, 10, 10, 0.8], [50, 0, 60, 10, 0.4]]), np.array([[1.0, 0, 11, 10, 0.4]])
    np.testing.assert_allclose(fuse([one, other]), [[0.2, 0, 10.2, 10, 0.6], [50, 0, 60, 10, 0.2]])
    assert fuse([np.zeros((0, 5))] * 2).shape == (0, 5)
    seen = mirrored(lambda rgb: np.array([[0.0, 0, 4, 5, rgb[0, 0, 0]]]))
    assert seen(np.arange(20, dtype=np.uint8).reshape(1, 20, 1)).tolist() == [[16, 0, 20, 5, 19]]

    rows = [{"bbox": [0, 0, 10, 10]}, {"bbox": [20, 0, 5, 5], "iscrowd": 1}]
    fused = np.array([[0.0, 0, 10, 9, 0.9], [50, 0, 60, 10, 0.5], [70, 0, 80, 10, 0.1], [90, 0, 99, 10, 0.01]])
    people, ignore = merge(rows, fused, Source("some", Path()), alone=False)
    assert people.tolist() == [[0, 0, 10, 10, 1], [50, 0, 60, 10, 0.5]]
    assert ignore.tolist() == [[20, 0, 25, 5], [70, 0, 80, 10]]
    people, ignore = merge(rows, fused, Source("some", Path(), from_joints=True), alone=True)
    assert people.tolist() == [[0, 0, 10, 9, 1]]
    assert ignore.tolist() == [[20, 0, 25, 5]]


def test_boxes_move_with_their_picture() -> None:
    from recipes.detector.data import Labelled, keep_seen, mirror, warp

    rng = np.random.default_rng(0)
    rgb = np.zeros((80, 100, 3), np.uint8)
    rgb[20:60, 30:50] = 255
    picture = Labelled(rgb, np.array([[30.0, 20, 50, 60, 1]]), np.zeros((0, 4)))
    for _ in range(5):
        moved = warp(picture, rng, 200, 200)
        for shown in (moved, mirror(moved)):
            bright = cv2.boundingRect((shown.rgb.min(axis=2) > 200).astype(np.uint8))
            x, y, width, height = bright
            np.testing.assert_allclose(shown.people[0, :4], [x, y, x + width, y + height], atol=4)
    cut = keep_seen(rgb, np.array([[-10.0, 0, 10, 40, 0.9], [-30, 0, 10, 40, 1]]), np.array([[200.0, 0, 300, 9]]))
    assert cut.people.tolist() == [[0, 0, 10, 40, 0.9]]
    assert cut.ignore.tolist() == [[0, 0, 10, 40]]  # three quarters of the second are outside


def labels(folder: Path) -> Path:
    """Labels of three rendered pictures: two to train on, and one of each group to choose on."""
    from recipes.detector.golden import crowd

    rows = []
    for seed, source in enumerate(("rendered_train", "coco", "street", "rendered_select")):
        scene, file = crowd(seed % 3), folder / f"{seed % 3}.png"
        cv2.imwrite(str(file), scene.picture[..., ::-1])
        boxes = geometry.xywh_to_xyxy(np.stack([person.box_xywh for person in scene.people]))
        people = np.column_stack([boxes, np.ones(len(boxes))]).tolist()
        rows.append({"source": source, "file": str(file), "people": people, "ignore": []})
    files.write_json(folder / "train.json", rows[:2])
    files.write_json(folder / "select.json", rows[1:])
    return folder


def test_a_training_of_two_steps_leaves_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from recipes.detector import train
    from recipes.detector.data import Album
    from recipes.detector.nanodet import NanoDet, load
    from recipes.detector.select import Selection

    seconds = iter([0.0, 0.0, 30.0, 61.0])  # the start, two steps, the end
    monkeypatch.setattr(train, "time", SimpleNamespace(process_time=lambda: next(seconds), monotonic=lambda: 0.0))
    torch.manual_seed(0)
    start, folder, out = NanoDet(), labels(tmp_path), tmp_path / "run"
    before = start.state_dict()["stem.0.weight"].clone()
    album, selection = Album.load(folder / "train.json"), Selection.load(folder / "select.json")
    train.train(start, album, selection, train.Plan(minutes=1, batch=2, looks=1), out)
    assert sorted(path.name for path in out.iterdir()) == ["best.safetensors", "log.jsonl", "trained.safetensors"]
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 2]
    assert set(rows[-1]) == {"seconds", "step", "coco", "fused", "made", "mean"}
    learned = load(out / "best.safetensors").state_dict()["stem.0.weight"]
    assert not torch.equal(learned, before)
    torch.testing.assert_close(
        load(out / "trained.safetensors").state_dict()["stem.0.weight"], 0.35 * before + 0.65 * learned
    )


def test_right_boxes_have_an_ap_of_one(tmp_path: Path) -> None:
    from recipes.detector.select import Selection

    selection = Selection.load(labels(tmp_path) / "select.json")
    right = [picture.people for picture in selection.pictures]
    assert selection.group_ap(right, ("coco", "street")) == pytest.approx(1)
    assert selection.group_ap([rows[:0] for rows in right], ("coco",)) == 0


def test_the_exported_file_answers_like_the_network(tmp_path: Path) -> None:
    from recipes.detector import export
    from recipes.detector.nanodet import NanoDet

    torch.manual_seed(0)
    detector = NanoDet().eval()
    export.round_weights(detector)
    shipped, path = export.Shipped(detector), tmp_path / "detector.onnx"
    export.export(shipped, path)
    assert max(export.difference(shipped, path)) < 1e-4
    assert path.stat().st_size < 4e6


def test_whole_numbers_are_close_to_the_weights() -> None:
    from recipes.detector.export import quantise

    weight = np.random.default_rng(0).normal(size=(8, 4, 3, 3)).astype(np.float32)
    whole, steps = quantise(weight)
    assert (whole.dtype, steps.shape) == (np.int8, (8, 1, 1, 1))
    assert (np.abs(whole / steps - weight) <= 0.5001 / steps).all()


def test_the_bundled_file_finds_people_as_it_did() -> None:
    if not SHIPPED.exists():
        pytest.skip("needs src/rdpose/weights/detector.onnx")
    from recipes.detector.golden import SEEDS, crowd, found_in_crowds

    answers = found_in_crowds(SHIPPED)
    for seed in SEEDS:
        people = geometry.xywh_to_xyxy(np.stack([person.box_xywh for person in crowd(seed).people]))
        assert geometry.iou(people, answers[seed][:, :4]).max() > 0.5
    for seed, rows in json.loads(GOLDEN.read_text()).items():
        expected = np.array(rows)
        told = "after a change of the file run: python -m recipes.detector.golden"
        assert answers[int(seed)].shape == expected.shape, told
        np.testing.assert_allclose(answers[int(seed)][:, :4], expected[:, :4], atol=0.5, err_msg=told)
        np.testing.assert_allclose(answers[int(seed)][:, 4], expected[:, 4], atol=0.005, err_msg=told)
