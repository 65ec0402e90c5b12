"""Put trained weights into the package, in half precision: half the size, the same figures (docs/model-card.md).

    python -m recipes.bundled.ship output/taught/mobilenet_fpn/main/final_state.safetensors

Of several weights of one training it takes the mean. `--zoom nose,left_eye,...` asks for a second look at these joints.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from rdpose.checkpoints import native
from rdpose.inference.estimator import SHIPPED

PACKAGE = Path(__file__).resolve().parents[2] / "src/rdpose"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument(
        "--zoom", default="", help="joints to look at a second time, with commas between; none by default"
    )
    parser.add_argument("--out", type=Path, default=PACKAGE / SHIPPED)
    options = parser.parse_args()
    several = [native.load_weights(path) for path in options.weights]
    weights, zoom = several[-1], tuple(filter(None, options.zoom.split(",")))
    weights.skeleton.places(zoom)
    tensors = {key: mean_in_half([one.tensors[key] for one in several]) for key in weights.tensors}
    before = weights.settings
    changes = {
        "name": "bundled",
        "model": before.model.model_copy(update={"init": ""}),
        "data": before.data.model_copy(update={"root": "data"}),
        "test": before.test.model_copy(update={"zoom": zoom}),
    }
    native.save_weights(options.out, tensors, before.model_copy(update=changes), weights.skeleton)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def mean_in_half(tensors: list[Tensor]) -> Tensor:
    """Their mean in half precision; of counters, the last."""
    last = tensors[-1]
    return torch.stack(tensors).double().mean(dim=0).half() if last.is_floating_point() else last


if __name__ == "__main__":
    main()
