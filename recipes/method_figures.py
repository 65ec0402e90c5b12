"""What the method does to crops of the three kinds of crowds, drawn by `rdpose.visualization.decoupling`.

    python recipes/method_figures.py --weights WEIGHTS --data data --out docs/images

One figure for each kind whose set is there: rendered and pasted (recipes/make_sets.py), real (coco).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rdpose import drawing
from rdpose.checkpoints import load as weight_files
from rdpose.data import annotations
from rdpose.data.loaders import PictureDataset
from rdpose.models.rdpose import RDPose
from rdpose.visualization import decoupling

SETS = {
    "rendered": ("sets/rendered/annotations/person_keypoints_heavy.json", "sets/rendered/images/heavy"),
    "pasted": ("sets/pasted/annotations/person_keypoints_heavy.json", "sets/pasted/images/heavy"),
    "real": ("coco/annotations/person_keypoints_val2017.json", "coco/images/val2017"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--kinds", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--num", type=int, default=4)
    options = parser.parse_args()
    network, settings, skeleton = weight_files.load_network(options.weights)
    assert isinstance(network, RDPose)
    for kind in options.kinds:
        file, images = (options.data / part for part in SETS[kind])
        if file.exists():
            people = annotations.read(file, images, skeleton=skeleton)
            model, most = settings.model, settings.data.max_neighbours
            dataset = PictureDataset(people, model.image_size, max_neighbours=most, convention=model.geometry)
            print(drawing.save(options.out / f"method-{kind}.png", decoupling.draw(network, dataset, options.num)))


if __name__ == "__main__":
    main()
