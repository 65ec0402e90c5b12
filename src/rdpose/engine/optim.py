"""How a training steps: optimizer, learning rate, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rdpose.config.schema import TrainSettings
from rdpose.engine.muon import Muon

USUAL_SIZE, FRESH, LARGEST = 0.05, 0.3, 20.0
"""Root mean square of a usual kernel; in units of it, below what a parameter counts as fresh, and what is too large."""
KERNEL_INPUTS = 8
"""Convolutions that read fewer channels (the picture's, or one at a time) are not Muon's."""


def make_optimizers(network: nn.Module, settings: TrainSettings) -> list[torch.optim.Optimizer]:
    """The optimizers that the settings name; weight decay acts on weights alone, never on biases, norms and positions.

    Muon moves what it was made for, the backbone's kernels, and leaves the rest to AdamW.

    Raises:
        ValueError: as `layer_scales`.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    scales = layer_scales(network, settings.layer_decay)
    spared = {p for name, p in network.named_parameters() if p.ndim <= 1 or name.endswith("pos_embed")}
    first: list[torch.optim.Optimizer] = []
    if settings.optimizer == "muon":
        backbone = {id(parameter) for parameter in network.get_submodule("backbone").parameters()}
        kernels = [p for p in trained if id(p) in backbone and p.ndim == 4 and p.shape[1] >= KERNEL_INPUTS]
        layers = [
            {"params": [p for p in kernels if scales[p] == scale], "scale": scale}
            for scale in sorted({scales[p] for p in kernels})
        ]
        first = [Muon(layers, lr=settings.lr, weight_decay=settings.weight_decay)] if kernels else []
        moved = {id(kernel) for kernel in kernels}
        trained = [parameter for parameter in trained if id(parameter) not in moved]
    sizes = {p: scales[p] * (size_of(p, settings.fresh_lr) if settings.relative_lr else 1.0) for p in trained}
    groups = [
        {"params": [p for p in some if sizes[p] == size], "weight_decay": decay, "scale": size}
        for some, decay in (
            ([p for p in trained if p not in spared], settings.weight_decay),
            ([p for p in trained if p in spared], 0.0),
        )
        for size in sorted({sizes[p] for p in some})
    ]
    if settings.optimizer == "sgd":
        sgd = torch.optim.SGD(
            groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=True
        )
        return [sgd]
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return [*first, kind(groups, lr=settings.lr, fused=True)]


def layer_scales(network: nn.Module, decay: float) -> dict[Tensor, float]:
    """What the learning rate of each parameter is multiplied by: `decay` for every layer that lies after its own (Clark
    et al., ELECTRA, ICLR 2020). A backbone counts its layers by `depth_of(name)`; what follows it takes whole steps.

    Raises:
        ValueError: there is a decay, and the backbone does not count its layers.
    """
    scales: dict[Tensor, float] = dict.fromkeys(network.parameters(), 1.0)
    if decay == 1:
        return scales
    backbone = network.get_submodule("backbone")
    depth_of = getattr(backbone, "depth_of", None)
    if not callable(depth_of):
        raise ValueError(
            f"train.layer_decay is {decay}, but a {type(backbone).__name__} does not say how deep its parameters lie "
            "(by a method depth_of, as the vit backbones have it); set train.layer_decay=1"
        )
    for name, parameter in backbone.named_parameters():
        layer, last = depth_of(name)
        scales[parameter] = decay ** (last - layer)
    return scales


def size_of(parameter: Tensor, fresh: float = 1.0) -> float:
    """What the learning rate is multiplied by for a parameter of this size: its root mean square over `USUAL_SIZE`.

    Sizes are those of the network as drawn at random, before `model.init` takes its place. So the number of a layer's
    inputs decides: depthwise kernels step nearly four times as far as others. What is near zero takes a usual step.
    """
    size = float(parameter.detach().square().mean().sqrt()) / USUAL_SIZE
    return fresh if size < FRESH else min(size, LARGEST)


def learning_rate(step: int, steps_per_epoch: int, settings: TrainSettings) -> float:
    """The learning rate of a step (from 0): a linear warm-up, then steps or one cosine down to 1 %.

    It is a function of the step alone, so that a resumed training takes exactly the rates it would have taken.
    """
    warmup = min(1.0, (step + 1) / (settings.warmup_steps + 1))
    if settings.schedule == "cosine":
        done = step / max(1, settings.epochs * steps_per_epoch)
        return settings.lr * warmup * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
    passed = sum(step >= epoch * steps_per_epoch for epoch in settings.lr_steps)
    return settings.lr * warmup * settings.lr_factor**passed


class WeightAverage:
    """Exponential moving average of a network's state; the first steps weigh more, so that the start is forgotten.

    Args:
        network: whose state is followed.
        decay: 0.999 remembers about the last thousand steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.tensors = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the network's state of now; counters are copied."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = network.state_dict()
        floating = [key for key, tensor in self.tensors.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.tensors[key] for key in floating], [current[key] for key in floating], 1 - decay)
        for key in self.tensors.keys() - set(floating):
            self.tensors[key].copy_(current[key])

    def state(self) -> dict[str, Tensor | int | dict[str, Tensor]]:
        return {"updates": self.updates, "tensors": self.tensors}

    def restore(self, state: dict) -> None:
        self.updates = state["updates"]
        for key, tensor in state["tensors"].items():
            self.tensors[key].copy_(tensor)


def freeze_batch_norm(network: nn.Module, *, all_of_them: bool = True) -> None:
    """Let batch norms use, and keep, the statistics they have: all of them, or those whose weights are frozen."""
    for norm in (part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)):
        if all_of_them or not all(parameter.requires_grad for parameter in norm.parameters()):
            norm.eval()


def freeze(network: nn.Module, names: Sequence[str]) -> None:
    """Exclude parts from training: their parameters have no gradient.

    Raises:
        ValueError: there is nothing to train by that name.
    """
    parts = {name: part for name, part in network.named_modules() if name and any(True for _ in part.parameters())}
    for name in names:
        if name not in parts:
            known = ", ".join(part for part in parts if part.count(".") < 2)
            raise ValueError(f"train.freeze: the network has no part {name!r} that trains; there are {known}")
        parts[name].requires_grad_(False)


class Stepper:
    """Turns losses into steps: mixed precision, clipping, the optimizer, its learning rate.

    Args:
        network: what is trained.
        settings: of the training.
        device: where it runs; bf16 by default on GPUs that have it, fp32 on CPUs, most of which are far slower in bf16.

    Raises:
        ValueError: fp16 with Muon, beside which AdamW would take a step that Muon's overflow forbids.
    """

    def __init__(
        self, network: nn.Module, settings: TrainSettings, device: torch.device, *, steps_per_epoch: int
    ) -> None:
        self.network, self.settings, self.device, self.steps_per_epoch = network, settings, device, steps_per_epoch
        self.optimizers = make_optimizers(network, settings)
        self.precision = choose_precision(settings.precision, device)
        if self.precision is torch.float16 and len(self.optimizers) > 1:
            raise ValueError("train.optimizer=muon does not go with train.precision=fp16; choose bf16 or fp32")
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision is torch.float16)

    def set_rate(self, step: int) -> float:
        """Set the learning rate of a step, and return it."""
        rate = learning_rate(step, self.steps_per_epoch, self.settings)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = rate * group.get("scale", 1.0)
        return rate

    def autocast(self) -> torch.autocast:
        """The context of a forward pass."""
        enabled = self.precision is not torch.float32
        return torch.autocast(self.device.type, self.precision if enabled else torch.bfloat16, enabled=enabled)

    def step(self, loss: Tensor) -> None:
        """Backward, clip, step."""
        self.network.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.settings.clip:
            for optimizer in self.optimizers:
                self.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()

    def state(self) -> dict:
        return {"optimizers": [one.state_dict() for one in self.optimizers], "scaler": self.scaler.state_dict()}

    def restore(self, state: dict) -> None:
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.scaler.load_state_dict(state["scaler"])


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type that a forward pass computes in."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
