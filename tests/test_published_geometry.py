"""UDP's and DarkPose's geometry against their published formulas, written out anew in loops over numbers.

Sources: HuangJunJie2017/UDP-Pose (`get_warpmatrix`, `rotate_points`, `generate_target`, `transform_preds`), mmpose 1.x
(`get_udp_warp_matrix`, `UDPHeatmap`, `refine_keypoints_dark_udp`), ilovepose/DarkPose (`get_affine_transform`,
`transform_preds`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from rdpose import geometry, heatmaps
from rdpose.data.crops import crop_people
from rdpose.engine.training_step import draw_targets
from rdpose.geometry import CellGrid, Convention
from rdpose.inference.pipeline import Inference
from rdpose.skeletons import COCO_17

SIZES = [((192, 256), (48, 64)), ((288, 384), (72, 96)), ((256, 256), (64, 64))]
CONVENTIONS: list[Convention] = ["hrnet", "udp", "darkpose"]


def views(seed: int, crop_wh: tuple[int, int], count: int = 20) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Random centers, sizes in the crop's ratio, and rotations in degrees."""
    rng, aspect = np.random.default_rng(seed), crop_wh[0] / crop_wh[1]
    widths = rng.uniform(20, 700, count)
    return [
        (rng.uniform(-50, 900, 2), np.array([width, width / aspect]), float(rng.uniform(-90, 90))) for width in widths
    ]


def udp_points(points: np.ndarray, center: np.ndarray, size: np.ndarray, degrees: float, crop_wh) -> np.ndarray:
    """`rotate_points` of UDP-Pose: picture to crop pixels; its angles turn the other way round."""
    found, radian = np.zeros_like(points), degrees / 180 * math.pi
    sin, cos = -math.sin(radian), math.cos(radian)
    for i, (x, y) in enumerate(points - center):
        found[i, 0] = (cos * x + sin * y + 0.5 * size[0]) * (crop_wh[0] - 1) / size[0]
        found[i, 1] = (-sin * x + cos * y + 0.5 * size[1]) * (crop_wh[1] - 1) / size[1]
    return found


def udp_matrix(center: np.ndarray, size: np.ndarray, degrees: float, crop_wh) -> np.ndarray:
    """`get_udp_warp_matrix` of mmpose."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = (crop_wh[0] - 1) / size[0], (crop_wh[1] - 1) / size[1]
    return np.array(
        [
            [across * cos, -across * sin, across * (-center[0] * cos + center[1] * sin + size[0] / 2)],
            [down * sin, down * cos, down * (-center[0] * sin - center[1] * cos + size[1] / 2)],
        ]
    )


def darkpose_matrix(center: np.ndarray, size: np.ndarray, degrees: float, out_wh) -> np.ndarray:
    """`get_affine_transform` of DarkPose, to a crop or to a heatmap; its `scale` counts a region's pixels."""
    pixels, angle, middle = size[0] + 1, math.radians(degrees), (np.array(out_wh) - 1) * 0.5
    up = np.array([(pixels - 1) * 0.5 * math.sin(angle), -(pixels - 1) * 0.5 * math.cos(angle)])
    up_in_crop = np.array([0, (out_wh[0] - 1) * 0.5])
    source, target = [center, center + up], [middle, middle - up_in_crop]
    for points in (source, target):
        across = points[0] - points[1]
        points.append(points[1] + [-across[1], across[0]])
    return np.linalg.solve(np.column_stack([source, np.ones(3)]), np.array(target)).T


@pytest.mark.parametrize(("crop_wh", "map_wh"), SIZES)
def test_udps_warp_matrix_is_the_published_one(crop_wh, map_wh) -> None:
    for center, size, degrees in views(0, crop_wh):
        ours = geometry.crop_transform(center, size, crop_wh, -degrees, convention="udp")
        published = udp_matrix(center, size, degrees, crop_wh)
        np.testing.assert_allclose(ours, published, rtol=1e-6, atol=1e-3)
        np.testing.assert_allclose(ours[:, :2], published[:, :2], rtol=1e-5, atol=1e-6)
        points = center + np.random.default_rng(1).uniform(-0.5, 0.5, (9, 2)) * size
        found = geometry.apply(geometry.crop_transform(center, size, crop_wh, -degrees, convention="udp"), points)
        np.testing.assert_allclose(found, udp_points(points, center, size, degrees, crop_wh), atol=1e-3)
    corners = geometry.apply(
        geometry.crop_transform([50, 60], [30, 40], crop_wh, convention="udp"), [[35.0, 40], [65, 80]]
    )
    np.testing.assert_allclose(corners, [[0, 0], np.array(crop_wh) - 1], atol=1e-4)


@pytest.mark.parametrize(("crop_wh", "map_wh"), SIZES)
def test_darkposes_crops_and_cells_are_the_published_ones(crop_wh, map_wh) -> None:
    """It takes joints to the heatmap by a transform of its own, we by way of the crop."""
    grid = CellGrid.of("darkpose", crop_wh, map_wh)
    for center, size, degrees in views(1, crop_wh):
        ours = geometry.crop_transform(center, size, crop_wh, degrees, convention="darkpose")
        np.testing.assert_allclose(ours, darkpose_matrix(center, size, degrees, crop_wh), rtol=1e-5, atol=1e-3)
        points = center + np.random.default_rng(2).uniform(-0.5, 0.5, (9, 2)) * size
        cells = geometry.apply(darkpose_matrix(center, size, degrees, map_wh), points)
        np.testing.assert_allclose(grid.to_cells(geometry.apply(ours, points)), cells, atol=1e-3)


def test_darkpose_is_not_udp_by_half_a_pixel_at_the_upper_and_lower_edge() -> None:
    grids = [CellGrid.of(name, (192, 256), (48, 64)) for name in ("udp", "darkpose")]
    first, last = (np.subtract(*(grid.to_pixels(np.array(cell)) for grid in grids)) for cell in ((0.0, 0), (47.0, 63)))
    np.testing.assert_allclose([first, last], [[0, 0.5106], [0, -0.5106]], atol=1e-3)
    udp, darkpose = (CellGrid.of(name, (256, 256), (64, 64)) for name in ("udp", "darkpose"))
    np.testing.assert_allclose(udp, darkpose, atol=1e-9)


def udp_target(joint_px: np.ndarray, crop_wh, map_wh, sigma: int) -> tuple[np.ndarray, int]:
    """`generate_target` of UDP-Pose for one joint."""
    target, reach = np.zeros(map_wh[::-1], np.float32), 3 * sigma
    exact = joint_px / ((np.array(crop_wh) - 1.0) / (np.array(map_wh) - 1.0))
    mu = [int(exact[0] + 0.5), int(exact[1] + 0.5)]
    if mu[0] - reach >= map_wh[0] or mu[1] - reach >= map_wh[1] or mu[0] + reach + 1 < 0 or mu[1] + reach + 1 < 0:
        return target, 0
    for row in range(max(0, mu[1] - reach), min(mu[1] + reach + 1, map_wh[1])):
        for column in range(max(0, mu[0] - reach), min(mu[0] + reach + 1, map_wh[0])):
            away = (column - exact[0]) ** 2 + (row - exact[1]) ** 2
            target[row, column] = math.exp(-away / (2 * sigma**2))
    return target, 1


@pytest.mark.parametrize(("sizes", "sigma"), list(zip(SIZES, (2, 3, 2), strict=True)))
def test_udps_targets_are_the_published_ones(sizes, sigma: int) -> None:
    """Also of joints outside; left of and above the map's first half cell theirs end up to a cell further on."""
    crop_wh, map_wh = sizes
    joints = np.random.default_rng(3).uniform(-40, np.array(crop_wh) + 40, (40, 2)).astype(np.float32)
    batch = {
        "image": torch.zeros(1, 3, *crop_wh[::-1], dtype=torch.uint8),
        "joints": torch.from_numpy(joints)[None],
        "visible": torch.ones(1, 40),
    }
    found = draw_targets(batch, torch.ones(41), stride=4, sigma=sigma, unbiased=True, convention="udp")
    published = [udp_target(joint.astype(float), crop_wh, map_wh, sigma) for joint in joints]
    np.testing.assert_array_equal(found.weights[0, :-1].numpy(), [weight for _, weight in published])
    for joint, ours, (theirs, _) in zip(joints, found.maps[0].numpy(), published, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 if (joint > -2).all() else 0.0052)


def mmpose_decode(heatmap: np.ndarray, kernel: int) -> np.ndarray:
    """`get_heatmap_maximum` and `refine_keypoints_dark_udp` of mmpose, one map: x, y in cells."""
    y, x = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    border = (kernel - 1) // 2
    blurred = cv2.GaussianBlur(np.pad(heatmap, border), (kernel, kernel), 0)[border:-border, border:-border]
    blurred *= heatmap.max() / blurred.max()
    padded = np.pad(np.log(np.clip(blurred.astype(float), 1e-3, 50)), 1, mode="edge")

    def at(dx: int, dy: int) -> float:
        return padded[y + 1 + dy, x + 1 + dx]

    slope = np.array([0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))])
    dxx, dyy = at(1, 0) - 2 * at(0, 0) + at(-1, 0), at(0, 1) - 2 * at(0, 0) + at(0, -1)
    dxy = 0.5 * (at(1, 1) - at(1, 0) - at(0, 1) + 2 * at(0, 0) - at(-1, 0) - at(0, -1) + at(-1, -1))
    hessian = np.array([[dxx, dxy], [dxy, dyy]]) + np.finfo(np.float32).eps * np.eye(2)
    return np.array([x, y]) - np.linalg.inv(hessian) @ slope


def random_maps(seed: int, map_wh: tuple[int, int], sigma: float, count: int = 40) -> np.ndarray:
    """(count, h, w) float32: a peak anywhere, at the borders too, a lower one, and soft noise."""
    rng, (width, height) = np.random.default_rng(seed), map_wh
    x, y = np.arange(width), np.arange(height)[:, None]
    maps = np.zeros((count, height, width))
    for one in maps:
        for peak in (rng.uniform(0.3, 1), 0.2):
            (cx, cy), (sx, sy) = rng.uniform(-1, np.array(map_wh)), sigma * rng.uniform(0.7, 1.3, 2)
            one += peak * np.exp(-((x - cx) ** 2) / (2 * sx**2) - (y - cy) ** 2 / (2 * sy**2))
        one += 0.02 * cv2.GaussianBlur(rng.standard_normal((height, width)), (7, 7), 0)
    return maps.astype(np.float32)


@pytest.mark.parametrize(("sizes", "sigma"), list(zip(SIZES, (2, 3, 2), strict=True)))
def test_udps_decoding_is_the_published_one_back_into_the_picture(sizes, sigma: int) -> None:
    crop_wh, map_wh = sizes
    maps = random_maps(4, map_wh, sigma)
    cells, confidence = heatmaps.decode(torch.from_numpy(maps)[None], "udp", sigma=sigma)
    published = np.array([mmpose_decode(one, 11 if sigma == 2 else 17) for one in maps])
    grid = CellGrid.of("udp", crop_wh, map_wh)
    np.testing.assert_allclose(grid.to_pixels(cells[0]).numpy(), grid.to_pixels(published), atol=1e-3)
    np.testing.assert_array_equal(confidence[0].numpy(), maps.max(axis=(1, 2)))
    for center, size, _ in views(5, crop_wh, count=5):  # `transform_preds`
        back = geometry.invert(geometry.crop_transform(center, size, crop_wh, convention="udp"))
        expected = published * size / (np.array(map_wh) - 1.0) + center - size * 0.5
        found = geometry.apply(back, grid.to_pixels(cells[0]).numpy().astype(float))
        np.testing.assert_allclose(found, expected, atol=1e-3 * max(1, size[0] / crop_wh[0]))


def test_a_flat_or_empty_map_is_decoded_without_a_step() -> None:
    flat = torch.stack([torch.zeros(64, 48), torch.full((64, 48), 1e-4)])[None]
    assert heatmaps.decode(flat, "udp")[0].tolist() == [[[0, 0], [0, 0]]]


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("method", ["dark", "udp"])
def test_perfect_heatmaps_lead_back_to_the_joint(convention: Convention, method: heatmaps.Decoding) -> None:
    """From five cells from the border on; nearer to it both published ways smooth over cells that do not exist."""
    (crop_wh, map_wh), rng = SIZES[0], np.random.default_rng(6)
    grid = CellGrid.of(convention, crop_wh, map_wh)
    low, high = (grid.to_pixels(np.array(cells, float)) for cells in ((5, 5), (42, 58)))
    joints = torch.from_numpy(rng.uniform(low, high, (500, 2)))[None].float()
    joints[0, :250, 0] = torch.from_numpy(rng.uniform(high[0] - 6, high[0], 250))  # the right edge
    maps, _ = heatmaps.render(grid.to_cells(joints), torch.ones(1, 500) > 0, 64, 48, 2.0, unbiased=True)
    found = grid.to_pixels(heatmaps.decode(maps, method)[0])
    assert (found - joints).abs().max() < 0.01


def test_the_last_cell_is_the_last_pixel_but_in_hrnets_geometry() -> None:
    last = [CellGrid.of(name, (192, 256), (48, 64)).to_pixels(np.array([47.0, 63]))[0] for name in CONVENTIONS]
    np.testing.assert_allclose(last, [188, 191, 191])
    boxes = torch.tensor([[[0.0, 8, 188, 252], [0, 0, 0, 0]]])
    assert CellGrid.of("hrnet", (192, 256), (48, 64)).to_cells(boxes).tolist() == (boxes / 4).tolist()


class Perfect:
    """A network that draws its target: each joint of COCO where it was put, left and right told apart."""

    def __init__(self, joints_px: torch.Tensor, convention: Convention) -> None:
        self.joints, self.convention = joints_px, convention

    def __call__(self, crops: torch.Tensor, neighbours: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        renamed = self.joints[torch.from_numpy(COCO_17.flip_order)]
        mirrored = torch.stack([191 - renamed[:, 0], renamed[:, 1]], dim=1)
        joints = torch.stack([self.joints, mirrored])[: len(crops)]
        cells = CellGrid.of(self.convention, (192, 256), (48, 64)).to_cells(joints)
        return heatmaps.render(cells, torch.ones(joints.shape[:2]) > 0, 64, 48, 2.0, unbiased=True)[0]


@pytest.mark.parametrize(("convention", "decode"), [("hrnet", "dark"), ("udp", "udp"), ("darkpose", "dark")])
def test_the_flip_test_moves_a_joint_in_hrnets_geometry_alone(
    convention: Convention, decode: heatmaps.Decoding
) -> None:
    """There a mirrored cell is 0.75 cells off, and 0.25 after the shift: half a pixel in their mean."""
    joints = torch.from_numpy(np.random.default_rng(7).uniform((24, 24), (166, 230), (17, 2))).float()
    network, crop = Perfect(joints, convention), torch.zeros(1, 3, 256, 192, dtype=torch.uint8)
    shift = convention == "hrnet"
    inference = Inference(network, COCO_17, True, shift, decode, 2.0, (), convention)
    found = inference.joints(crop, torch.zeros(1, 1, 4), torch.zeros(1, 4))[0][0]
    assert (found - joints - torch.tensor([0.5 if shift else 0.0, 0])).abs().max() < 0.03
    straight, mirrored = network(torch.cat([crop, crop]), torch.zeros(2, 1, 4), torch.zeros(2, 4))
    turned = heatmaps.unflip(mirrored[None], torch.from_numpy(COCO_17.flip_order), shift=False)[0]
    assert torch.allclose(turned, straight, atol=1e-4) == (not shift)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_mark_in_the_picture_is_where_the_cells_say(convention: Convention) -> None:
    """Crop, network (the crop's brightness, read at the cells' places) and decoding agree."""
    picture = np.zeros((300, 400, 3), np.uint8)
    cv2.circle(picture, (290, 150), 6, (255, 255, 255), -1, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), 5)
    found = crop_people(
        picture, np.array([[100, 50, 300, 250]], np.float32), (192, 256), max_neighbours=1, convention=convention
    )

    def network(crops: torch.Tensor, neighbours: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        grid = CellGrid.of(convention, (192, 256), (48, 64))
        x, y = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="xy")
        places = grid.to_pixels(torch.stack([x, y], dim=-1)) / torch.tensor([191.0, 255]) * 2 - 1
        maps = torch.nn.functional.grid_sample(crops.float().mean(1, keepdim=True), places[None], align_corners=True)
        return maps.expand(-1, 17, -1, -1) / 255

    inference = Inference(network, COCO_17, False, False, "udp", 2.0, (), convention)
    joints, _ = inference.in_picture(found)
    np.testing.assert_allclose(joints[0, 0].numpy(), [290, 150], atol=0.1)
