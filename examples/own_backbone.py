"""A backbone of one's own: trained, loaded, asked for poses, and exported to ONNX.

python examples/own_backbone.py --out own_backbone

The same on the command line, where `make` is named by its module (docs/own-backbone.md):

rdpose train SETTINGS.yaml model.backbone=examples.own_backbone:make
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import rdpose
from rdpose.config.schema import DataSettings, ModelSettings, Settings, SourceSettings, TestSettings, TrainSettings
from rdpose.data import synthetic
from rdpose.engine import trainer
from rdpose.export import export


class Patches(nn.Module):
    """Patches of 4x4 pixels, then what surrounds them: (batch, 3, H, W), normalised -> (batch, 32, H / 4, W / 4)."""

    channels = 32  # of the map that `forward` gives
    stride = 4  # pixels between two of its cells

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, self.channels, kernel_size=4, stride=4)
        self.mix = nn.Sequential(nn.Conv2d(self.channels, self.channels, 7, padding=3), nn.BatchNorm2d(self.channels))

    def forward(self, image: Tensor) -> Tensor:
        features = self.embed(image)
        return features + torch.relu(self.mix(features))


def make() -> nn.Module:
    """What `model.backbone` names: a function without arguments that gives a module with `channels` and `stride`."""
    return Patches()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("own_backbone"))
    folder = parser.parse_args().out
    labels = synthetic.write_dataset(folder / "data", num_pictures=20, seed=0, size_wh=(160, 120), name="crowd")
    source = SourceSettings(annotations=str(labels.relative_to(folder / "data")), images="images/crowd")
    settings = Settings(
        name="first",
        output_dir=str(folder / "output"),
        model=ModelSettings(backbone=f"{Path(__file__).stem}:make", image_size=(64, 96)),
        data=DataSettings(dataset="crowds", root=str(folder / "data"), train=(source,), workers=0),
        train=TrainSettings(epochs=1, batch_size=16),
        test=TestSettings(boxes="truth"),
    )
    weights = trainer.train(settings)

    estimator = rdpose.load(weights, backbone=make)  # the file names `make`, and you allow it to run
    image = next((folder / "data/images/crowd").glob("*.jpg"))
    print(estimator(image, [[10, 10, 80, 110]]))
    print(export(weights, folder / "model.onnx", backbone=make))
    print(rdpose.load(folder / "model.onnx"))  # an exported network needs no backbone


if __name__ == "__main__":
    main()
