"""Joints -> target heatmaps, heatmaps -> joints: batched over people and joints, on whatever device the tensors are.

Coordinates are (x, y) in heatmap cells; `geometry.CellGrid` says where these lie in the crop. Nothing here depends on
the values in its control flow, so all of it traces into an exported graph.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import threshold

Decoding = Literal["quarter", "dark", "udp", "argmax"]
CUT_SIGMAS = 3


def render(
    joints: Tensor, valid: Tensor, height: int, width: int, sigma: float, *, unbiased: bool = False
) -> tuple[Tensor, Tensor]:
    """Target heatmaps of the HRNet family: a Gaussian of peak 1 at the cell that a joint rounds to.

    The Gaussian is cut to a square of 3 sigma to each side, and a square cut leaves it a product of its profiles in
    x and y: all maps are one multiplication. Rounding is the family's, int(x + 0.5), which goes towards zero.

    Args:
        joints: (batch, joints, 2) in cells.
        valid: (batch, joints) bool, the labelled joints; values of the others are never looked at.
        height, width: size of the maps in cells.
        sigma: of the Gaussian, in cells.
        unbiased: the Gaussian's peak is the joint itself, between cells (the encoding of DARK, CVPR 2020, section 3.2;
            cut off as here it is UDP's).

    Returns:
        Targets (batch, joints, height, width) and weights (batch, joints), float32. The weight is 1 for a valid
        joint whose square touches the map. As in the family, a square that ends right before cell 0 still counts.
    """
    radius = int(CUT_SIGMAS * sigma)
    peak = torch.trunc(joints.float() + 0.5)
    size = torch.tensor([width, height], device=joints.device)
    touches = (peak - radius < size) & (peak + radius + 1 >= 0)
    weight = valid & touches.all(-1)
    middle = joints.float() if unbiased else peak
    profiles = _profile(torch.where(weight[..., None], middle, -torch.inf), max(height, width), sigma, radius)
    along_x, along_y = profiles[..., 0, :width], profiles[..., 1, :height]
    return along_y[..., :, None] * along_x[..., None, :], weight.float()


def decode(heatmaps: Tensor, method: Decoding = "quarter", *, sigma: float = 2.0) -> tuple[Tensor, Tensor]:
    """The joint that each heatmap points at.

    Args:
        heatmaps: (batch, joints, height, width), any floating type.
        method: "argmax", the cell of the largest value; "quarter", a quarter cell from there towards the larger
            neighbour in x and in y (HRNet family); "dark", one Newton step on the logarithm of the smoothed map
            (Zhang et al., Distribution-Aware Coordinate Representation for Human Pose Estimation, CVPR 2020); "udp",
            the same step from differences of direct neighbours, at the map's border too (mmpose's
            `refine_keypoints_dark_udp`; UDP's own code smooths less, by 7 cells).
        sigma: of the Gaussians that the network was trained on, in cells; only "dark" and "udp" ask for it.

    Returns:
        Joints (batch, joints, 2) in cells and confidence (batch, joints), the largest value; both float32. Maps
        without a positive value give (0, 0).

    Raises:
        ValueError: the method is unknown.
    """
    if method not in ("quarter", "dark", "udp", "argmax"):
        raise ValueError(f"unknown decoding {method!r}; choose quarter, dark, udp or argmax")
    heatmaps = heatmaps.float()
    x, y, confidence = _argmax(heatmaps)
    step = torch.zeros(*x.shape, 2, device=heatmaps.device)
    if method == "quarter":
        step = _quarter_step(heatmaps, x, y)
    elif method == "dark":
        step = _dark_step(heatmaps, x, y, confidence, sigma)
    elif method == "udp":
        step = _udp_step(heatmaps, x, y, confidence, sigma)
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
    """(..., length): Gaussians along an axis around peaks (...,); 0 beyond `radius` cells and a half."""
    distance = torch.arange(length, device=peak.device) - peak[..., None]
    # Far cells are brought near before they are cut off: where it underflows, exp takes forty times as long.
    squared = distance.square().clamp(max=(radius + 1) ** 2)
    last_kept = math.exp((radius + 0.5) ** 2 / (-2 * sigma**2))
    return threshold((squared / (-2 * sigma**2)).exp(), last_kept, 0.0)


def _argmax(heatmaps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Column, row (int64) and value of each map's first largest cell, (batch, joints) each.

    In two steps, the largest of each of 32 blocks and then the cell in its block: the pass over the memory is a
    vectorised maximum, while an argmax over whole maps takes three times as long.
    """
    batch, joints, height, width = heatmaps.shape
    count = math.gcd(height * width, 32)
    blocks = heatmaps.reshape(batch, joints, count, height * width // count)
    maxima = blocks.amax(3)
    best = maxima.argmax(2)
    first_block = torch.arange(batch * joints, device=heatmaps.device) * count
    block = blocks.flatten(0, 2).index_select(0, first_block + best.flatten())
    cell = best * blocks.shape[3] + block.argmax(1).view_as(best)
    return cell % width, cell // width, maxima.amax(2)


def _quarter_step(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(batch, joints, 2): a quarter cell towards the larger neighbour in x and in y.

    None at all in the first two and the last cell of either axis: the family's bounds.
    """
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
    it to its former maximum. Only 5 x 5 cells are ever looked at: these alone are smoothed here. The scale shifts the
    logarithm by a constant; it decides only which values count as not positive (1e-10 and less), and is taken from
    the 5 x 5 cells. No step within two cells of the map's border.
    """
    height, width = heatmaps.shape[2:]
    log = _smoothed(heatmaps, x, y, confidence, sigma).clamp(min=1e-10).log()
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    return torch.where(inside[..., None], _newton_step(log, _dark_stencils(log.device)), 0.0)


def _udp_step(heatmaps: Tensor, x: Tensor, y: Tensor, confidence: Tensor, sigma: float) -> Tensor:
    """(batch, joints, 2): as `_dark_step`, with values of .001 to 50 and the cells on the border repeated beyond it.

    Not as published: no step is longer than two cells. Where a map is no hill, theirs leave the picture at times.
    """
    height, width = heatmaps.shape[2:]
    log = _smoothed(heatmaps, x, y, confidence, sigma).clamp(min=1e-3, max=50).log()
    around = torch.arange(-1, 2, device=log.device)
    columns = (x[..., None] + around).clamp(min=0, max=width - 1) - x[..., None] + 2
    rows = (y[..., None] + around).clamp(min=0, max=height - 1) - y[..., None] + 2
    patch = log.gather(2, (5 * rows[..., :, None] + columns[..., None, :]).flatten(2))
    return _newton_step(patch, _udp_stencils(log.device)).clamp(min=-2, max=2)


def _smoothed(heatmaps: Tensor, x: Tensor, y: Tensor, confidence: Tensor, sigma: float) -> Tensor:
    """(batch, joints, 25): the 5 x 5 cells around (x, y) of the smoothed map, the largest of them `confidence`."""
    radius = smoothing_radius(sigma)
    kernel_sigma = 0.3 * (radius - 1) + 0.8  # what OpenCV takes for a kernel of this size: 2.0 and 2.9
    smoothed = _window(heatmaps, x, y, radius + 2) @ _smoothing(kernel_sigma, radius, heatmaps.device)
    scale = confidence[..., None] / smoothed.amax(2, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return smoothed * scale


def smoothing_radius(sigma: float) -> int:
    """Cells to each side that "dark" and "udp" smooth over: 5 for sigma 2, 8 for sigma 3, published as 11 and 17."""
    return round(3 * sigma - 1)


def _window(heatmaps: Tensor, x: Tensor, y: Tensor, reach: int) -> Tensor:
    """(batch, joints, side^2): the square of `reach` cells to each side of cells (x, y), 0 outside the map."""
    height, width = heatmaps.shape[2:]
    num_cells = height * width
    offsets = torch.arange(-reach, reach + 1, device=heatmaps.device)
    columns, rows = x[..., None] + offsets, y[..., None] + offsets
    # A row or column outside lifts all of its cells past the last one: one comparison then finds them.
    columns = torch.where((columns >= 0) & (columns < width), columns, num_cells)
    rows = torch.where((rows >= 0) & (rows < height), rows * width, num_cells)
    cells = (rows[..., :, None] + columns[..., None, :]).flatten(2)
    values = heatmaps.flatten(2).gather(2, cells.clamp(max=num_cells - 1))
    return torch.where(cells < num_cells, values, 0.0)


def _smoothing(sigma: float, radius: int, device: torch.device) -> Tensor:
    """(side^2, 25): what makes of a window of `radius` + 2 cells to each side its middle 5 x 5 cells, smoothed."""
    kernels = _profile(torch.arange(radius, radius + 5, device=device), 2 * radius + 5, sigma, radius)
    return torch.einsum("ar,bc->rcab", kernels, kernels).flatten(2).flatten(0, 1)


def _dark_stencils(device: torch.device) -> Tensor:
    """(5, 25): dx, dy, dxx, dyy and dxy of 5 x 5 cells; second derivatives over two cells to each side, as DARK's."""
    stencils = [[0, 0, 1, 0, 0], [0, -0.5, 0, 0.5, 0], [0.25, 0, -0.5, 0, 0.25]]
    value, slope, bend = torch.tensor(stencils, device=device).unbind()
    down = torch.stack([value, slope, value, bend, slope])
    right = torch.stack([slope, value, bend, value, slope])
    return (down[:, :, None] * right[:, None, :]).flatten(1)


def _udp_stencils(device: torch.device) -> Tensor:
    """(5, 9): dx, dy, dxx, dyy and dxy of 3 x 3 cells, as UDP's; dxy from the upper left and lower right corners."""
    dx, dxx = [0, 0, 0, -0.5, 0, 0.5, 0, 0, 0], [0, 0, 0, 1, -2, 1, 0, 0, 0]
    dy, dyy = [0, -0.5, 0, 0, 0, 0, 0, 0.5, 0], [0, 1, 0, 0, -2, 0, 0, 1, 0]
    dxy = [0.5, -0.5, 0, -0.5, 1, -0.5, 0, -0.5, 0.5]
    return torch.tensor([dx, dy, dxx, dyy, dxy], device=device)


def _newton_step(patch: Tensor, stencils: Tensor) -> Tensor:
    """(batch, joints, 2): from the middle of a square of values (batch, joints, cells) to their parabola's extremum.

    `stencils` (5, cells) take dx, dy, dxx, dyy and dxy. No step where the second derivatives are degenerate.
    """
    dx, dy, dxx, dyy, dxy = (patch @ stencils.T).unbind(-1)
    determinant = (dxx * dyy - dxy.square())[..., None]
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1)
    regular = determinant != 0
    return torch.where(regular, step / torch.where(regular, determinant, 1.0), 0.0)
