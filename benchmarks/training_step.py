"""Forward and backward pass of EfficientNet-Lite0 on one core: fp32, bfloat16 with torch's own gradients, with ours.

    python benchmarks/training_step.py                  # a minute
    python benchmarks/training_step.py --size 128 96
    python benchmarks/training_step.py --without-memory     # freed memory is fetched anew

Prints crops a second (median of the steps, the forms in turn) and checks that the gradients agree. Says nothing on
processors without bfloat16 (AVX-512 BF16, AMX), where it is far slower.
"""

from __future__ import annotations

import argparse
import statistics
import time
from functools import partial

import torch
from torch import Tensor, nn

from rdpose.models import builders
from rdpose.models.backbones.depthwise import DepthwiseConv
from rdpose.utils import malloc

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(160, 128), help="height and width of the crop")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--without-memory", action="store_true", help="give freed memory back, as glibc does")
    options = parser.parse_args()
    if not options.without_memory:
        malloc.keep_freed()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = builders.build("efficientnet_lite0", "plain", num_joints=17).to(memory_format=torch.channels_last)
    crops = torch.randint(0, 256, (BATCH, 3, *options.size), dtype=torch.uint8)
    crops = crops.contiguous(memory_format=torch.channels_last)
    forms = {"fp32": (False, True), "bf16, torch's gradients": (True, False), "bf16, ours": (True, True)}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    gradients = {}
    for number in range(options.steps + 1):
        for name, (half, ours) in forms.items():
            took, gradients[name] = step(network, crops, half=half, ours=ours)
            seconds[name] += [took] if number else []
    torch_s, our_s = (gradients[name] for name in list(forms)[1:])
    apart = (torch_s - our_s).norm() / torch_s.norm()
    assert apart < 0.1, f"the gradients differ by {apart:.2f} of their size"
    speeds = {name: BATCH / statistics.median(took) for name, took in seconds.items()}
    for name, speed in speeds.items():
        print(f"{name:26} {speed:6.1f} crops/s, {speed / speeds['fp32']:.2f} x fp32")


def step(network: nn.Module, crops: Tensor, *, half: bool, ours: bool) -> tuple[float, Tensor]:
    """Seconds of a forward and backward pass, and all gradients in one row."""
    for layer in network.modules():
        if isinstance(layer, DepthwiseConv):
            layer.forward = partial(DepthwiseConv.forward if ours else nn.Conv2d.forward, layer)
    network.zero_grad()
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        loss = network(crops).float().square().mean()
    loss.backward()
    took = time.perf_counter() - start
    return took, torch.cat([p.grad.flatten().float() for p in network.parameters() if p.grad is not None])


if __name__ == "__main__":
    main()
