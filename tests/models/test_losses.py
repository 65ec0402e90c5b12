"""The loss against the family's per-joint loops, by hand, and split over two processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rdpose import skeletons
from rdpose.models import losses


def family_loss(predicted, target, weight, topk):
    """Joint by joint, as the formula reads: half the mean squared error of both sides times the weight."""
    per_joint = np.zeros(weight.shape)
    for person in range(weight.shape[0]):
        for joint in range(weight.shape[1]):
            w = weight[person, joint]
            difference = w * predicted[person, joint] - w * target[person, joint]
            per_joint[person, joint] = 0.5 * (difference**2).mean()
    hardest = np.sort(per_joint, axis=1)[:, -topk:] if topk else per_joint
    return hardest.mean()


@pytest.fixture
def batch():
    random = torch.Generator().manual_seed(3)
    predicted, target = torch.rand(2, 4, 17, 16, 12, generator=random, dtype=torch.float64)
    weight = torch.rand(4, 17, generator=random, dtype=torch.float64) * (torch.rand(4, 17, generator=random) > 0.3)
    return predicted, target, weight * 1.5


@pytest.mark.parametrize("topk", [0, 1, 8, 17])
def test_is_the_familys(batch, topk):
    expected = family_loss(*(tensor.numpy() for tensor in batch), topk)
    assert losses.heatmap_loss(*batch, ohkm_topk=topk).item() == pytest.approx(expected, rel=1e-12)


def test_summing_over_the_map_is_height_times_width_as_much(batch):
    summed, mean = (losses.heatmap_loss(*batch, reduction=kind) for kind in ("map_sum", "mean"))
    assert summed.item() == pytest.approx(mean.item() * 16 * 12, rel=1e-12)


def test_by_hand():
    predicted, target = torch.zeros(1, 2, 2, 2), torch.ones(1, 2, 2, 2)
    # 0.5 x 1 x 2^2 for the first joint, nothing for the second, averaged over both.
    assert losses.heatmap_loss(predicted, target, torch.tensor([[2.0, 0.0]])).item() == 1.0


def test_halves_of_a_batch_average_to_the_whole(batch):
    whole = losses.heatmap_loss(*batch, ohkm_topk=5)
    halves = [losses.heatmap_loss(*(t[part] for t in batch), ohkm_topk=5) for part in (slice(0, 2), slice(2, 4))]
    assert torch.stack(halves).mean().item() == pytest.approx(whole.item(), rel=1e-12)


def test_unlabelled_joints_give_no_gradient(batch):
    predicted, target, weight = batch
    predicted.requires_grad_()
    losses.heatmap_loss(predicted, target, weight).backward()
    assert predicted.grad is not None
    moved = predicted.grad.abs().amax((2, 3)) > 0
    assert torch.equal(moved, weight > 0)


def test_an_emphasised_cell_counts_more(batch):
    predicted, target, weight = batch
    emphasis = torch.zeros_like(target)
    emphasis[1, 2, 3, 4] = 2
    found, before = (losses.heatmap_loss(*batch, emphasis=given) for given in (emphasis, None))
    more = 2 * 0.5 * ((predicted - target)[1, 2, 3, 4] * weight[1, 2]) ** 2 / (target[0, 0].numel() * weight.numel())
    torch.testing.assert_close(found - before, more, rtol=1e-3, atol=1e-9)


def test_half_precision_predictions_are_compared_in_float32(batch):
    predicted, target, weight = (tensor.float() for tensor in batch)
    loss = losses.heatmap_loss(predicted.bfloat16(), target, weight)
    assert loss.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": torch.ones(4, 16)}, "expected two"),
        ({"target": torch.ones(4, 17, 16, 16)}, "expected two"),
        ({"reduction": "sum"}, "choose mean or map_sum"),
        ({"ohkm_topk": 18}, "expected 0 to 17"),
    ],
)
def test_misuse_is_told(batch, change, message):
    given = dict(zip(("predicted", "target", "weight"), batch, strict=True)) | change
    with pytest.raises(ValueError, match=message):
        losses.heatmap_loss(**given)


@pytest.mark.parametrize(
    ("name", "heavy"),
    [
        ("coco", {7: 1.2, 8: 1.2, 9: 1.5, 10: 1.5, 13: 1.2, 14: 1.2, 15: 1.5, 16: 1.5}),
        ("mpii", {0: 1.5, 1: 1.2, 4: 1.2, 5: 1.5, 10: 1.5, 11: 1.2, 14: 1.2, 15: 1.5}),
    ],
)
def test_joint_weights(name, heavy):
    weights = losses.joint_weights(skeletons.get(name))
    expected = [heavy.get(joint, 1.0) for joint in range(len(weights))]
    np.testing.assert_array_equal(weights, np.float32(expected))
