"""The recipe that rewrites published ImageNet weights: the same numbers from pictures of our scale."""

from __future__ import annotations

from pathlib import Path

import torch

from rdpose.models import builders
from rdpose.models.rdpose import Normalise


def with_underscores(key: str) -> str:
    """blocks.1.bn0.weight as it is published: _blocks.1._bn0.weight."""
    *parts, last = key.split(".")
    return ".".join([part if part.isdigit() else f"_{part}" for part in parts] + [last])


@torch.no_grad()
def test_the_first_layers_answer_alike(recipes: Path) -> None:
    from imagenet_start import BACKBONE, renamed

    torch.manual_seed(0)
    theirs, ours = (builders.build_backbone(BACKBONE).eval() for _ in range(2))
    torch.nn.init.normal_(theirs.bn0.running_mean)
    encoder = {
        key: value for key, value in theirs.state_dict().items() if key.startswith(("conv_stem", "bn0", "blocks"))
    }
    rewritten = renamed(
        {with_underscores(key): value for key, value in encoder.items()} | {"_fc.weight": torch.ones(1)}
    )
    assert set(rewritten) == {f"backbone.{key}" for key in encoder}
    ours.load_state_dict({key.removeprefix("backbone."): value for key, value in rewritten.items()}, strict=False)
    picture = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    expected = theirs.bn0(theirs.conv_stem((picture - 127.0) / 128))
    found = ours.bn0(ours.conv_stem(Normalise()(picture)))
    inside = (..., slice(1, None), slice(1, None))  # a frame of zeros is another colour on each scale
    torch.testing.assert_close(found[inside], expected[inside], rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1
