"""People found in a photograph, then the whole way on rendered crowds: render, train, test, look. Minutes on a CPU."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from rdpose import drawing, structures
from rdpose.checkpoints import load as weight_files
from rdpose.config import loading
from rdpose.config.schema import Settings
from rdpose.data import sources, synthetic
from rdpose.data.loaders import PictureDataset
from rdpose.data.people import People
from rdpose.engine import tester, trainer
from rdpose.inference import estimator
from rdpose.io import images
from rdpose.models.rdpose import RDPose
from rdpose.utils.progress import Bar, clock
from rdpose.visualization import decoupling

PHOTOGRAPH = "demo.jpg"
"""Eileen Collins, by NASA, and a cameraman, by Lav Varshney (NOTICE)."""
NUM_PICTURES = {"train2017": 600, "val2017": 100}
VARIETY = 0.25
"""Of the scenes: minutes are too short to learn what people who turn their back do."""


def run(
    out: Path,
    *,
    seed: int = 0,
    overrides: Sequence[str] = (),
    num_pictures: dict[str, int] = NUM_PICTURES,
) -> Iterator[str]:
    """Run the demo into `out`; yields the lines to print.

    Args:
        overrides: of the demo's settings.
        num_pictures: sizes of the two sets.
    """
    started = time.monotonic()
    yield f"people in a photograph: {draw_photograph(out / 'photograph.jpg')}, by the bundled detector and network"
    settings = demo_settings(out, seed, overrides)
    render(Path(settings.data.root), num_pictures, seed)
    best = trainer.train(settings, resume=True)  # an interrupted demo goes on where it stopped
    scores = tester.test_weights(settings, best)
    yield f"\n{scores}\n"
    network, _, skeleton = weight_files.load_network(best)
    assert isinstance(network, RDPose)
    people, _ = sources.testing_people(settings.data, settings.test, skeleton)
    yield f"people found:          {draw_found(best, people, out / 'found.png', num=6)}"
    model, neighbours = settings.model, settings.data.max_neighbours
    crops = PictureDataset(people, model.image_size, max_neighbours=neighbours, padding=model.padding)
    yield f"inside the method:     {drawing.save(out / 'decoupling.png', decoupling.draw(network, crops))}"
    yield f"weights:               {best}"
    yield f"time:                  {clock(time.monotonic() - started)}"


def draw_photograph(path: Path) -> Path:
    """The photograph that comes with the package, with the people that are found in it without any training."""
    picture = images.read(str(files("rdpose") / PHOTOGRAPH))
    poses = estimator.load()(picture)
    return drawing.save(path, structures.draw(picture, poses))


def demo_settings(out: Path, seed: int, overrides: Sequence[str]) -> Settings:
    """The demo's settings file, with its places below `out`."""
    path = Path(str(files("rdpose") / "demo.yaml"))
    places = {"output_dir": str(out / "output"), "data.root": str(out / "data"), "seed": seed}
    return loading.replaced(loading.load(path, overrides), places)


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


def draw_found(weights: Path, people: People, path: Path, *, num: int) -> Path:
    """The first pictures of these people, with what a network found."""
    few = people.select(np.flatnonzero(people.image_index < num))
    found, _ = tester.find_by(weights, few)
    drawn = []
    for image in range(min(num, people.num_images)):
        mine = few.image_index[found.rows] == image
        picture = few.picture(image)
        drawn.append(drawing.draw_poses(picture, found.joints[mine], found.confidence[mine], people.skeleton))
    half = -(-len(drawn) // 2)
    return drawing.save(path, drawing.panel([drawn[:half], drawn[half:]]))
