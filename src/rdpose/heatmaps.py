"""Joints -> target heatmaps, heatmaps -> joints: batched over people and joints, on whatever device the tensors are.

Coordinates are (x, y) in heatmap cells: crop pixels / stride, without a half-pixel offset. Nothing here depends on
the values in its control flow, so all of it traces into an exported graph.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Decoding = Literal["quarter", "dark", "argmax"]
CUT_SIGMAS = 3


def render(joints: Tensor, valid: Tensor, height: int, width: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Target heatmaps of the HRNet family: a Gaussian of peak 1 at the cell that a joint rounds to.

    The Gaussian is cut to a square of 3 sigma to each side, and a square cut leaves it a product of its profiles in
    x and y: all maps are one multiplication. Rounding is the family's, int(x + 0.5), which goes towards zero.

    Args:
        joints: (batch, joints, 2) in cells.
        valid: (batch, joints) bool, the labelled joints; values of the others are never looked at.
        height, width: size of the maps in cells.
        sigma: of the Gaussian, in cells.

    Returns:
        Targets (batch, joints, height, width) and weights (batch, joints), float32. The weight is 1 for a valid
        joint whose square touches the map. As in the family, a square that ends right before cell 0 still counts.
    """
    radius = int(CUT_SIGMAS * sigma)
    peak = torch.trunc(joints.float() + 0.5)
    size = torch.tensor([width, height], device=joints.device)
    touches = (peak - radius < size) & (peak + radius + 1 >= 0)
    weight = valid & touches.all(-1)
    peak_x, peak_y = torch.where(weight[..., None], peak, -torch.inf).unbind(-1)
    along_x = _profile(peak_x, width, sigma, radius)
    along_y = _profile(peak_y, height, sigma, radius)
    return along_y[..., :, None] * along_x[..., None, :], weight.float()


def decode(heatmaps: Tensor, method: Decoding = "quarter", *, sigma: float = 2.0) -> tuple[Tensor, Tensor]:
    """The joint that each heatmap points at.

    Args:
        heatmaps: (batch, joints, height, width), any floating type.
        method: "argmax", the cell of the largest value; "quarter", a quarter cell from there towards the larger
            neighbour in x and in y (HRNet family); "dark", one Newton step on the logarithm of the smoothed map
            (Zhang et al., Distribution-Aware Coordinate Representation for Human Pose Estimation, CVPR 2020).
        sigma: of the Gaussians that the network was trained on, in cells; only "dark" asks for it.

    Returns:
        Joints (batch, joints, 2) in cells and confidence (batch, joints), the largest value; both float32. Maps
        without a positive value give (0, 0).

    Raises:
        ValueError: the method is unknown.
    """
    if method not in ("quarter", "dark", "argmax"):
        raise ValueError(f"unknown decoding {method!r}; choose quarter, dark or argmax")
    heatmaps = heatmaps.float()
    x, y, confidence = _argmax(heatmaps)
    step = torch.zeros(*x.shape, 2, device=heatmaps.device)
    if method == "quarter":
        step = _quarter_step(heatmaps, x, y)
    elif method == "dark":
        step = _dark_step(heatmaps, x, y, confidence, sigma)
    joints = torch.stack([x, y], dim=-1) + step
    return torch.where(confidence[..., None] > 0, joints, 0.0), confidence


def unflip(heatmaps: Tensor, flip_order: Tensor, shift: bool) -> Tensor:
    """Heatmaps (batch, joints, height, width) of mirrored crops, turned back: mirrored, left and right renamed.

    Args:
        flip_order: (joints,) int64, the index of each joint's mirror image (`Skeleton.flip_order`).
        shift: move everything one cell to the right (the first column stays), as the HRNet family does before it
            averages: mirroring pixels and mirroring cells of stride 4 differ by most of a cell.
    """
    _, joints, height, width = heatmaps.shape
    columns = width - 1 - (torch.arange(width, device=heatmaps.device) - int(shift)).clamp(min=0)
    rows = torch.arange(height, device=heatmaps.device)[:, None]
    # One gather of everything: three times as fast here as to flip, reorder and shift one after the other.
    cells = (flip_order[:, None, None] * height + rows) * width + columns
    return heatmaps.flatten(1).index_select(1, cells.flatten()).unflatten(1, (joints, height, width))


def center_of(joints: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """A person's centre, the mean of the labelled joints: (batch, 2), and whether there is any: (batch,) bool.

    Args:
        joints: (batch, joints, 2); values of unlabelled joints are never looked at.
        valid: (batch, joints) bool.
    """
    total = torch.where(valid[..., None], joints, 0.0).sum(1)
    return total / valid.sum(1, keepdim=True).clamp(min=1), valid.any(1)


def _profile(peak: Tensor, length: int, sigma: float, radius: int) -> Tensor:
    """(..., length): a Gaussian over the cells of one axis around peaks (...,), zero beyond `radius` cells."""
    distance = torch.arange(length, device=peak.device) - peak[..., None]
    return torch.where(distance.abs() <= radius, torch.exp(distance.square() / (-2 * sigma**2)), 0.0)


def _argmax(heatmaps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Column, row (int64) and value of each map's first largest cell, (batch, joints) each.

    In two steps, the largest of each of 32 blocks and then the cell in its block: the pass over the memory is a
    vectorised maximum, while an argmax over whole maps takes three times as long.
    """
    cells, width = heatmaps.flatten(2), heatmaps.shape[3]
    blocks = cells.unflatten(2, (math.gcd(cells.shape[2], 32), -1))
    maxima, length = blocks.amax(3), blocks.shape[3]
    index = maxima.argmax(2)
    block = blocks.gather(2, index[..., None, None].expand(-1, -1, 1, length)).squeeze(2)
    cell = index * length + block.argmax(2)
    return cell % width, cell // width, maxima.amax(2)


def _quarter_step(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(batch, joints, 2): a quarter cell towards the larger neighbour; none in the two outermost cells at the start
    of an axis and the outermost at its end (the family's bounds)."""
    height, width = heatmaps.shape[2:]
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    cell = torch.where(inside, y * width + x, width + 1)
    neighbours = cell[..., None] + torch.tensor([1, -1, width, -width], device=heatmaps.device)
    right, left, below, above = heatmaps.flatten(2).gather(2, neighbours).unbind(-1)
    towards = torch.stack([right - left, below - above], dim=-1).sign()
    return torch.where(inside[..., None], 0.25 * towards, 0.0)


def _dark_step(heatmaps: Tensor, x: Tensor, y: Tensor, confidence: Tensor, sigma: float) -> Tensor:
    """(batch, joints, 2): from the largest cell to the top of the parabola through the log of the smoothed map.

    The published code smooths the whole map, with a kernel of 11 cells for sigma 2 and 17 for sigma 3, and rescales
    it to its former maximum. Only 5 x 5 cells are ever looked at: these alone are smoothed here, as a product with
    one kernel per row and column. The scale shifts the logarithm by a constant; it decides only which values count
    as not positive (1e-10 and less), and is taken from the 5 x 5 cells. None within two cells of the map's border.
    """
    height, width = heatmaps.shape[2:]
    radius = round(3 * sigma - 1)
    kernel_sigma = 0.3 * (radius - 1) + 0.8  # what OpenCV takes for a kernel of this size, 2.0 and 2.9
    nearby = torch.arange(-2, 3, device=heatmaps.device)
    along_x = _profile(x[..., None] + nearby, width, kernel_sigma, radius)
    along_y = _profile(y[..., None] + nearby, height, kernel_sigma, radius)
    smoothed = along_y @ heatmaps @ along_x.mT
    scale = confidence / smoothed.amax((2, 3)).clamp(min=torch.finfo(torch.float32).tiny)
    log = (smoothed * scale[..., None, None]).clamp(min=1e-10).log()
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    return torch.where(inside[..., None], _newton_step(log), 0.0)


def _newton_step(patch: Tensor) -> Tensor:
    """(..., 2): from the middle of 5 x 5 values (..., row, column) to the extremum of the parabola through them.

    Second derivatives are taken over two cells to each side, as DARK does. None where they are degenerate.
    """
    dx = (patch[..., 2, 3] - patch[..., 2, 1]) / 2
    dy = (patch[..., 3, 2] - patch[..., 1, 2]) / 2
    dxx = (patch[..., 2, 4] - 2 * patch[..., 2, 2] + patch[..., 2, 0]) / 4
    dyy = (patch[..., 4, 2] - 2 * patch[..., 2, 2] + patch[..., 0, 2]) / 4
    dxy = (patch[..., 3, 3] - patch[..., 1, 3] - patch[..., 3, 1] + patch[..., 1, 1]) / 4
    determinant = dxx * dyy - dxy.square()
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1)
    regular = determinant[..., None] != 0
    return torch.where(regular, step / torch.where(regular, determinant[..., None], 1.0), 0.0)
