"""A network over a test set: crops, joints, scores, suppression, a results file, and its figures."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset

from rdpose import geometry, oks, skeletons
from rdpose.checkpoints import zoo
from rdpose.checkpoints.infer_config import NOTHING, Asked
from rdpose.config.schema import ModelSettings, Settings, TestSettings
from rdpose.data import sources
from rdpose.data.crops import PictureCrops
from rdpose.data.loaders import PictureDataset, num_workers, one_thread
from rdpose.data.people import People
from rdpose.engine import test_set
from rdpose.engine.test_set import TestSet
from rdpose.evaluation import Scores
from rdpose.inference.pipeline import Inference, Network, open_network
from rdpose.io import files
from rdpose.io.parsed import ParsedFile
from rdpose.skeletons import Skeleton
from rdpose.utils import distributed
from rdpose.utils.distributed import Process
from rdpose.utils.progress import Bar

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """What a network found, in the order of the people."""

    rows: np.ndarray
    """(n,) int64 rows of the people."""
    joints: np.ndarray
    """(n, joints, 2) pixels of the picture."""
    confidence: np.ndarray
    """(n, joints)."""


def test(
    network: Network,
    skeleton: Skeleton,
    settings: Settings,
    here: Process,
    *,
    folder: Path,
    tell: bool = False,
    tested: TestSet,
) -> Scores | None:
    """Test a network on the set that the settings name; writes `folder`/keypoints_<set>_results.json and scores.json.

    Args:
        tell: say who of the set is left out.
        tested: the set, as `test_set.read` has it.

    Returns:
        The figures on the main process, None on others, and None where the set has no labels.
    """
    people, measure = tested
    if tell:
        test_set.tell_left_out(people, settings)
    inference = Inference.of(network, skeleton, settings.test, settings.model)
    found = find(inference, people, settings, here)
    if not here.is_main:
        return None
    annotations = annotations_of(settings)
    path, results = folder / results_name(annotations), to_results(people, found, settings)
    files.write_json(path, results)
    if measure is None:
        print(f"{annotations} has no labels; results are in {path} ({len(results)} poses)")
        return None
    scores = measure(results, name=describe(settings))
    files.write_json(folder / "scores.json", scores.to_dict() | {"test": settings.test.model_dump(mode="json")})
    return scores


def rehearse(skeleton: Skeleton, settings: Settings, file: ParsedFile | None) -> TestSet:
    """Measure one pose that is nobody's: what does not fit together is told before a training, not after an epoch.

    Returns:
        The set, so that it is read once for a training.

    Raises:
        FileNotFoundError, ValueError: as `test`, but for pictures that are there and cannot be read.
    """
    people, measure = tested = test_set.read(skeleton, settings, file)
    people.check_pictures()
    test_set.tell_left_out(people, settings)
    rows = np.flatnonzero(looked_at(people))[:1]
    nobody = np.zeros((len(rows), skeleton.num_joints, 3), np.float32)
    if measure:
        measure(to_results(people, Found(rows, nobody[..., :2], nobody[..., 2]), settings), name=describe(settings))
    return tested


def annotations_of(settings: Settings) -> Path:
    """The file of the set that the settings name."""
    assert settings.data.test is not None
    return Path(settings.data.root) / settings.data.test.annotations


def test_weights(settings: Settings, weights: Path | None, *, bgr: bool | None = None) -> Scores | None:
    """Test a weights file (by default the run's best) or an exported network on the set that the settings name.

    The network is built as the file says (its input size, if it does not, is the settings'); data and test settings
    are those given. `bgr`: whether a file of the HRNet family was trained on BGR pictures, where its settings say so.

    Raises:
        ValueError: the network's joints are not the test set's.
    """
    own_folder = settings.run_dir
    path = zoo.located(weights or own_folder / "model_best.safetensors")
    file = sources.test_file(settings.data)
    skeleton = sources.skeleton_of(settings.data, file)
    with distributed.process() as here:
        network, trained = open_for(path, skeleton, here, Asked(like=settings.model, like_bgr=bgr))
        if here.is_main:
            tell_difference(path, trained.model, settings.model)
        settings = settings.model_copy(update={"model": trained.model})
        folder = results_folder(own_folder, path)
        if here.is_main and folder.name != "results":
            log.warning(f"{path} is not of the run {own_folder}, whose results stay: these go into {folder}")
        tested = test_set.read(skeleton, settings, file)
        return test(network, skeleton, settings, here, folder=folder, tell=True, tested=tested)


def results_folder(run: Path, weights: Path) -> Path:
    """Where a test's files go: a run's own results are not replaced by those of other weights.

    Args:
        run: the folder of the run that the settings name.
    """
    is_own = weights.resolve().is_relative_to(run.resolve())
    holds_results = (run / "results").is_dir() and any(run.glob("*.safetensors"))
    return (
        run / "results"
        if is_own or not holds_results
        else run / f"results_{weights.resolve().parent.name}_{weights.stem}"
    )


def tell_difference(path: Path, own: ModelSettings, asked: ModelSettings) -> None:
    """Say on standard error where a weights file is another network than the settings describe."""
    pairs = {key: (value, getattr(asked, key)) for key, value in own if key != "init"}
    different = [f"{key} {value} (settings: {other})" for key, (value, other) in pairs.items() if value != other]
    if different:
        log.warning(f"{path} is tested as it was made: {', '.join(different)}")


def open_for(path: Path, wanted: Skeleton, here: Process, asked: Asked = NOTHING) -> tuple[Network, Settings]:
    """A network of a file, on this process's device, and its settings; `asked` as `open_network` takes it.

    Raises:
        ValueError: it finds other joints than those asked for.
    """
    network, settings, skeleton = open_network(path, asked)
    if wanted.joints != skeleton.joints:
        raise ValueError(
            f"{path} finds the {skeleton.num_joints} joints of {skeleton.name}, the test set has the "
            f"{wanted.num_joints} of {wanted.name} ({skeletons.difference(skeleton.joints, wanted.joints)}); test on a "
            "set of the same joints"
        )
    return (distributed.place(network, here.device) if isinstance(network, nn.Module) else network), settings


def results_name(annotations: Path) -> str:
    """The family's name of a results file: keypoints_val2017_results.json of person_keypoints_val2017.json."""
    split = annotations.stem.removeprefix("person_keypoints_").removeprefix("image_info_")
    return f"keypoints_{split}_results.json"


def find(inference: Inference, people: People, settings: Settings, here: Process) -> Found:
    """Joints of all boxes; every process looks at its share of the pictures, and the main one has all of them."""
    wanted = looked_at(people)
    pictures = PictureDataset(
        people,
        settings.model.image_size,
        max_neighbours=settings.data.max_neighbours,
        convention=settings.model.geometry,
        padding=settings.model.padding,
        wanted=wanted,
        neighbour_score=settings.test.neighbour_score if settings.test.boxes == "detected" else 0.0,
    )
    share = Subset(pictures, range(here.rank, len(pictures), here.world))
    loader = DataLoader(
        share,
        batch_size=None,
        num_workers=num_workers(settings.data.workers),
        worker_init_fn=one_thread,
        generator=torch.Generator(),
    )
    parts = []
    with Bar("testing", total=int(wanted.sum()), unit="people", quiet=not here.is_main) as bar:
        for crops in batches(loader, settings.test.batch_size):
            joints, confidence = inference.in_picture(crops, here.device)
            parts.append(Found(crops.index.numpy(), joints.numpy(), confidence.numpy()))
            bar.advance(len(crops.index) * here.world)
    everything = [part for process in distributed.gather(parts, here) for part in process]
    return in_order(everything, people.skeleton.num_joints)


def looked_at(people: People) -> np.ndarray:
    """(people,) bool: everybody who is labelled, or everybody where nobody is; no crowds."""
    labelled = people.visible.any(axis=1)
    return (labelled | ~labelled.any()) & ~people.crowd


def find_by(weights: Path, people: People, **changes: object) -> tuple[Found, Settings]:
    """What a weights file finds of all boxes, and its settings, with `changes` to `test`.

    Raises:
        ValueError: it finds other joints than the people have, or there is no such setting or value.
    """
    with distributed.process() as here:
        network, settings = open_for(weights, people.skeleton, here)
        test = TestSettings.model_validate(settings.test.model_dump() | changes)
        settings = settings.model_copy(update={"test": test, "data": settings.data.model_copy(update={"workers": 0})})
        inference = Inference.of(network, people.skeleton, test, settings.model)
        return find(inference, people, settings, here), settings


def in_order(parts: list[Found], num_joints: int) -> Found:
    """Parts put together, sorted by row."""
    nothing = Found(
        np.zeros(0, np.int64), np.zeros((0, num_joints, 2), np.float32), np.zeros((0, num_joints), np.float32)
    )
    joined = Found(*(np.concatenate(columns) for columns in zip(nothing, *parts, strict=True)))
    order = np.argsort(joined.rows, kind="stable")
    return Found(*(column[order] for column in joined))


def batches(pictures: Iterable[PictureCrops], size: int) -> Iterator[PictureCrops]:
    """The same crops in batches of `size` people (the last may be smaller), across pictures."""
    waiting: list[PictureCrops] = []
    count = 0
    for crops in pictures:
        waiting, count = [*waiting, crops], count + len(crops.index)
        if count < size:
            continue
        together, full = PictureCrops.together(waiting), count - count % size
        yield from together.rows(slice(full)).batches(size)
        waiting, count = [together.rows(slice(full, None))], count - full
    if count:
        yield PictureCrops.together(waiting)


def to_results(people: People, found: Found, settings: Settings) -> list[dict]:
    """Results in COCO's format: rescored by the joints, duplicates of one person left out.

    With given boxes each result also names its `annotation_id`, and nobody is a duplicate.
    """
    test: TestSettings = settings.test
    scores = oks.rescore(people.score[found.rows], found.confidence, test.joint_score)
    images = people.image_index[found.rows]
    kept = np.arange(len(found.rows))
    if test.boxes == "detected":
        width, height = settings.model.image_size
        areas = geometry.crop_area(people.box_xywh[found.rows], width / height)
        kept = oks.oks_nms(found.joints, scores, areas, images, people.skeleton.sigmas, test.oks_nms)
    table = np.concatenate([found.joints, found.confidence[..., None]], axis=2).round(3)
    return [
        {
            "image_id": people.image_id[images[row]].item(),
            "category_id": people.category_id,
            "keypoints": table[row].ravel().tolist(),
            "score": float(scores[row]),
        }
        | ({"annotation_id": people.person_id[found.rows[row]].item()} if test.boxes == "truth" else {})
        for row in kept
    ]


def describe(settings: Settings) -> str:
    """A row's name in the table: the network, its input, the boxes, the flip test, decoding and the second look.
    HRNet's geometry and quarter shift go without saying."""
    width, height = settings.model.image_size
    boxes = "given boxes" if settings.test.boxes == "truth" else "detected boxes"
    flip = "flip test" if settings.test.flip else "no flip test"
    decode = "" if settings.test.decode == "quarter" else f", {settings.test.decode}"
    again = ", second look" if settings.test.zoom else ""
    geometry = "" if settings.model.geometry == "hrnet" else f" {settings.model.geometry}"
    network = f"{settings.model.backbone} {settings.model.variant} {height}x{width}{geometry}"
    return f"{network}, {boxes}, {flip}{decode}{again}"
