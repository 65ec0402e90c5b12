"""Rendered crowds as a COCO data set on disk."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from rdpose.data.synthetic import render_scene, scene_rng, write_dataset
from rdpose.skeletons import COCO_17

OPTIONS = {"num_people": (2, 3), "size_wh": (96, 64)}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_folder_holds_pictures_and_one_annotation_file(tmp_path):
    done = []
    path = write_dataset(tmp_path, num_pictures=2, seed=0, name="val2017", progress=done.append, **OPTIONS)
    assert path == tmp_path / "annotations/person_keypoints_val2017.json"
    assert sorted(contents(tmp_path)) == [
        "annotations/person_keypoints_val2017.json",
        "images/val2017/000000000001.jpg",
        "images/val2017/000000000002.jpg",
    ]
    assert done == [1, 2]


def test_the_reference_tool_reads_it_and_finds_the_scene(tmp_path):
    path = write_dataset(tmp_path, num_pictures=3, seed=5, **OPTIONS)
    coco = COCO(str(path))
    assert coco.loadCats([1])[0]["keypoints"] == list(COCO_17.joints)
    for image_id in coco.getImgIds():
        image = coco.loadImgs([image_id])[0]
        scene = render_scene(scene_rng(5, image_id - 1), **OPTIONS)
        picture = cv2.imread(str(tmp_path / "images/train2017" / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3) == scene.picture.shape
        assert np.abs(picture[:, :, ::-1].astype(int) - scene.picture).mean() < 8
        assert 0 <= image["crowdIndex"] <= 1
        people = coco.loadAnns(coco.getAnnIds([image_id]))
        assert len(people) == len(scene.people)
        for entry, person in zip(people, scene.people, strict=True):
            keypoints = np.array(entry["keypoints"]).reshape(17, 3)
            labelled = person.visible > 0
            assert (keypoints[:, 2] == person.visible).all()
            assert keypoints[labelled, :2] == pytest.approx(person.joints[labelled], abs=0.006)
            assert (keypoints[~labelled] == 0).all()
            assert entry["num_keypoints"] == labelled.sum()
            assert entry["bbox"] == person.box_xywh.tolist()
            assert entry["area"] == person.area
            assert entry["visible_fraction"] == pytest.approx(person.visible_fraction, abs=1e-4)
            assert _iou(_filled(entry["segmentation"], person.mask.shape), person.visible_mask) > 0.8


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_dataset(tmp_path / folder, num_pictures=2, seed=seed, **OPTIONS)
    first, same, other = (contents(tmp_path / folder) for folder in "abc")
    assert first == same
    assert all(first[name] != other[name] for name in first)


def test_a_longer_set_begins_with_the_shorter_one(tmp_path):
    for folder, count in (("short", 1), ("long", 2)):
        write_dataset(tmp_path / folder, num_pictures=count, seed=1, **OPTIONS)
    short, long = (contents(tmp_path / folder) for folder in ("short", "long"))
    assert short["images/train2017/000000000001.jpg"] == long["images/train2017/000000000001.jpg"]


def test_an_interrupted_run_leaves_no_annotation_file(tmp_path):
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    write_dataset(tmp_path, num_pictures=1, seed=1, **OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path, num_pictures=2, seed=0, progress=stop, **OPTIONS)
    assert list(contents(tmp_path)) == ["images/train2017/000000000001.jpg"]


def test_the_file_is_plain_json(tmp_path):
    path = write_dataset(tmp_path, num_pictures=1, seed=0, **OPTIONS)
    assert set(json.loads(path.read_text())) == {"info", "images", "annotations", "categories"}


def _filled(polygons: list[list[float]], shape: tuple[int, int]) -> np.ndarray:
    corners = [np.array(polygon, np.int32).reshape(-1, 2) for polygon in polygons]
    return cv2.fillPoly(np.zeros(shape, np.uint8), corners, 1).astype(bool)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))
