"""Puts trained weights into the package: half precision, half the size; figures stay (docs/model-card.md).

    python recipes/ship.py output/small/efficientnet_lite0/ship-7/model_best.safetensors

They are told to look at the face a second time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rdpose import checkpoint
from rdpose.prediction import SHIPPED

FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
PACKAGE = Path(__file__).resolve().parents[1] / "src/rdpose"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, default=PACKAGE / SHIPPED)
    options = parser.parse_args()
    weights = checkpoint.load_weights(options.weights)
    tensors = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in weights.tensors.items()}
    model = weights.settings.model.model_copy(update={"init": ""})
    data = weights.settings.data.model_copy(update={"root": "data"})
    weights.skeleton.places(FACE)
    test = weights.settings.test.model_copy(update={"zoom": FACE})
    settings = weights.settings.model_copy(update={"name": "small", "model": model, "data": data, "test": test})
    checkpoint.save_weights(options.out, tensors, settings, weights.skeleton)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
