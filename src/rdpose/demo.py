"""The whole way on rendered crowds, in minutes on a processor: render, train, test, look."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from rdpose import checkpoint, config, drawing, testing, training
from rdpose.config import Settings
from rdpose.data import pictures, sources, synthetic
from rdpose.data.loading import PictureDataset
from rdpose.distributed import process
from rdpose.inference import Inference
from rdpose.models.rdpose import RDPose
from rdpose.progress import Bar, clock
from rdpose.skeletons import Skeleton

NUM_PICTURES = {"train2017": 600, "val2017": 100}
VARIETY = 0.25
"""Of the scenes: minutes are too short to learn what people who turn their back do."""


def run(
    out: Path, *, seed: int = 0, overrides: Sequence[str] = (), num_pictures: dict[str, int] = NUM_PICTURES
) -> Iterator[str]:
    """Run the demo into `out`; yields the lines to print.

    Args:
        overrides: of the demo's settings.
        num_pictures: sizes of the two sets.
    """
    started = time.monotonic()
    settings = demo_settings(out, seed, overrides)
    render(Path(settings.data.root), num_pictures, seed)
    best = training.train(settings, resume=True)  # an interrupted demo goes on where it stopped
    scores = testing.test_weights(settings, best)
    yield f"\n{scores}\n"
    network, _, skeleton = checkpoint.load_network(best)
    assert isinstance(network, RDPose)
    yield f"people found:          {draw_found(settings, skeleton, network, out / 'found.png')}"
    yield f"direct and decoupled:  {draw_decoupling(settings, skeleton, network, out / 'decoupling.png')}"
    yield f"weights:               {best}"
    yield f"time:                  {clock(time.monotonic() - started)}"


def demo_settings(out: Path, seed: int, overrides: Sequence[str]) -> Settings:
    """The demo's settings file, with its places below `out`."""
    path = Path(str(files("rdpose") / "demo.yaml"))
    return config.load(path, [f"output_dir={out / 'output'}", f"data.root={out / 'data'}", f"seed={seed}", *overrides])


def render(root: Path, num_pictures: dict[str, int], seed: int) -> None:
    """Render the two sets; sets that are there already are taken as they are."""
    missing = {k: n for k, n in num_pictures.items() if not (root / f"annotations/person_keypoints_{k}.json").exists()}
    with Bar("rendering", total=sum(missing.values()), unit="scenes") as bar:
        for name, count in missing.items():
            # The two sets never share a scene: their seeds differ.
            scene_seed = 2 * seed + (name != "train2017")
            synthetic.write_dataset(
                root,
                num_pictures=count,
                seed=scene_seed,
                num_people=(2, 4),
                overlap=(0.0, 0.8),
                variety=VARIETY,
                name=name,
                progress=lambda _done: bar.advance(),
            )


def draw_found(settings: Settings, skeleton: Skeleton, network: RDPose, path: Path, *, num: int = 6) -> Path:
    """Held-out scenes with the people that the network found."""
    people, _ = sources.testing_people(settings.data, settings.test, skeleton)
    few = people.select(np.flatnonzero(people.image_index < num))
    inference = Inference.of(network, skeleton, settings.test, sigma=settings.model.sigma)
    with process() as here:
        found = testing.find(inference, few, settings, here)
    drawn = []
    for image in range(num):
        mine = few.image_index[found.rows] == image
        picture = pictures.read(few.image_path(image))
        drawn.append(drawing.draw_poses(picture, found.joints[mine], found.confidence[mine], skeleton))
    return drawing.save(path, drawing.panel([drawn[:3], drawn[3:]]))


@torch.inference_mode()
def draw_decoupling(settings: Settings, skeleton: Skeleton, network: RDPose, path: Path, *, num: int = 6) -> Path:
    """Crops of people with neighbours: direct heatmaps with the anchor, decoupled heatmaps, joints."""
    people, _ = sources.testing_people(settings.data, settings.test, skeleton)
    dataset = PictureDataset(people, settings.model.image_size, max_neighbours=settings.data.max_neighbours)
    rows = []
    for item in range(len(dataset)):
        crops = dataset[item]
        crowded = int((crops.neighbours[..., 2] > crops.neighbours[..., 0]).sum(1).argmax())
        one = [part[crowded : crowded + 1] for part in (crops.image, crops.neighbours, crops.box)]
        features, maps = network.features(*one)
        direct = network.head(features)
        anchor = network.anchor(direct, maps)
        after = network.decouple(features, anchor, maps)[:, :-1]
        joints, confidence = Inference.of(network, skeleton, settings.test, sigma=settings.model.sigma).joints(*one)
        crop = np.ascontiguousarray(one[0][0].permute(1, 2, 0).numpy())
        rows.append(
            [
                crop,
                drawing.draw_anchor(
                    drawing.draw_heatmap(crop, direct[0, :-1].amax(0).numpy()), anchor[0].numpy() * network.stride
                ),
                drawing.draw_heatmap(crop, after[0].amax(0).numpy()),
                drawing.draw_poses(crop, joints.numpy(), confidence.numpy(), skeleton),
            ]
        )
        if len(rows) == num:
            break
    titles = ("crop", "direct heatmap and anchor", "decoupled heatmap", "joints")
    return drawing.save(path, drawing.panel(rows, titles=titles, cell_height=256))
