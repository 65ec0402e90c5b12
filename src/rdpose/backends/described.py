"""Pose networks of others, in ONNX or OpenVINO: heatmaps whose making a YAML file beside them describes.

# pose.yaml, for pose.onnx or pose.xml
size: [192, 256]                    # width and height of the crop that it takes
color: rgb                          # or bgr
mean: [123.675, 116.28, 103.53]     # (pixel - mean) / std, with pixels of 0 to 255 and in the order of `color`;
std: [58.395, 57.12, 57.375]        # neither for a network that takes uint8. Left out: pixels / 255
keypoints: coco                     # crowdpose, mpii, a YAML file (from this one's folder), or a list of names
output: heatmaps                    # (batch, keypoints, height, width); left out: the first one
sigmoid: false                      # heatmaps are logits
decode: dark                        # or quarter, argmax; left out: quarter
sigma: 2                            # of the targets that it was trained on, in cells of its heatmaps
shift: true                         # mirrored heatmaps move by one cell in the flip test
padding: 1.25                       # the crop is so many times as large as the box

`size` and `keypoints` have to be there; the rest has the value above where nothing else is said. Such a network is not
told the boxes of the people, neighbours or not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from rdpose import heatmaps, skeletons
from rdpose.backends import input_description
from rdpose.backends.engines import Opened
from rdpose.backends.input_description import InputDescription, Node
from rdpose.config.schema import ModelSettings, Settings, TestSettings
from rdpose.io.files import in_a_line
from rdpose.skeletons import Skeleton

EXAMPLE = (
    "{size: [192, 256], keypoints: coco, mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], decode: dark}"
)
"""A whole description, on one line."""
Positive = Annotated[float, Field(gt=0)]


class Description(InputDescription):
    """What the YAML file says; the fields are told in this file's first lines."""

    keypoints: str | tuple[str, ...]
    output: str = ""
    sigmoid: bool = False
    decode: heatmaps.Decoding = "quarter"
    sigma: Positive = 2.0
    shift: bool = True
    padding: Positive = 1.25


@dataclass(frozen=True)
class DescribedNetwork:
    """A network of others, on the CPU; it is called as an RDPose is.

    Args:
        opened: the file.
        about: what goes in and what comes out.
        output: the name of its heatmaps.
        batch: crops that it takes at once; 0 is any number.
    """

    opened: Opened
    about: Description
    output: str
    batch: int

    def __call__(self, crops: Tensor, neighbours: Tensor | None = None, box: Tensor | None = None) -> Tensor:
        """Heatmaps (batch, joints, height / stride, width / stride), float32 on the crops' device.

        Args:
            crops: (batch, 3, height, width) RGB uint8.
            neighbours, box: of no use here; they are in the call because networks of ours take them.

        Raises:
            ValueError: crops of another size or type than the file takes.
        """
        del neighbours, box
        width, height = self.about.size
        if crops.dtype != torch.uint8 or crops.shape[1:] != (3, height, width):
            raise ValueError(
                f"this network takes uint8 crops (batch, 3, {height}, {width}), as its description says, not "
                f"{crops.dtype} of shape {tuple(crops.shape)}"
            )
        size = self.batch or len(crops)
        given = self.about.input_of(crops.permute(0, 2, 3, 1).cpu().numpy(), self._node.dtype)
        maps = np.concatenate([self._run(given[start : start + size], size) for start in range(0, len(given), size)])
        found = torch.from_numpy(maps.astype(np.float32, copy=False)).to(crops.device)
        return found.sigmoid() if self.about.sigmoid else found

    @property
    def _node(self) -> Node:
        return self.opened.nodes[0]

    def _run(self, given: np.ndarray, size: int) -> np.ndarray:
        """The output for (n, 3, height, width), of which the network gets `size`."""
        filled = np.concatenate([given, np.zeros((size - len(given), *given.shape[1:]), given.dtype)])
        return self.opened.run({self._node.name: filled}, (self.output,))[0][: len(given)]


def description_of(path: Path) -> Path:
    """Where the description of a network lies."""
    return path.with_suffix(".yaml")


def of(opened: Opened, path: Path) -> tuple[DescribedNetwork, Settings, Skeleton]:
    """A network of others that is open, with settings and joints as described; it is tried out on two crops first.

    Raises:
        FileNotFoundError: nothing describes it.
        ValueError: the description is wrong, or does not fit the network; the message says what to write.
    """
    file = description_of(path)
    if not file.is_file():
        raise FileNotFoundError(
            f"{path} carries no rdpose settings, and no {file.name} beside it describes it; for a heatmap network of "
            f"others write {file}, e.g. {EXAMPLE} (docs/quickstart.md has all keys)"
        )
    about = input_description.read(Description, file, what="a heatmap network")
    skeleton = _skeleton(about, file)
    name = str(path)
    node = input_description.check_input(about, opened.nodes, name)
    output = about.output or opened.outputs[0]
    if output not in opened.outputs:
        raise ValueError(f"{name} has no output {output}; it has {', '.join(opened.outputs)}")
    network = _tried(DescribedNetwork(opened, about, output, node.batch), skeleton, name)
    return network, _settings(about, path), skeleton


def _skeleton(about: Description, file: Path) -> Skeleton:
    if isinstance(about.keypoints, tuple):
        return skeletons.from_names(about.keypoints, name=file.stem)
    if about.keypoints.endswith((".yaml", ".yml")):
        return skeletons.from_file(file.parent / about.keypoints)
    return skeletons.get(about.keypoints)


def _settings(about: Description, path: Path) -> Settings:
    model = ModelSettings(backbone=path.stem, variant="plain", sigma=about.sigma, padding=about.padding)
    return Settings(
        name=path.stem,
        model=model.model_copy(update={"image_size": about.size}),  # others' need not be divisible by 32
        test=TestSettings(decode=about.decode, shift_heatmap=about.shift),
    )


def _tried(network: DescribedNetwork, skeleton: Skeleton, name: str) -> DescribedNetwork:
    """The network, taking one crop at a time where several together are answered otherwise.

    Raises:
        ValueError: it does not run, or its output is not such heatmaps.
    """
    width, height = network.about.size
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, height, width), np.uint8))
    single = replace(network, batch=network.batch or 1)
    try:
        alone = torch.cat([single(crop[None]) for crop in crops])
    except Exception as error:  # of many classes
        raise ValueError(f"{name} does not run with `size: [{width}, {height}]` ({in_a_line(error)})") from None
    _check_maps(alone, network, skeleton, name)
    if network.batch:
        return network
    try:
        together = network(crops)
    except Exception:  # likewise: its batch is free by name alone
        return single
    fits = together.shape == alone.shape and torch.allclose(together, alone, rtol=1e-3, atol=1e-3)
    return network if fits else single


def _check_maps(maps: Tensor, network: DescribedNetwork, skeleton: Skeleton, name: str) -> None:
    """Raises ValueError unless maps of two crops are (2, joints, height / stride, width / stride)."""
    about, there = network.about, f"{name}: the output {network.output} is {tuple(maps.shape[1:])} for a crop"
    if maps.ndim != 4:
        others = ", ".join(output for output in network.opened.outputs if output != network.output) or "no other"
        raise ValueError(f"{there}, and heatmaps are (keypoints, height, width); name theirs by `output:` ({others})")
    if maps.shape[1] != skeleton.num_joints:
        raise ValueError(
            f"{there}, and `keypoints:` names {skeleton.num_joints} ({skeleton.name}); it has to name "
            f"{maps.shape[1]}, one for each heatmap, in their order"
        )
    (width, height), (rows, columns) = about.size, maps.shape[2:]
    if width % columns or height % rows or width // columns != height // rows:
        raise ValueError(
            f"{there}, and `size: [{width}, {height}]` is not the same whole number of pixels a cell both ways; only "
            "such heatmaps can be read"
        )
