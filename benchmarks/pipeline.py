"""Ten people in one picture with the flip test, from the file to the joints: ours beside the published pipeline.

    python benchmarks/pipeline.py                                   # HRNet-W32, 256x192, every thread
    python benchmarks/pipeline.py --threads 1 --clock cpu           # on a machine that does other things as well

The published side is written here from the formulas of the HRNet family: a picture is read once for
each person, targets are drawn that nobody looks at, the flip test is a second pass, heatmaps are read joint by joint.
All sides have the same weights, of no training, and must find the same joints (8 bits only about). They are those of a
plain network: what decouples is a hundredth of the time, and untrained it has no peak to start from. The sides take
turns, so that whatever else the machine does burdens all of them. The first run exports, which takes minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import reference
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rdpose import geometry, skeletons
from rdpose.backends import exported
from rdpose.checkpoints import load as weight_files
from rdpose.checkpoints import native
from rdpose.config.schema import Settings
from rdpose.data import synthetic
from rdpose.export import export
from rdpose.inference import estimator as estimators
from rdpose.io import images as picture_files
from rdpose.models import builders
from rdpose.models.backbones import hrnet
from rdpose.models.rdpose import RDPose

COCO = skeletons.get("coco")
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
SIGMA = 2


@dataclass
class Timed:
    """A network that knows how long it took."""

    network: Callable[..., Tensor]
    clock: Callable[[], float]
    seconds: float = 0.0

    def __call__(self, *given: Tensor) -> Tensor:
        begin = self.clock()
        answer = self.network(*given)
        self.seconds += self.clock() - begin
        return answer


@dataclass
class Side:
    name: str
    run: Callable[[], np.ndarray]
    network: Timed
    total: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)


class PublishedFusion(nn.ModuleList):
    """Every branch enlarged by its own factor, then added."""

    def __init__(self, fusion: hrnet._Fusion) -> None:
        super().__init__(fusion)
        self.target = fusion.target

    def forward(self, outputs: list[Tensor]) -> Tensor:
        total: Tensor | int = 0
        for source, (layer, x) in enumerate(zip(self, outputs, strict=True)):
            y = layer(x)
            total = total + (interpolate(y, scale_factor=2.0 ** (source - self.target)) if source > self.target else y)
        assert isinstance(total, Tensor)
        return total


def published_network(network: RDPose) -> Callable[[Tensor], Tensor]:
    """Normalised crops to heatmaps, nothing folded, every branch enlarged on its own."""
    copy = deepcopy(network)
    for module in list(copy.modules()):
        if isinstance(module, hrnet.HighResolutionModule):
            module.fuse_layers = nn.ModuleList(PublishedFusion(one) for one in module.fuse_layers)  # type: ignore
    return lambda image: copy.head(copy.backbone(image))


@torch.no_grad()
def published(path: Path, boxes_xywh: np.ndarray, size_wh: tuple[int, int], network: Callable) -> np.ndarray:
    """(people, joints, 2) pixels of the picture."""
    samples = [published_sample(path, box, size_wh) for box in boxes_xywh]
    images = torch.stack([torch.from_numpy(image) for image, _ in samples])
    maps = network(images)
    flipped = reference.unflip(network(torch.from_numpy(images.numpy()[:, :, :, ::-1].copy())).numpy())
    maps = ((maps + torch.from_numpy(flipped)) * 0.5).numpy()
    joints = reference.quarter(maps)
    for person, (_, back) in enumerate(samples):
        for joint in range(len(joints[person])):
            joints[person, joint] = back[:, :2] @ (joints[person, joint] * 4) + back[:, 2]
    return joints


def published_sample(path: Path, box_xywh: np.ndarray, size_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A normalised crop (3, height, width) and the way back; its targets are drawn and thrown away."""
    picture = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION), cv2.COLOR_BGR2RGB)
    center, size = geometry.crop_region(box_xywh, size_wh[0] / size_wh[1])
    transform = geometry.crop_transform(center, size, size_wh)
    crop = cv2.warpAffine(picture, transform.astype(np.float64), size_wh, flags=cv2.INTER_LINEAR)
    unseen = np.random.default_rng(0).uniform(0, [width // 4 for width in size_wh], (1, COCO.num_joints, 2))
    reference.render(unseen, size_wh[1] // 4, size_wh[0] // 4, SIGMA)
    image = (crop.transpose(2, 0, 1).astype(np.float32) / 255 - MEAN[:, None, None]) / STD[:, None, None]
    return image, geometry.invert(transform)


def make_weights(path: Path, settings: Settings) -> None:
    """Fresh weights that nothing cancels out in: norms and head as lively as a trained network's."""
    torch.manual_seed(0)
    network = builders.build(settings.model.backbone, "plain", num_joints=COCO.num_joints)
    nn.init.normal_(network.get_submodule("head").weight, std=0.1)  # type: ignore
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.0)
            nn.init.normal_(layer.bias, std=0.3)
    native.save_weights(path, network.state_dict(), settings, COCO)


def make_files(folder: Path, settings: Settings) -> dict[str, Path]:
    """Weights and what is exported of them; what is there already is taken."""
    files = {
        "ours, torch": folder / "network.safetensors",
        "ours, exported": folder / "network.xml",
        "ours, exported int8": folder / "network.int8.xml",
    }
    weights, fp32, int8 = files.values()
    if not weights.exists():
        make_weights(weights, settings)
    if not fp32.exists():
        print(export(weights, fp32, format="openvino"))
    if not int8.exists():
        root = folder / "crowd"
        labels = synthetic.write_dataset(root, num_pictures=8, seed=1, num_people=(2, 3))
        print(
            export(weights, int8, format="openvino", int8=True, calibrate=root / "images/train2017", annotations=labels)
        )
    return files


def sides_of(given: argparse.Namespace, settings: Settings, clock: Callable[[], float]) -> list[Side]:
    scene = synthetic.render_scene(np.random.default_rng(0), num_people=given.people, size_wh=(640, 480))
    path, size_wh = given.folder / "picture.jpg", settings.model.image_size
    cv2.imwrite(str(path), scene.picture[..., ::-1])
    boxes = np.stack([person.box_xywh for person in scene.people])
    files = make_files(given.folder, settings)
    original = weight_files.load_network(files["ours, torch"])[0]
    assert isinstance(original, RDPose)
    reference = Timed(published_network(original), clock)
    sides = [Side("published", lambda: published(path, boxes, size_wh, reference), reference)]
    for name, file in files.items():
        estimator = estimators.load(file, flip=True, decode="quarter", keep_duplicates=True, device="cpu")
        network = estimator.inference.network
        if file.suffix == ".xml":
            network = exported.load(file, threads=given.threads)[0]
        timed = Timed(network, clock)
        estimator = replace(estimator, inference=replace(estimator.inference, network=timed))
        run = lambda one=estimator: one(picture_files.read(path), geometry.xywh_to_xyxy(boxes)).joints  # noqa: E731
        sides.append(Side(name, run, timed))
    return sides


def race(sides: list[Side], rounds: int, clock: Callable[[], float]) -> None:
    """All sides in turns; the first round warms up."""
    for _ in range(rounds + 1):
        for side in sides:
            side.network.seconds, begin = 0.0, clock()
            side.run()
            side.total.append(clock() - begin)
            side.outside.append(side.total[-1] - side.network.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="the whole way from a picture to joints, beside the published one")
    parser.add_argument("--backbone", default="hrnet_w32")
    parser.add_argument("--size", type=int, nargs=2, default=(192, 256), help="width and height of the crop")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: with --threads 1, on a busy machine"
    )
    parser.add_argument("--folder", type=Path, default=Path("output/benchmarks"), help="where networks are kept")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    given.folder.mkdir(parents=True, exist_ok=True)
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    settings = Settings.model_validate(
        {"model": {"backbone": given.backbone, "variant": "plain", "image_size": given.size}}
    )
    sides = sides_of(given, settings, clock)
    truth = sides[0].run()
    race(sides, given.rounds, clock)
    theirs, their_outside = median(sides[0].total[1:]), median(sides[0].outside[1:])
    print(f"{given.people} people, {given.backbone}, {given.threads} threads; milliseconds a picture ({given.clock})")
    print(f"{'':<22}{'total':>9}{'speed':>8}{'outside':>9}{'share':>8}  joints, median difference")
    for side in sides:
        total, outside = median(side.total[1:]), median(side.outside[1:])
        away = float(np.median(np.linalg.norm(side.run() - truth, axis=-1)))
        print(
            f"{side.name:<22}{1000 * total:>9.1f}{theirs / total:>7.2f}x{1000 * outside:>9.1f}"
            f"{outside / their_outside:>8.2f}  {away:.3f} px"
        )


if __name__ == "__main__":
    main()
