"""The estimator: one picture or many, any boxes, duplicates, and errors that say what to do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import rdpose
from rdpose import geometry, skeletons
from rdpose.checkpoints import native
from rdpose.config.schema import ModelSettings, Settings
from rdpose.detection import Detections
from rdpose.inference import estimator as estimators
from rdpose.inference.estimator import Task
from rdpose.inference.tasks import locate
from rdpose.io import images as picture_files
from rdpose.models import builders

SKELETON = skeletons.COCO_17
RNG = np.random.default_rng(3)
PICTURES = [RNG.integers(0, 256, (90, 120, 3), np.uint8), RNG.integers(0, 256, (100, 80, 3), np.uint8)]
BOXES = [np.array([[5, 5, 50, 85], [60, 10, 110, 88], [20, 20, 70, 80.0]]), np.array([[10, 10, 60, 95.0]])]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = builders.build("hrnet_small", "rdpose", num_joints=SKELETON.num_joints)
    settings = Settings(model=ModelSettings(backbone="hrnet_small", variant="rdpose", image_size=(64, 96)))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    native.save_weights(path, network.state_dict(), settings, SKELETON)
    return path


@pytest.fixture(scope="module")
def estimator(weights: Path) -> rdpose.PoseEstimator:
    return rdpose.load(weights, detector="whole", device="cpu", keep_duplicates=True)


def test_a_pose_for_each_box(estimator: rdpose.PoseEstimator) -> None:
    poses = estimator(PICTURES[0], BOXES[0])
    assert isinstance(poses, rdpose.Poses)
    assert poses.joints.shape == (3, 17, 2)
    assert np.array_equal(poses.boxes_xyxy, BOXES[0].astype(np.float32))
    assert np.isfinite(poses.joints).all()
    assert rdpose.draw(PICTURES[0], poses).shape == PICTURES[0].shape


def test_joints_lie_in_the_crop_of_their_box(estimator: rdpose.PoseEstimator) -> None:
    joints = estimator(PICTURES[0], BOXES[0]).joints
    center, size = geometry.crop_region(geometry.xyxy_to_xywh(BOXES[0]), 64 / 96)
    assert (np.abs(joints - center[:, None]) <= size[:, None] / 2).all()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 32])
def test_many_pictures_give_what_each_gives_alone(estimator: rdpose.PoseEstimator, batch_size: int) -> None:
    images = [*PICTURES, PICTURES[0], PICTURES[1]]
    boxes = [*BOXES, np.zeros((0, 4)), None]
    together = replace(estimator, batch_size=batch_size).many(images, boxes)
    assert [len(poses) for poses in together] == [3, 1, 0, 1]
    for image, own, poses in zip(images, boxes, together, strict=True):
        alone = estimator(image, own)
        assert np.allclose(poses.joints, alone.joints, atol=1e-2)
        assert np.allclose(poses.joint_scores, alone.joint_scores, atol=1e-5)


def test_whole_takes_the_picture_as_one_person(estimator: rdpose.PoseEstimator) -> None:
    assert estimator(PICTURES[1]).boxes_xyxy.tolist() == [[0, 0, 80, 100]]
    assert [len(poses) for poses in estimator.many(PICTURES)] == [1, 1]
    assert len(estimator(PICTURES[1], [])) == 0


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_stream_holds_few_pictures_back(estimator: rdpose.PoseEstimator, at_once: int) -> None:
    """Also where nobody is there to fill a batch of people; a camera's is answered before the next is taken."""
    given = []

    def tasks(boxes: np.ndarray | None):
        for number in range(100):
            given.append(number)
            yield Task(PICTURES[1], boxes)

    for boxes in (None, np.zeros((0, 4))):
        given.clear()
        next(replace(estimator, pictures_at_once=at_once).stream(tasks(boxes)))
        assert len(given) == at_once


def test_scores_of_the_detector_scale_those_of_the_poses(estimator: rdpose.PoseEstimator) -> None:
    estimator = replace(estimator, joint_score=-1.0)  # an untrained network is sure of nothing
    sure, unsure = estimator(PICTURES[0], BOXES[0]), estimator(PICTURES[0], BOXES[0], scores=[1, 0.5, 0.5])
    assert np.allclose(unsure.scores, sure.scores * [1, 0.5, 0.5], atol=1e-6)
    assert (sure.scores != 0).all()


def test_other_boxes_are_neighbours_and_unsure_ones_are_not(estimator: rdpose.PoseEstimator) -> None:
    tasks = [Task(PICTURES[0], BOXES[0], scores) for scores in ([1, 1, 1], [1, 1, 0.1])]
    counts = []
    for located in locate(tasks, estimator.detector):
        crops = estimator._prepare(located).crops
        assert crops is not None
        counts.append((crops.neighbours[..., 2] > crops.neighbours[..., 0]).sum(1).tolist())
    assert counts == [[2, 1, 2], [1, 0, 2]]  # the first person is out of sight of the second's crop


def test_the_same_person_is_found_once(estimator: rdpose.PoseEstimator) -> None:
    twice = np.array([BOXES[1][0], BOXES[1][0] + 0.25])
    strict = replace(estimator, keep_duplicates=False, joint_score=-1.0, same_person=0.3)
    assert len(replace(strict, keep_duplicates=True)(PICTURES[1], twice, scores=[0.5, 1])) == 2
    once = strict(PICTURES[1], twice, scores=[0.5, 1])
    assert np.array_equal(once.boxes_xyxy, twice[1:].astype(np.float32))
    apart = np.array([[0, 0, 30, 40], [50, 50, 80, 100]])
    assert len(strict(PICTURES[1], apart)) == 2


def test_heatmaps_know_the_scores_by_which_boxes_are_neighbours(estimator: rdpose.PoseEstimator) -> None:
    def number_of_neighbours(crops: torch.Tensor, neighbours: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        return neighbours.any(-1).sum(1).float()[:, None, None, None].expand(-1, 17, 24, 16)

    counting = replace(estimator, inference=replace(estimator.inference, network=number_of_neighbours))
    found = [counting.heatmaps(PICTURES[0], BOXES[0], scores=scores)[1] for scores in (None, [1, 0.1, 0.1])]
    assert [maps.max(axis=(1, 2, 3)).tolist() for maps in found] == [[2, 1, 2], [0, 0, 1]]
    poses = counting(PICTURES[0], BOXES[0], scores=[1, 0.1, 0.1])
    assert poses.joint_scores[:, 0].tolist() == [0, 0, 1]


def test_heatmaps_are_those_that_the_joints_come_from(estimator: rdpose.PoseEstimator) -> None:
    crops, maps = replace(estimator, batch_size=2).heatmaps(PICTURES[0], BOXES[0])
    assert crops.shape == (3, 96, 64, 3)
    assert maps.shape == (3, 17, 24, 16)
    poses = estimator(PICTURES[0], BOXES[0])
    assert np.allclose(maps.max(axis=(2, 3)), poses.joint_scores, atol=1e-5)
    assert estimator.heatmaps(PICTURES[0], [])[1].shape[:2] == (0, 17)


@pytest.mark.parametrize(
    ("image", "boxes", "message"),
    [
        (np.zeros((9, 9, 2), np.uint8), None, r"\(height, width, 3\) RGB uint8, .*; got shape \(9, 9, 2\)"),
        (np.zeros((9, 9, 3), np.float32), None, "float32"),
        (PICTURES[0], [[10, 10, 5, 5]], "box 0 .* has no area: give x1, y1, x2, y2"),
        (PICTURES[0], [[1, 2, 9, np.nan]], "has no area"),
        (PICTURES[0], [1, 2, 3, 4], r"boxes are \(N, 4\)"),
    ],
)
def test_wrong_pictures_and_boxes_are_told(estimator: rdpose.PoseEstimator, image, boxes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimator(image, boxes)


def test_numbers_that_do_not_fit_are_told(estimator: rdpose.PoseEstimator) -> None:
    with pytest.raises(ValueError, match="1 arrays of boxes for 2 pictures"):
        estimator.many(PICTURES, [BOXES[0]])
    with pytest.raises(ValueError, match="3 boxes with scores of shape"):
        estimator(PICTURES[0], BOXES[0], scores=[1])
    with pytest.raises(ValueError, match="a box's score is nan"):
        estimator(PICTURES[0], BOXES[0], scores=[1, np.nan, 1])


def test_boxes_of_equal_pictures_may_be_one_array(estimator: rdpose.PoseEstimator) -> None:
    pictures_of_two = [PICTURES[0], PICTURES[0]]
    together = estimator.many(pictures_of_two, np.stack([BOXES[0], BOXES[0]]))  # pyrefly: ignore
    assert [len(poses) for poses in together] == [3, 3]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"zoom": True}, "zoom is True: give the names"),
        ({"zoom": "nose"}, "zoom is 'nose'"),
        ({"batch_size": 0}, "is 0"),
        ({"flip": "no"}, "flip is 'no': give True or False"),
        ({"keep_duplicates": "no"}, "keep_duplicates is 'no': give True or False"),
    ],
)
def test_arguments_that_mean_nothing_are_told(weights: Path, given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rdpose.load(weights, **given)


def test_flip_and_decoding_are_as_the_weights_say_unless_asked(weights: Path) -> None:
    asked = rdpose.load(weights, flip=False, decode="dark").inference
    assert (asked.flip, asked.decode, asked.shift) == (False, "dark", True)
    own, default = rdpose.load(weights).inference, Settings().test
    assert (own.flip, own.decode, own.shift) == (default.flip, default.decode, True)
    with pytest.raises(ValueError, match="unknown decoding 'soft'; there are quarter, dark, udp, argmax"):
        rdpose.load(weights, decode="soft")  # pyrefly: ignore


def test_joints_to_look_at_again_are_as_the_weights_say_unless_asked(weights: Path, tmp_path: Path) -> None:
    held = native.load_weights(weights)
    test = held.settings.test.model_copy(update={"zoom": ("nose", "left_eye", "right_eye")})
    again = tmp_path / "again.safetensors"
    settings = held.settings.model_copy(update={"test": test})
    native.save_weights(again, held.tensors, settings, held.skeleton)
    assert rdpose.load(again).inference.zoom == (0, 1, 2)
    assert rdpose.load(again, zoom=()).inference.zoom == ()
    assert rdpose.load(weights, zoom=["left_ear"]).inference.zoom == (3,)
    with pytest.raises(ValueError, match="coco has no joint 'hat'"):
        rdpose.load(weights, zoom=["hat"])


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        rdpose.load(tmp_path / "nowhere.safetensors")
    monkeypatch.setattr(estimators, "SHIPPED", "weights/none.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no network of its own .*: name a weights file"):
        rdpose.load()


def test_the_bundled_network_finds_people_in_whatever_is_a_picture(shared_data: Path) -> None:
    pil = pytest.importorskip("PIL.Image")
    path = min(shared_data.glob("samples/coco/*.jpg"))
    estimator, picture = rdpose.load(device="cpu"), picture_files.read(path, upright=True)
    poses = estimator(picture)
    assert len(poses)
    with pil.open(path) as image:
        for same in (path, str(path), image):
            assert np.allclose(estimator(same).boxes_xyxy, poses.boxes_xyxy, atol=2)
    one, other = estimator.many([path, picture], [None, poses.boxes_xyxy])
    assert np.allclose(one.joints, poses.joints, atol=0.1)
    assert np.array_equal(other.boxes_xyxy, poses.boxes_xyxy)


def in_the_middle(picture: np.ndarray, name: str = "") -> Detections:
    """A detector of one's own."""
    height, width = picture.shape[:2]
    box = np.array([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]], np.float32)
    return Detections(box, np.full(1, 0.8 if name != "nobody" else 0.1, np.float32))


def test_any_function_is_a_detector(weights: Path) -> None:
    estimator = rdpose.load(weights, detector=in_the_middle, device="cpu")
    tasks = [Task(PICTURES[1], name="nobody"), Task(PICTURES[0], BOXES[0][:1]), Task(PICTURES[1])]
    boxes = [poses.boxes_xyxy.tolist() for poses in estimator.stream(tasks)]
    assert boxes == [[[20, 25, 60, 75]], BOXES[0][:1].tolist(), [[20, 25, 60, 75]]]


@pytest.mark.parametrize(
    ("detector", "told"),
    [
        (None, "the bundled detector from score 0.3 on"),
        ("whole", "the whole picture as one person"),
        ("dfine", "dfine from score 0.3 on"),
        (in_the_middle, "in_the_middle"),
    ],
)
def test_it_says_what_it_is_in_two_lines_and_opens_no_detector(weights: Path, detector, told: str) -> None:
    estimator = rdpose.load(weights, detector=detector, min_score=0.3, device="cpu")
    assert str(estimator).splitlines() == [
        "PoseEstimator(hrnet_small rdpose of tiny.safetensors, 17 joints of 'coco', crops of 64x96 on cpu,",
        f"  people by {told})",
    ]
    assert len(estimator(PICTURES[0], BOXES[0][:1])) == 1
    assert "opened" not in vars(estimator.detector)
    with pytest.raises(FileNotFoundError, match=r"none\.onnx does not exist: a detector is"):
        rdpose.load(weights, detector="none.onnx")


def test_the_public_names() -> None:
    assert set(rdpose.__all__) <= set(dir(rdpose))
    assert rdpose.__version__
    assert rdpose.PoseEstimator is estimators.PoseEstimator
    with pytest.raises(AttributeError, match="no attribute 'pose'"):
        rdpose.pose  # noqa: B018  # pyrefly: ignore


def test_poses_need_no_torch() -> None:
    code = "import sys, rdpose; rdpose.Poses, rdpose.draw; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
