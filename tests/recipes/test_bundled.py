"""The recipe of the network inside the package, in miniature: start, labels, pictures set aside, crowds, what ships."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rdpose import heatmaps, skeletons
from rdpose.checkpoints import native
from rdpose.data import annotations
from rdpose.io import files

REPOSITORY = Path(__file__).resolve().parents[2]
PEAKS = torch.stack(torch.meshgrid(torch.arange(17.0) + 10, torch.tensor(30.0), indexing="ij"), dim=-1)[:, 0]


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY))


def look(crops: np.ndarray) -> torch.Tensor:
    """A teacher that sees joint j at cell (10 + j, 30) in every crop, mirrored or not."""
    maps, _ = heatmaps.render(PEAKS[None], torch.ones(1, 17, dtype=torch.bool), 64, 48, 2.0)
    return maps.expand(len(crops), -1, -1, -1).clone()


def test_two_peaks_of_a_heatmap_are_two_candidates() -> None:
    from recipes.bundled.teach import candidates_of

    maps = look(np.zeros((1, 256, 192, 3)))
    maps[0, 3] = 0.5 * maps[0, 3] + 0.3 * maps[0, 16].roll(20, 0)
    maps[0, 5] *= 0.04
    identity = np.float32([[[1, 0, 0], [0, 1, 0]]])
    found = candidates_of(maps, identity)
    assert found.shape == (1, 17, 2, 3)
    np.testing.assert_allclose(found[0, 3], [[13 * 4, 30 * 4, 0.5], [26 * 4, 50 * 4, 0.3]], atol=0.05)
    assert found[0, 5, :, 2].tolist() == [0, 0]
    assert (found[0, [0, 1, 2, 4], 1, 2] == 0).all()


def test_rough_labels_may_be_believed_as_others_are() -> None:
    from recipes.bundled.held_out import believed

    candidates = [1, 2, 0.4, 3, 4, 0.48, 5, 6, 0.75, 7, 8, 0.1, 9, 10, 0.4, 0, 0, 0]
    rows = [{"human": human, "candidates": candidates} for human in (True, False)]
    changed, same = believed({"annotations": rows})["annotations"]
    assert changed["candidates"] == [1, 2, 0.75, 3, 4, 0.2, *candidates[6:]]
    assert same["candidates"] == candidates


def test_labels_and_teacher_together_by_hand() -> None:
    from recipes.bundled.teach import merge

    label, visible = np.zeros((17, 2)), np.zeros(17)
    label[:4], visible[:4] = [[100, 100], [100, 100], [100, 100], [100, 100]], [2, 1, 2, 2]
    seen = np.zeros((17, 2, 3))
    seen[:5, 0] = [[102, 100, 0.8], [102, 100, 0.1], [180, 100, 0.9], [180, 100, 0.5], [50, 60, 0.7]]
    seen[:5, 1] = [7, 8, 0.2]
    found = merge(label, visible, seen, 50000.0, rough=True)
    np.testing.assert_allclose(found[0], [[101, 100, 0.9], [7, 8, 0]])  # agreed: half-way
    np.testing.assert_allclose(found[1], [[100, 100, 0.75], [102, 100, 0.025]])  # the teacher is not sure
    np.testing.assert_allclose(found[2], [[100, 100, 0.4], [180, 100, 0.54]])  # rough, and the teacher is sure
    np.testing.assert_allclose(found[3], [[100, 100, 0.75], [180, 100, 0.125]])
    np.testing.assert_allclose(found[4], seen[4])  # not labelled: the teacher's
    np.testing.assert_allclose(merge(label, visible, seen, 50000.0, rough=False)[2, :, 2], [0.75, 0.225])


def test_who_is_labelled_or_in_a_group_is_not_found_again() -> None:
    from recipes.bundled.teach import Known, new_people

    boxes = np.float32([[0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60], [80, 80, 90, 90]])
    group = np.float32([[45, 45, 70, 70]])
    known = Known({}, boxes[:1] + 1, np.zeros((1, 17, 2)), np.zeros((1, 17)), np.ones(1), group)
    assert new_people(boxes, known).tolist() == boxes[[1, 3]].tolist()


def test_a_taught_file_is_read_with_its_candidates(tiny_crowd: Path, tmp_path: Path) -> None:
    from recipes.bundled.teach import Source, teach
    from recipes.bundled.teachers import Teachers

    corner = np.float32([[0, 0, 20, 30]])
    ours = Teachers(find=lambda _: corner, look=look)
    source = Source("annotations/person_keypoints_train2017.json", "images/train2017")
    content = teach("tiny", source, tiny_crowd, ours, most=3)
    files.write_json(tmp_path / "tiny.json", content)
    people = annotations.read(tmp_path / "tiny.json", tiny_crowd / source.images, skeleton=skeletons.COCO_17)
    truth = annotations.read(tiny_crowd / source.annotations, tiny_crowd / source.images)
    human = np.array([row["human"] for row in content["annotations"]])
    assert people.num_images == 3
    assert human.sum() == (truth.image_index < 3).sum()
    assert people.candidates.shape == (len(people), 17, 2, 3)
    np.testing.assert_array_equal(
        people.visible[human] > 0, (truth.visible[: human.sum()] > 0) | (people.visible[human] > 0)
    )
    labelled = truth.visible[: human.sum()] > 0
    np.testing.assert_allclose(people.joints[human][labelled], truth.joints[: human.sum()][labelled], atol=0.01)
    assert people.labelled.all()
    assert people.person_id.tolist() == list(range(1, len(people) + 1))


def test_nobody_has_labelled_some_pictures(tiny_crowd: Path) -> None:
    from recipes.bundled.teach import Source, teach
    from recipes.bundled.teachers import Teachers

    blind = Teachers(find=lambda _: np.float32([[0, 0, 20, 30]]), look=lambda crops: 0.01 * look(crops))
    content = teach("tiny", Source("", "images/val2017"), tiny_crowd, blind, most=2)
    assert [(row["human"], row["candidates"], row["num_keypoints"]) for row in content["annotations"]] == [
        (False, [], 0)
    ] * 2


def test_pictures_are_set_aside_by_their_names() -> None:
    from recipes.bundled.held_out import is_held, split, together

    names = [f"{number:012}.jpg" for number in range(1000)]
    shares = [sum(is_held(name, share) for name in names) / 1000 for share in (0.0, 0.2, 1.0)]
    assert shares[::2] == [0, 1]
    assert shares[1] == pytest.approx(0.2, abs=0.03)
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "annotations": [{"id": number, "image_id": number % 1000} for number in range(2000)],
        "categories": [],
    }
    train, held = split(content, 0.2)
    assert len(train["images"]) + len(held) == 1000
    assert {row["image_id"] for row in train["annotations"]} == {image["id"] for image in train["images"]}
    both = together({"a": train, "b": train}, {"a": "x", "b": "y"})
    assert both["images"][0]["file_name"].startswith("x/")
    assert both["images"][-1]["file_name"].startswith("y/")
    assert [row["id"] for row in both["annotations"]] == list(range(1, 2 * len(train["annotations"]) + 1))
    assert {row["image_id"] for row in both["annotations"]} == {image["id"] for image in both["images"]}


def test_a_graphs_weights_are_read_as_they_were_packed(tmp_path: Path) -> None:
    from recipes.bundled.movenet_start import read_graph

    entries = [
        {"name": "plain", "shape": [2], "dtype": "float32"},
        {
            "name": "half",
            "shape": [],
            "dtype": "float32",
            "quantization": {"dtype": "float16", "original_dtype": "float32"},
        },
        {
            "name": "byte",
            "shape": [1, 2],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1},
        },
    ]
    parts = [np.float32([1.5, -2]), np.float16(0.25), np.uint8([[4, 0]])]
    (tmp_path / "net.json").write_text(json.dumps({"weightsManifest": [{"weights": entries}]}))
    (tmp_path / "net.bin").write_bytes(b"".join(part.tobytes() for part in parts))
    found = read_graph(tmp_path / "net.json")
    assert {name: array.tolist() for name, array in found.items()} == {
        "plain": [1.5, -2],
        "half": 0.25,
        "byte": [[1, -1]],
    }
    (tmp_path / "net.bin").write_bytes(b"too much, surely")
    with pytest.raises(ValueError, match="16 bytes where its graph names 12; fetch it again"):
        read_graph(tmp_path / "net.json")


@torch.no_grad()
def test_what_is_published_answers_as_if_nothing_had_been_added() -> None:
    """A pyramid half as wide is filled in; the first features and the likelihoods stay as they were published."""
    from recipes.bundled.movenet_start import fill, for_our_pictures

    from rdpose.models.backbones.mobilenet import MobileNetFPN

    torch.manual_seed(0)
    wide = MobileNetFPN()
    narrow = {key: tensor.clone() for key, tensor in wide.state_dict().items()}
    for level, (old, new) in enumerate(((48, 24), (64, 32))):
        for end in ("weight", "bias"):
            narrow[f"lateral.{level}.{end}"] = narrow[f"lateral.{level}.{end}"][:new]
        narrow[f"up.{level}.depthwise.weight"] = narrow[f"up.{level}.depthwise.weight"][:new]
        assert old > new
    for key in ("up.0.pointwise.weight", "up.1.pointwise.weight"):
        narrow[key] = narrow[key][:24, : 24 if "0" in key else 32]
    for key in ("up.0.pointwise.bias", "up.1.pointwise.bias"):
        narrow[key] = narrow[key][:24]
    narrow["up.2.pointwise.weight"], narrow["up.2.pointwise.bias"] = (
        narrow["up.2.pointwise.weight"][:32],
        narrow["up.2.pointwise.bias"][:32],
    )
    narrow["features.depthwise.weight"] = narrow["features.depthwise.weight"][:24]
    narrow["features.pointwise.weight"] = narrow["features.pointwise.weight"][:, :24]
    silent = {key: torch.zeros_like(tensor) for key, tensor in wide.state_dict().items()}
    for key, given in narrow.items():
        silent[key][tuple(slice(0, side) for side in given.shape)] = given
    filled = fill(MobileNetFPN(), narrow)
    image = torch.randn(1, 3, 64, 64)
    wide.load_state_dict(silent)
    torch.testing.assert_close(filled(image), wide(image))
    ours = for_our_pictures(torch.ones(1, 3, 1, 1), torch.zeros(1))
    white = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert (ours["conv_stem.weight"][0, :, 0, 0] @ white + ours["conv_stem.bias"]).item() == pytest.approx(3)


def test_several_weights_ship_as_their_mean_in_half_precision(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recipes.bundled import ship

    one = native.load_weights(tiny_weights)
    other = {key: tensor + 2 for key, tensor in one.tensors.items()}
    native.save_weights(tmp_path / "b.safetensors", other, one.settings, one.skeleton)
    out = tmp_path / "out.safetensors"
    monkeypatch.setattr("sys.argv", ["ship.py", str(tiny_weights), str(tmp_path / "b.safetensors"), "--out", str(out)])
    ship.main()
    found = native.load_weights(out)
    assert (found.settings.name, found.settings.test.zoom, found.settings.model.init) == ("bundled", (), "")
    for key, tensor in found.tensors.items():
        expected = one.tensors[key] + 1 if one.tensors[key].is_floating_point() else other[key]
        torch.testing.assert_close(tensor, expected, rtol=1e-3, atol=1e-3, check_dtype=False)


def test_the_settings_are_sound_and_name_what_the_recipe_writes() -> None:
    from recipes.bundled.teach import SOURCES

    from rdpose.config import loading

    settings = loading.load(REPOSITORY / "recipes/bundled/main.yaml")
    named = {source.annotations for source in settings.data.train}
    assert named >= {f"sets/taught/{name}_train.json" for name in SOURCES}
    assert settings.model.backbone == "mobilenet_fpn"


def test_the_teachers_see_real_people(shared_data: Path) -> None:
    """Two pictures of COCO train: most labelled joints are where PP-TinyPose sees them, everybody is found once."""
    if not (shared_data.parent / "models/tinypose_256x192").is_dir():
        pytest.skip("needs ../shared/models (the teachers)")
    from recipes.bundled import teachers
    from recipes.bundled.teach import SOURCES, agree, teach

    ours = teachers.load(shared_data.parent / "models")
    content = teach("coco", SOURCES["coco"], shared_data, ours, most=2)
    source = SOURCES["coco"]
    people = annotations.read(shared_data / source.annotations, shared_data / source.images, skeleton=skeletons.COCO_17)
    right = []
    for row in (row for row in content["annotations"] if row["human"]):
        (place,) = np.flatnonzero((people.box_xywh.round(2) == np.float32(row["bbox"])).all(axis=1))
        seen = np.reshape(row["candidates"], (17, 2, 3))
        labelled = people.visible[place] > 0
        right += agree(people.joints[place], seen, float(people.area[place]))[labelled].tolist()
    assert np.mean(right) > 0.8
