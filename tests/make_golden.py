"""Write our own golden answers, once what ships has changed: `python tests/make_golden.py` (tests/golden/README.md).

    python tests/make_golden.py                 # photograph.json, crowds.json, variants.npz and detector.json
    python tests/make_golden.py variants        # some of them

Tests import from here what they compare: the pictures with their boxes, the networks with weights by formula.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from golden.formula import fill
from rdpose.data import synthetic
from rdpose.drawing import save
from rdpose.geometry import xywh_to_xyxy
from rdpose.inference import estimator
from rdpose.models import builders
from rdpose.structures import Poses

GOLDEN = Path(__file__).parent / "golden"
PHOTOGRAPH = str(files("rdpose") / "demo.jpg")
CROWDS = (3, 8, 21)
"""Seeds of the rendered pictures crowd_<seed>.jpg."""
VARIANTS = [("hrnet_small", variant) for variant in builders.VARIANTS] + [
    ("mobilenet_fpn", "rdpose"),
    ("unet_small", "rdpose"),
    ("efficientnet_lite0", "rdpose"),
    ("resnet18", "rdpose"),
    ("resnet18", "official"),
]
GAIN = 0.6
"""Of the formula: no mask saturates."""


# --- what ships


def from_left(poses: Poses) -> Poses:
    """The people of a picture by their boxes' left sides, for the detector's order hangs on the last digit."""
    return poses[np.argsort(poses.boxes_xyxy[:, 0])]


def crowd_answers(weights: Path | str | None) -> dict[str, dict[str, list]]:
    """What a network says of the crowds with the boxes of crowds.json, neighbours and the same person's boxes among
    them: joints, their confidence, the people's scores.
    """
    look = estimator.load(weights, device="cpu", keep_duplicates=True)
    answers = {}
    for name, boxes in json.loads((GOLDEN / "crowd_boxes.json").read_text()).items():
        found = look(str(GOLDEN / name), boxes)
        answers[name] = {
            "joints": found.joints.astype(float).round(4).tolist(),
            "joint_scores": found.joint_scores.astype(float).round(5).tolist(),
            "scores": found.scores.astype(float).round(5).tolist(),
        }
    return answers


def write_crowds() -> None:
    _write_json("crowds.json", crowd_answers(estimator.shipped_weights()))


def write_pictures() -> None:
    """The crowds, and boxes around everybody; of the first person also one that covers most of the same."""
    told = {}
    for seed in CROWDS:
        scene = synthetic.render_scene(
            np.random.default_rng(seed), num_people=4, size_wh=(288, 216), overlap=(0.5, 0.8)
        )
        save(GOLDEN / f"crowd_{seed}.jpg", scene.picture)
        boxes = xywh_to_xyxy(np.stack([person.box_xywh for person in scene.people]))
        shifted = boxes[0] + 0.08 * np.tile(boxes[0, 2:] - boxes[0, :2], 2) * [1, 0, 1, 0]
        told[f"crowd_{seed}.jpg"] = np.concatenate([boxes, shifted[None]]).round(1).tolist()
    _write_json("crowd_boxes.json", told)


def write_photograph() -> None:
    found = from_left(estimator.load(device="cpu")(PHOTOGRAPH))
    columns = {"boxes_xyxy": found.boxes_xyxy, "joints": found.joints, "scores": found.scores}
    _write_json("photograph.json", {name: column.astype(float).round(4).tolist() for name, column in columns.items()})


def write_detector() -> None:
    sys.path.insert(0, str(GOLDEN.parents[1]))
    from recipes.detector import golden  # needs onnx, which the rest does without

    sys.argv = sys.argv[:1]
    golden.main()


# --- the variants


@cache
def variant(backbone: str, name: str) -> nn.Module:
    """A network of three joints with weights by formula, the layers that training starts at zero among them. Not to be
    changed."""
    with torch.random.fork_rng():
        network = builders.build(backbone, name, num_joints=3)
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not key.startswith("normalise."):
            tensor.copy_(torch.from_numpy(fill(key, tuple(tensor.shape), GAIN)))
    return network.eval()


def crops_by_formula() -> tuple[Tensor, Tensor, Tensor]:
    """Two crops (2, 3, 96, 64) uint8 of waves, with neighbours (2, 3, 4) and boxes (2, 4); the second knows fewer."""
    x, y, channel = torch.arange(64), torch.arange(96)[:, None], torch.arange(3)[:, None, None]
    wave = torch.sin(x / (5 + channel) + 1) * torch.cos(y / (7 - channel)) + torch.sin((x + 2 * y) / (9 + channel))
    image = (127.5 + 60 * torch.stack([wave, wave.flip(-1) * 0.8])).round().to(torch.uint8)
    nothing = [0.0, 0, 0, 0]
    neighbours = torch.tensor([[[2.0, 8, 30, 90], [36, 20, 70, 99], nothing], [[-10, 5, 21, 60], nothing, nothing]])
    return image, neighbours, torch.tensor([[12.0, 10, 50, 88], [20, 4, 61, 93]])


@torch.inference_mode()
def variant_maps(backbone: str, name: str) -> np.ndarray:
    """(2, 3, 24, 16) float32: heatmaps of the crops."""
    return variant(backbone, name)(*crops_by_formula()).numpy()


def write_variants() -> None:
    np.savez_compressed(
        GOLDEN / "variants.npz", **{f"{one}.{other}": variant_maps(one, other) for one, other in VARIANTS}
    )


def _write_json(name: str, content: dict) -> None:
    (GOLDEN / name).write_text(json.dumps(content) + "\n")


WRITERS: dict[str, Callable[[], None]] = {
    "photograph": write_photograph,
    "crowds": write_crowds,
    "variants": write_variants,
    "detector": write_detector,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*WRITERS, "pictures", []], default=[])
    for name in parser.parse_args().what or WRITERS:
        {**WRITERS, "pictures": write_pictures}[name]()
        print(f"written: {name}")


if __name__ == "__main__":
    main()
