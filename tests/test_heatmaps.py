"""Targets and decoding against per-joint loops written from the family's formulas, and against each other."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdpose import heatmaps, skeletons

SIZES = [(64, 48, 2), (96, 72, 3), (13, 7, 1)]  # height, width, sigma


def family_target(joint, valid, height, width, sigma):
    """One joint's map and weight in the family's steps: round, compare the square with the map, paste."""
    radius = 3 * sigma
    x, y = int(joint[0] + 0.5), int(joint[1] + 0.5)
    left, top, right, bottom = x - radius, y - radius, x + radius + 1, y + radius + 1
    target = np.zeros((height, width), np.float32)
    if not valid or left >= width or top >= height or right < 0 or bottom < 0:
        return target, 0.0
    for row in range(max(top, 0), min(bottom, height)):
        for column in range(max(left, 0), min(right, width)):
            target[row, column] = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2))
    return target, 1.0


def family_argmax(heatmap):
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    return (int(x), int(y)) if heatmap.max() > 0 else (0, 0)


def family_quarter(heatmap):
    (x, y), (height, width) = family_argmax(heatmap), heatmap.shape
    if 1 < x < width - 1 and 1 < y < height - 1:
        right, below = heatmap[y, x + 1] - heatmap[y, x - 1], heatmap[y + 1, x] - heatmap[y - 1, x]
        return x + 0.25 * np.sign(right), y + 0.25 * np.sign(below)
    return x, y


def smooth(heatmap, sigma):
    """The published smoothing: OpenCV's kernel over the map in a frame of zeros, rescaled to the former maximum."""
    kernel = {2: 11, 3: 17}[sigma]
    framed = cv2.GaussianBlur(np.pad(heatmap.astype(np.float64), kernel), (kernel, kernel), 0)
    smoothed = framed[kernel:-kernel, kernel:-kernel]
    return smoothed * heatmap.max() / smoothed.max()


def family_dark(heatmap, sigma):
    """DARK in the published steps: smooth the map, take its log, one Newton step."""
    (x, y), (height, width) = family_argmax(heatmap), heatmap.shape
    log = np.log(np.maximum(smooth(heatmap, sigma), 1e-10))
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return x, y
    slope = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
    mixed = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
    bend_x = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
    bend_y = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
    hessian = np.array([[bend_x, mixed], [mixed, bend_y]])
    if np.linalg.det(hessian) == 0:
        return x, y
    return tuple(np.array([x, y]) - np.linalg.inv(hessian) @ slope)


def positions(size, extra):
    """Joints all over a map of this size and around its borders, on and off whole cells."""
    height, width, sigma = size
    random = np.random.default_rng(extra)
    inside = random.uniform(-4 * sigma, 1, (40, 5, 2)) + random.uniform(0, 1, (40, 5, 2)) * [width, height]
    edge = np.arange(-3 * sigma - 3, width + height + 3 * sigma + 3, 0.5)
    border = np.stack([np.stack([edge, edge * 0 + 3], -1), np.stack([edge * 0 + 3, edge], -1)], axis=1)
    return [np.float32(inside), np.float32(border)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("which", [0, 1])
def test_targets_are_the_familys(size, which):
    joints = positions(size, extra=1)[which]
    valid = np.random.default_rng(2).random(joints.shape[:2]) > 0.2
    targets, weights = heatmaps.render(torch.from_numpy(joints), torch.from_numpy(valid), *size)
    assert targets.dtype == weights.dtype == torch.float32
    for index in np.ndindex(valid.shape):
        expected, weight = family_target(joints[index], valid[index], *size)
        np.testing.assert_allclose(targets[index].numpy(), expected, atol=1e-6)
        assert weights[index] == weight, joints[index]


def test_values_of_unlabelled_joints_never_matter():
    joints = torch.tensor([[[5.0, 5.0], [torch.nan, torch.inf]]])
    targets, weights = heatmaps.render(joints, torch.tensor([[True, False]]), 16, 12, 2)
    assert targets[0, 0].max() == 1
    assert not targets[0, 1].any()
    assert weights.tolist() == [[1, 0]]
    center, known = heatmaps.center_of(joints, torch.tensor([[True, False]]))
    assert center.tolist() == [[5, 5]]
    assert known.tolist() == [True]


def test_center_is_the_mean_of_the_labelled():
    joints = torch.tensor([[[0.0, 0.0], [4.0, 2.0], [100.0, 100.0]], [[1.0, 1.0]] * 3])
    center, known = heatmaps.center_of(joints, torch.tensor([[True, True, False], [False] * 3]))
    assert center.tolist() == [[2, 1], [0, 0]]
    assert known.tolist() == [True, False]


def random_maps(size, count=60):
    """Noisy Gaussians as a network gives them, plain noise, ties, borders, and maps without a positive value."""
    height, width, sigma = size
    random = np.random.default_rng(7)
    joints = torch.from_numpy(random.uniform(-0.1, 1.1, (count, 5, 2)) * [width, height])
    maps = heatmaps.render(joints, torch.ones(count, 5, dtype=torch.bool), height, width, sigma)[0].numpy()
    maps = maps * random.uniform(0.2, 1, (count, 5, 1, 1)) + random.normal(0, 0.02, maps.shape)
    maps[:, 3] = random.normal(0, 1, maps[:, 3].shape)
    maps[:, 4] = np.round(maps[:, 4], 1)
    maps[:5, 4] = -np.abs(maps[:5, 4])
    return maps.astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("method", "reference"), [("argmax", family_argmax), ("quarter", family_quarter)])
def test_decoding_is_the_familys(size, method, reference):
    maps = random_maps(size)
    joints, confidence = heatmaps.decode(torch.from_numpy(maps), method)
    for index in np.ndindex(maps.shape[:2]):
        np.testing.assert_array_equal(joints[index].numpy(), np.float32(reference(maps[index])), err_msg=str(index))
        assert confidence[index] == maps[index].max()


@pytest.mark.parametrize("size", SIZES[:2])
def test_dark_is_the_published(size):
    maps = random_maps(size)[:, :3]
    joints, _ = heatmaps.decode(torch.from_numpy(maps), "dark", sigma=size[2])
    compared = 0
    for index in np.ndindex(maps.shape[:2]):
        x, y = family_argmax(maps[index])
        # Around the largest cell of a map of noise there may be no logarithm; the published step is arbitrary there.
        if (smooth(maps[index], size[2])[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] > 1e-10).all():
            expected = family_dark(maps[index], size[2])
            np.testing.assert_allclose(joints[index].numpy(), expected, atol=2e-4, err_msg=str(index))
            compared += 1
    assert compared > 0.95 * maps[..., 0, 0].size
    assert joints.isfinite().all()


@given(st.floats(3, 44), st.floats(3, 60))
@settings(max_examples=50, deadline=None)
def test_dark_finds_a_gaussian_between_cells(x, y):
    rows, columns = np.mgrid[:64, :48]
    heatmap = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)
    decoded, _ = heatmaps.decode(torch.from_numpy(heatmap)[None, None], "dark", sigma=2)
    away_from_the_border = 10 < x < 37 and 10 < y < 53
    assert np.abs(decoded[0, 0].numpy() - [x, y]).max() <= (2e-3 if away_from_the_border else 0.5 + 1e-3)


def test_how_bright_a_map_is_plays_no_part_until_it_is_next_to_nothing():
    """Below 1e-10 all is black to the published code: no slope, no step."""
    maps, _ = heatmaps.render(
        torch.tensor([[[7.3, 9.6]]]), torch.ones(1, 1, dtype=torch.bool), 20, 16, 2, unbiased=True
    )
    bright, faint, black = (heatmaps.decode(maps * factor, "dark")[0][0, 0] for factor in (1.0, 1e-7, 1e-11))
    torch.testing.assert_close(faint, bright, rtol=0, atol=1e-4)
    torch.testing.assert_close(bright, torch.tensor([7.3, 9.6]), rtol=0, atol=0.01)
    assert black.tolist() == [7, 10]


@pytest.mark.parametrize("fill", [0.0, -1.0, 0.3])
@pytest.mark.parametrize("method", ["argmax", "quarter", "dark"])
def test_flat_maps_point_at_the_first_cell(fill, method):
    joints, confidence = heatmaps.decode(torch.full((1, 2, 16, 12), fill), method)
    assert not joints.any()
    assert torch.equal(confidence, torch.full((1, 2), fill))


@pytest.mark.parametrize("at", [(0, 0), (1, 1), (2, 2), (46, 62), (47, 63), (2, 63)])
def test_quarter_step_at_the_borders(at):
    heatmap = np.random.default_rng(0).random((64, 48)).astype(np.float32)
    heatmap[at[1], at[0]] = 2
    joints, _ = heatmaps.decode(torch.from_numpy(heatmap)[None, None])
    assert tuple(joints[0, 0].tolist()) == family_quarter(heatmap)


@given(st.floats(2, 44), st.floats(2, 60))
@settings(max_examples=50, deadline=None)
def test_encode_and_decode(x, y):
    joints = torch.tensor([[[x, y]]])
    targets, _ = heatmaps.render(joints, torch.ones(1, 1, dtype=torch.bool), 64, 48, 2)
    decoded, confidence = heatmaps.decode(targets, "quarter")
    assert (decoded - joints).abs().max() <= 0.5 + 1e-5
    assert confidence == 1


@pytest.mark.parametrize("sigma", [1.5, 2, 3])
def test_unbiased_targets_peak_between_cells(sigma):
    """The Gaussian itself, and the same labelled joints as the family's targets."""
    size = (64, 48, sigma)
    joints = torch.from_numpy(positions(size, extra=3)[0])
    valid = torch.ones(joints.shape[:2], dtype=torch.bool)
    targets, weights = heatmaps.render(joints, valid, *size, unbiased=True)
    assert torch.equal(weights, heatmaps.render(joints, valid, *size)[1])
    rows, columns = np.mgrid[:64, :48]
    reach = int(3 * sigma) + 0.5
    for index in np.ndindex(valid.shape):
        x, y = joints[index].tolist()
        expected = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) * weights[index].item()
        expected[(np.abs(columns - x) > reach) | (np.abs(rows - y) > reach)] = 0
        np.testing.assert_allclose(targets[index].numpy(), expected, atol=1e-6)


@given(st.floats(9, 38), st.floats(9, 54))
@settings(max_examples=50, deadline=None)
def test_dark_gives_unbiased_targets_back(x, y):
    joints = torch.tensor([[[x, y]]])
    targets, _ = heatmaps.render(joints, torch.ones(1, 1, dtype=torch.bool), 64, 48, 2, unbiased=True)
    decoded, _ = heatmaps.decode(targets, "dark", sigma=2)
    assert (decoded - joints).abs().max() < 0.02


@given(st.floats(3, 44), st.floats(3, 60))
@settings(max_examples=50, deadline=None)
def test_quarter_step_finds_a_gaussian_between_cells_to_a_quarter(x, y):
    rows, columns = np.mgrid[:64, :48]
    heatmap = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)
    decoded, _ = heatmaps.decode(torch.from_numpy(heatmap)[None, None], "quarter")
    assert np.abs(decoded[0, 0].numpy() - [x, y]).max() <= 0.25 + 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("method", ["argmax", "quarter", "dark"])
def test_every_float_type_decodes_in_float32(dtype, method):
    maps = torch.from_numpy(random_maps(SIZES[0], count=4)).to(dtype)
    joints, confidence = heatmaps.decode(maps, method)
    assert joints.dtype == confidence.dtype == torch.float32
    torch.testing.assert_close(joints, heatmaps.decode(maps.float(), method)[0])


def test_unknown_decoding_is_told():
    with pytest.raises(ValueError, match="choose quarter, dark, udp or argmax"):
        heatmaps.decode(torch.zeros(1, 1, 8, 8), "soft")


@pytest.mark.parametrize("shift", [False, True])
def test_unflip_mirrors_renames_and_shifts(shift):
    order = torch.from_numpy(skeletons.get("coco").flip_order)
    maps = torch.rand(2, 17, 8, 6)
    expected = np.zeros(maps.shape, np.float32)
    for joint in range(17):
        expected[:, joint] = maps[:, order[joint]].numpy()[..., ::-1]
    if shift:
        expected[..., 1:] = expected[..., :-1].copy()
    np.testing.assert_array_equal(heatmaps.unflip(maps, order, shift).numpy(), expected)


def test_unflip_twice_is_nothing():
    order = torch.from_numpy(skeletons.get("mpii").flip_order)
    maps = torch.rand(3, 16, 8, 6)
    assert torch.equal(heatmaps.unflip(heatmaps.unflip(maps, order, False), order, False), maps)


@pytest.mark.slow
def test_decoding_exports_with_a_batch_of_any_size(tmp_path):
    import onnxruntime

    pytest.importorskip("onnxscript")

    class Decoders(torch.nn.Module):
        def forward(self, maps):
            return *heatmaps.decode(maps, "quarter"), *heatmaps.decode(maps, "dark")

    maps, file = torch.from_numpy(random_maps(SIZES[0], count=6)[:, :3].copy()), tmp_path / "decode.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        dynamic = {"maps": {0: torch.export.Dim.DYNAMIC}}
        torch.onnx.export(Decoders(), (maps[:2],), file, dynamo=True, dynamic_shapes=dynamic, verbose=False)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for some in (maps, maps[:1]):
        exported = session.run(None, {session.get_inputs()[0].name: some.numpy()})
        for ours, theirs in zip(Decoders()(some), exported, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3)


def test_memory_layout_does_not_matter():
    maps = torch.from_numpy(random_maps(SIZES[0], count=4))
    for method in ("quarter", "dark"):
        expected = heatmaps.decode(maps, method)[0]
        assert torch.equal(heatmaps.decode(maps.to(memory_format=torch.channels_last), method)[0], expected)
