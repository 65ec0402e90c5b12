"""PoseEstimator: pictures to the poses of their people, those of many pictures in one batch.

estimator = rdpose.load()
poses = estimator("street.jpg")                          # a file, a PIL image, or (height, width, 3) RGB uint8 -> Poses
poses = estimator(image, boxes)                          # (N, 4) xyxy, in the place of the detector's
several = estimator.many([image, other], [boxes, None])  # None: the detector finds them
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from rdpose import geometry, heatmaps, oks
from rdpose.checkpoints import zoo
from rdpose.checkpoints.infer_config import Asked
from rdpose.data.crops import PictureCrops, crop_people
from rdpose.detection import MIN_SCORE, Detector
from rdpose.detection.named import NamedDetector
from rdpose.inference.pipeline import Inference, open_network
from rdpose.inference.tasks import Located, Task, locate
from rdpose.io.image_like import ImageLike
from rdpose.models.user_backbone import Factory
from rdpose.skeletons import Skeleton
from rdpose.structures import Poses
from rdpose.utils import distributed

SHIPPED = "weights/bundled.safetensors"
"""The bundled network, which `load()` takes. Beside it lies its graph, bundled.onnx, without weights of its own."""


class _Prepared(NamedTuple):
    boxes_xyxy: np.ndarray
    scores: np.ndarray
    crops: PictureCrops


@dataclass(frozen=True, repr=False)
class PoseEstimator:
    """Finds people and their joints.

    Args:
        inference: the network with its flip test and decoding.
        detector: finds the people of pictures that come without boxes.
        name: what to call the network, for people.
        image_size: (width, height) of the crops that the network takes.
        device: where crops are sent.
        padding: the crop is so many times as large as the box.
        max_neighbours: other people of a picture that a crop knows of.
        neighbour_score: boxes from this score on are neighbours of the others.
        joint_score: joints above this confidence make up a person's score.
        same_person: OKS from which two poses of one picture count as one person; the better one stays.
        keep_duplicates: give a pose for every box, the same person's too.
        batch_size: crops that go through the network at once.
        pictures_at_once: pictures that a stream may hold back to look at them together.
    """

    inference: Inference
    detector: Detector
    name: str
    image_size: tuple[int, int]
    device: torch.device
    padding: float
    max_neighbours: int
    neighbour_score: float
    joint_score: float
    same_person: float
    keep_duplicates: bool
    batch_size: int
    pictures_at_once: int = 8

    @property
    def skeleton(self) -> Skeleton:
        """The joints that are found."""
        return self.inference.skeleton

    def __repr__(self) -> str:
        width, height = self.image_size
        size = (
            f"{self.skeleton.num_joints} joints of {self.skeleton.name!r}, crops of {width}x{height} on {self.device}"
        )
        return f"PoseEstimator({self.name}, {size},\n  people by {getattr(self.detector, '__name__', self.detector)})"

    def __call__(self, image: ImageLike, boxes: ArrayLike | None = None, *, scores: ArrayLike | None = None) -> Poses:
        """The people of one picture.

        Args:
            image: an array (height, width, 3) RGB uint8, also grey or RGBA; a file's name; or an image of PIL. The last
                two are turned as their EXIF orientation says.
            boxes: (N, 4) x1, y1, x2, y2 in pixels, one for each person; None lets the detector find them.
            scores: (N,) how sure each given box is, 1 by default; they scale the poses' scores.

        Returns:
            A pose for each box, in their order. Where two boxes led to the same person the lower score is left out
            (`keep_duplicates` keeps it); `boxes_xyxy` of the result says which box is whose.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: not such a picture, or a box without area.
        """
        return next(self.stream([Task(image, boxes, scores)]))

    def many(self, images: Sequence[ImageLike], boxes: Sequence[ArrayLike | None] | None = None) -> list[Poses]:
        """The people of several pictures, batched across them; `images` and `boxes` as one call takes them each.

        Raises:
            ValueError: as a call does, or there are not as many boxes as pictures.
        """
        if boxes is not None and len(boxes) != len(images):
            raise ValueError(f"{len(boxes)} arrays of boxes for {len(images)} pictures: give one (N, 4) array for each")
        return list(self.stream(map(Task, images, [None] * len(images) if boxes is None else boxes)))

    def stream(self, tasks: Iterable[Task]) -> Iterator[Poses]:
        """Poses of each picture in turn, for as many as there are; memory holds `pictures_at_once` and no more."""
        left = iter(tasks)
        while some := list(islice(left, self.pictures_at_once)):
            for group in self._groups(locate(some, self.detector)):
                yield from self._finish(group)

    def heatmaps(
        self, image: ImageLike, boxes: ArrayLike | None = None, *, scores: ArrayLike | None = None, name: str = ""
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the network says before joints are read off it; the same arguments as a call's.

        A detector that tells pictures by their names, such as a file of boxes, asks for `name`.

        Returns:
            Crops (N, height, width, 3) RGB uint8 and heatmaps (N, joints, height / stride, width / stride) float32.
        """
        (located,) = locate([Task(image, boxes, scores, name)], self.detector)
        crops = self._prepare(located).crops
        width, height = self.image_size
        if not len(crops.index):
            return np.zeros((0, height, width, 3), np.uint8), np.zeros((0, self.skeleton.num_joints, 0, 0), np.float32)
        batches = (tuple(part.to(self.device) for part in batch.inputs) for batch in crops.batches(self.batch_size))
        maps = torch.cat([self.inference.heatmaps(*batch).float().cpu() for batch in batches])
        return np.ascontiguousarray(crops.image.permute(0, 2, 3, 1).numpy()), maps.numpy()

    def _prepare(self, one: Located) -> _Prepared:
        known = one.scores >= self.neighbour_score
        crops = crop_people(
            one.picture,
            one.boxes_xyxy,
            self.image_size,
            max_neighbours=self.max_neighbours,
            convention=self.inference.convention,
            padding=self.padding,
            known=known,
        )
        return _Prepared(one.boxes_xyxy, one.scores, crops)

    def _groups(self, located: Sequence[Located]) -> Iterator[list[_Prepared]]:
        """Pictures in their order, as many at once as one batch of people takes."""
        group: list[_Prepared] = []
        people = 0
        for one in map(self._prepare, located):
            if group and people + len(one.scores) > self.batch_size:
                yield group
                group, people = [], 0
            group.append(one)
            people += len(one.scores)
        if group:
            yield group

    def _finish(self, waiting: list[_Prepared]) -> Iterator[Poses]:
        joints, confidence = self._look(PictureCrops.together(one.crops for one in waiting))
        ends = np.cumsum([len(one.scores) for one in waiting])
        for one, end in zip(waiting, ends, strict=True):
            own = slice(end - len(one.scores), end)
            yield self._poses(one, joints[own], confidence[own])

    def _look(self, crops: PictureCrops) -> tuple[np.ndarray, np.ndarray]:
        """Joints (people, joints, 2) in picture pixels and confidence (people, joints) of all pictures' people."""
        nobody = np.zeros((0, self.skeleton.num_joints, 2), np.float32)
        if not len(crops.index):
            return nobody, nobody[..., 0]
        batches = crops.batches(self.batch_size)
        joints, confidence = zip(*(self.inference.in_picture(batch, self.device) for batch in batches), strict=True)
        return torch.cat(joints).numpy(), torch.cat(confidence).numpy()

    def _poses(self, one: _Prepared, joints: np.ndarray, confidence: np.ndarray) -> Poses:
        scores = oks.rescore(one.scores, confidence, self.joint_score)
        poses = Poses(joints, confidence, scores, one.boxes_xyxy, self.skeleton)
        if self.keep_duplicates or len(poses) < 2:
            return poses
        areas = geometry.crop_area(geometry.xyxy_to_xywh(one.boxes_xyxy), self.image_size[0] / self.image_size[1])
        same_picture = np.zeros(len(poses), np.int64)
        return poses[oks.oks_nms(joints, scores, areas, same_picture, self.skeleton.sigmas, self.same_person)]


def load(
    weights: str | Path | None = None,
    *,
    backbone: Factory | None = None,
    detector: str | Detector | None = None,
    min_score: float = MIN_SCORE,
    device: str | torch.device | None = None,
    flip: bool | None = None,
    decode: heatmaps.Decoding | None = None,
    zoom: Sequence[str] | None = None,
    keep_duplicates: bool = False,
    batch_size: int = 32,
) -> PoseEstimator:
    """A pose estimator from a weights file, with the settings that it carries.

    On a processor with glibc, `rdpose.keep_freed()` at a program's start halves the time that many people take.

    Args:
        weights: a network of rdpose (.safetensors), of the HRNet family, ViTPose or mmpose (.pth), a folder that
            transformers' ViTPose was saved in, or an exported network (.onnx, .xml; those of others with a description
            beside them); None is the one that comes with the package.
        backbone: for weights on a backbone of your own: the function that makes it, or its name
            "package.module:factory". Without it such weights are refused, because their file must not choose code.
        detector: what finds people where a call gives no boxes; it is opened at its first use. None is the one that
            comes with the package, "whole" takes each picture for one person, other names are as
            `rdpose.detection.load` takes them; or a function `(picture, name="") -> Detections` of one's own.
        min_score: boxes of a detector that has a name are left out below this score; a function's are all taken.
        device: "cpu", "cuda", "cuda:1", ...; by default the GPU where there is one. Exported networks run on
            the processor alone.
        flip: average with the mirrored crop (twice the time, slightly better); as the weights say by default.
        decode: "quarter", "dark", "udp" or "argmax"; as the weights say by default.
        zoom: names of the joints that a second look finds more closely (twice the time), () for none; as the weights
            say by default.
        keep_duplicates: give a pose for every box, also where two led to the same person.
        batch_size: crops that go through the network at once.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no such network, or an argument is unknown, or the device is not there.
    """
    _check_options(flip=flip, decode=decode, zoom=zoom, keep_duplicates=keep_duplicates, batch_size=batch_size)
    path = zoo.located(weights) if weights is not None else _shipped(device)
    network, settings, skeleton = open_network(path, Asked(backbone=backbone))
    where = distributed.device_named(device) if isinstance(network, nn.Module) else torch.device("cpu")
    if isinstance(network, nn.Module):
        network = distributed.place(network, where)
    elif device is not None and torch.device(device).type != "cpu":
        raise ValueError(f"{weights} is an exported network, which runs on the processor: leave out device={device!r}")
    asked: dict[str, Any] = {"flip": flip, "decode": decode, "zoom": zoom}
    test = settings.test.model_copy(update={key: value for key, value in asked.items() if value is not None})
    if detector is None or isinstance(detector, str):
        detector = NamedDetector(detector, min_score, str(device) if device else None)
    return PoseEstimator(
        inference=Inference.of(network, skeleton, test, settings.model),
        detector=detector,
        name=f"{settings.model.backbone} {settings.model.variant} of {path.name}",
        image_size=settings.model.image_size,
        device=where,
        padding=settings.model.padding,
        max_neighbours=settings.data.max_neighbours,
        neighbour_score=test.neighbour_score,
        joint_score=test.joint_score,
        same_person=test.oks_nms,
        keep_duplicates=keep_duplicates,
        batch_size=batch_size,
    )


def _check_options(*, flip: object, decode: object, zoom: object, keep_duplicates: object, batch_size: int) -> None:
    if decode is not None and decode not in get_args(heatmaps.Decoding):
        raise ValueError(f"unknown decoding {decode!r}; there are {', '.join(get_args(heatmaps.Decoding))}")
    for name, value in (("flip", flip), ("keep_duplicates", keep_duplicates)):
        if not isinstance(value, bool | None):
            raise ValueError(f"{name} is {value!r}: give True or False")
    if isinstance(zoom, str | bool):
        raise ValueError(f"zoom is {zoom!r}: give the names of joints in a list, or () for no second look")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: give 1 or more")


def _shipped(device: str | torch.device | None) -> Path:
    """The bundled network for a device: its graph on a CPU, where ONNX Runtime takes two thirds of torch's time."""
    weights = shipped_weights()
    graph = weights.with_suffix(".onnx")
    return graph if distributed.device_named(device).type == "cpu" and graph.is_file() else weights


def shipped_weights() -> Path:
    """The weights inside the package.

    Raises:
        FileNotFoundError: this copy of the package was built without them.
    """
    path = Path(str(files("rdpose") / SHIPPED))
    if not path.is_file():
        raise FileNotFoundError(f"this copy of rdpose has no network of its own ({path}): name a weights file")
    return path
