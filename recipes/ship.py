r"""Puts trained weights into the package: half precision, half the size; figures stay (docs/model-card.md).

    runs=output/small/efficientnet_lite0
    python recipes/ship.py $runs/ship-9/{model_best,final_state}.safetensors \
        $runs/ship-10/{epoch_3,epoch_4,final_state}.safetensors

Of several weights, where each went on from the one before, it takes the mean. The network is told to look at the face a
second time (`test.zoom`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from rdpose.checkpoints import native
from rdpose.inference.estimator import SHIPPED

FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
PACKAGE = Path(__file__).resolve().parents[1] / "src/rdpose"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=PACKAGE / SHIPPED)
    options = parser.parse_args()
    several = [native.load_weights(path) for path in options.weights]
    weights = several[-1]
    tensors = {key: mean_in_half([one.tensors[key] for one in several]) for key in weights.tensors}
    model = weights.settings.model.model_copy(update={"init": ""})
    data = weights.settings.data.model_copy(update={"root": "data"})
    weights.skeleton.places(FACE)
    test = weights.settings.test.model_copy(update={"zoom": FACE})
    settings = weights.settings.model_copy(update={"name": "small", "model": model, "data": data, "test": test})
    native.save_weights(options.out, tensors, settings, weights.skeleton)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def mean_in_half(tensors: list[Tensor]) -> Tensor:
    """Their mean in half precision; of counters, the last."""
    last = tensors[-1]
    return torch.stack(tensors).double().mean(dim=0).half() if last.is_floating_point() else last


if __name__ == "__main__":
    main()
