"""The network that is shipped: sizes, kinds of input, boxes known or not, one's own backbone, PDM nowhere in it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rdpose.engine.training_step import LossWeights, RDPoseForTraining
from rdpose.geometry import CellGrid
from rdpose.models import builders
from rdpose.models.box_conditioning import box_maps
from rdpose.models.decoupling import FeatureDecoupling
from rdpose.models.losses import heatmap_loss
from rdpose.models.perturbation import Perturbation
from rdpose.models.rdpose import RDPose

NEIGHBOURS = torch.tensor([[[0.0, 0.0, 30.0, 60.0], [0.0, 0.0, 0.0, 0.0]]])
BOX = torch.tensor([[20.0, 10.0, 50.0, 90.0]])


class Patches(nn.Module):
    """A backbone of a user's: one convolution at stride 4."""

    channels, stride = 5, 4

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 5, 7, 4, 3)

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(self.layer(image))


def shuffled(network: nn.Module) -> nn.Module:
    """With random weights everywhere, also where training starts from zero."""
    torch.manual_seed(5)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network.eval()


def pictures(height: int = 96, width: int = 64, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("variant", builders.VARIANTS)
@pytest.mark.parametrize("known", [False, True], ids=["alone", "with boxes"])
def test_every_variant_gives_one_map_for_each_joint(variant: str, known: bool) -> None:
    network = builders.build("hrnet_small", variant, num_joints=11).eval()
    boxes = (NEIGHBOURS.expand(2, -1, -1), BOX.expand(2, -1)) if known else ()
    heatmaps = network(pictures(count=2), *boxes)
    assert heatmaps.shape == (2, 11, 24, 16)
    assert heatmaps.isfinite().all()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 160), (256, 192)])
@pytest.mark.parametrize("backbone", ["hrnet_small", "resnet18"])
def test_any_size_divisible_by_32(backbone: str, height: int, width: int) -> None:
    network = builders.build(backbone, "rdpose", num_joints=3).eval()
    assert network(pictures(height, width), NEIGHBOURS, BOX).shape == (1, 3, height // 4, width // 4)


@pytest.mark.parametrize("variant", builders.VARIANTS)
def test_a_network_of_ones_own(variant: str) -> None:
    network = builders.build(Patches(), variant, num_joints=4).eval()
    assert network(pictures(), NEIGHBOURS, BOX).shape == (1, 4, 24, 16)


class Other(Patches):
    """Patches with other attributes, whose forward may give something else than a map."""

    def __init__(self, give=lambda features: features, **attributes: object) -> None:
        super().__init__()
        self.give = give
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, image: Tensor) -> Tensor:
        return self.give(super().forward(image))


@pytest.mark.parametrize("variant", ["rdpose", "plain", "official"])
@pytest.mark.parametrize(
    ("backbone", "told"),
    [
        (
            nn.Linear(3, 4),
            r"Linear is no backbone: it has no channels and no stride; set both \(`channels` is one whole",
        ),
        (Other(channels=[96]), r"Other is no backbone: it has channels = \[96\]; set both"),
        (Other(stride=None), r"Other is no backbone: it has stride = None; set both"),
        (Other(channels=[96], stride=True), r"it has channels = \[96\] and stride = True; set both"),
        (Other(channels=0), r"it has channels = 0; set both"),
    ],
)
def test_a_module_that_does_not_say_its_sizes_is_told_what_it_has_and_lacks(
    backbone: nn.Module, told: str, variant: str
) -> None:
    with pytest.raises(ValueError, match=told):
        builders.build(backbone, variant, num_joints=4)


@pytest.mark.parametrize("variant", builders.VARIANTS)
@pytest.mark.parametrize(
    ("backbone", "told"),
    [
        (Other(channels=7), "gives 5 channels where its `channels` say 7: set channels = 5"),
        (Other(lambda features: {"map": features}), "gives a dict and no tensor: let its forward return one map"),
        (
            Other(lambda features: features.flatten(2)),
            r"gives a tensor of shape \(1, 5, 384\): let its forward return a",
        ),
    ],
)
def test_a_map_that_is_not_as_the_module_says_is_told_in_the_first_forward(
    backbone: nn.Module, told: str, variant: str
) -> None:
    network = builders.build(backbone, variant, num_joints=4).eval()
    with pytest.raises(ValueError, match=f"the backbone {told}"):
        network(pictures(), NEIGHBOURS, BOX)


def test_a_stem_that_is_not_as_the_module_says_is_told() -> None:
    backbone = builders.build_backbone("hrnet_small")
    backbone.stem_channels = 3  # type: ignore
    network = builders.build(backbone, "rdpose", num_joints=4).eval()
    with pytest.raises(
        ValueError, match=r"stem gives \d+ channels where its `stem_channels` say 3: set stem_channels ="
    ):
        network(pictures(), NEIGHBOURS, BOX)


@pytest.mark.parametrize(("backbone", "variant", "known"), [("vgg", "plain", "hrnet_w32"), ("resnet18", "x", "plain")])
def test_unknown_names_are_refused_with_the_known_ones(backbone: str, variant: str, known: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown .*{known}"):
        builders.build(backbone, variant, num_joints=4)


def test_uint8_is_float_in_0_to_255() -> None:
    network = shuffled(builders.build("hrnet_small", "rdpose", num_joints=4))
    assert torch.equal(network(pictures()), network(pictures().float()))


def test_pictures_are_normalised_inside() -> None:
    network = builders.build(Patches(), "plain", num_joints=4)
    assert isinstance(network, RDPose)
    image = torch.tensor([255 * 0.485, 255 * 0.456 + 255 * 0.224, 0.0]).view(1, 3, 1, 1)
    found = network.normalise(image).flatten().tolist()
    assert found == pytest.approx([0, 1, -0.406 / 0.225], abs=1e-5)


def test_boxes_count_where_they_are_known_and_padding_does_not() -> None:
    network = shuffled(builders.build("hrnet_small", "rdpose", num_joints=4))
    with_boxes = network(pictures(), NEIGHBOURS, BOX)
    assert (with_boxes - network(pictures())).abs().max() > 1e-4
    assert (with_boxes - network(pictures(), NEIGHBOURS + 20 * (NEIGHBOURS > 0), BOX)).abs().max() > 1e-4
    nobody = (torch.zeros(1, 0, 4), torch.zeros(1, 4))
    for one, same in ((with_boxes, (NEIGHBOURS[:, :1], BOX)), (network(pictures()), nobody)):
        torch.testing.assert_close(one, network(pictures(), *same), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("variant", ["plain", "rdpose-paper", "official"])
def test_other_variants_take_no_notice_of_boxes(variant: str) -> None:
    network = shuffled(builders.build("hrnet_small", variant, num_joints=4))
    assert torch.equal(network(pictures(), NEIGHBOURS, BOX), network(pictures()))


@pytest.mark.parametrize("variant", ["rdpose", "rdpose-paper", "plain"])
def test_people_of_one_batch_do_not_touch_each_other(variant: str) -> None:
    network = shuffled(builders.build("hrnet_small", variant, num_joints=4)).double()
    both = pictures(count=2)
    boxes = (torch.cat([NEIGHBOURS, NEIGHBOURS + 5]), torch.cat([BOX, BOX - 5]))
    together = network(both, *boxes)
    for row in range(2):
        alone = network(both[row : row + 1], *(part[row : row + 1] for part in boxes))
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-9, rtol=0)


def test_the_paper_is_direct_heatmaps_then_fdm_at_their_peak() -> None:
    network = shuffled(builders.build("hrnet_small", "rdpose-paper", num_joints=4))
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    features = network.backbone((pictures() / 255 - mean) / std)
    center = network.head(features)[0, -1]
    anchor = torch.tensor([[center.argmax() % 16, center.argmax() // 16]]).float()
    expected = network.head(network.decoupling(features, anchor))[:, :-1]
    torch.testing.assert_close(network(pictures()), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("variant", "parameters"), [("plain", 28_536_113), ("rdpose-paper", 28_540_414)])
def test_number_of_parameters(variant: str, parameters: int) -> None:
    with torch.device("meta"):
        network = builders.build("hrnet_w32", variant, num_joints=17)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_fdm_adds_under_half_a_per_cent_of_work_to_hrnet() -> None:
    work, backbone = {}, builders.build_backbone("hrnet_w32")
    for variant in ("plain", "rdpose-paper", "rdpose"):
        network = builders.build(backbone, variant, num_joints=17).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(pictures(128, 96), NEIGHBOURS, BOX)
        work[variant] = counter.get_total_flops()
    # Two for each multiply-add; 7.1 G of these are published for a picture of four times the size.
    assert work["plain"] * 4 / 2 == pytest.approx(7.1e9, rel=0.1)
    assert work["plain"] < work["rdpose-paper"] < 1.005 * work["plain"]
    assert work["plain"] < work["rdpose"] < work["rdpose-paper"]


def trained(variant: str, *, perturb: bool) -> RDPose:
    """A network after one step of training, with or without PDM."""
    torch.manual_seed(1)
    network = builders.build(Patches(), variant, num_joints=4)
    assert isinstance(network, RDPose)
    perturbation = Perturbation(neighbour=1, random=1, shifted=1, shift=0.2) if perturb else None
    training = RDPoseForTraining(network, perturbation, loss=heatmap_loss, weights=LossWeights(1.0, 1.5, 1.0), sigma=2)
    terms = training(
        {
            "image": pictures(),
            "joints": torch.full((1, 4, 2), 30.0),
            "visible": torch.ones(1, 4),
            "box": BOX,
            "neighbours": NEIGHBOURS,
            "draws": torch.full((1, 4), 0.4),
        }
    )
    assert ("perturbed" in terms) == perturb
    terms["loss"].backward()
    return network.eval()


def graph_of(network: nn.Module) -> list[str]:
    program = torch.export.export(network, (pictures().float(), NEIGHBOURS, BOX))
    return [f"{node.op} {node.target} {node.args}" for node in program.graph.nodes]


@pytest.mark.parametrize("variant", ["rdpose", "rdpose-paper"])
def test_a_network_trained_with_pdm_is_the_same_network(variant: str) -> None:
    """Parameters, operations and the exported graph."""
    with_pdm, without = trained(variant, perturb=True), trained(variant, perturb=False)
    assert [(k, v.shape) for k, v in with_pdm.state_dict().items()] == [
        (k, v.shape) for k, v in without.state_dict().items()
    ]
    assert str(with_pdm) == str(without)
    assert graph_of(with_pdm) == graph_of(without)
    assert not any(isinstance(module, Perturbation) for module in with_pdm.modules())


def test_without_decoupling_there_is_no_centre() -> None:
    plain, paper = (builders.build("hrnet_small", v, num_joints=4) for v in ("plain", "rdpose-paper"))
    assert plain.head.out_channels == 4
    assert paper.head.out_channels == 5
    assert plain.decoupling is None
    assert isinstance(paper.decoupling, FeatureDecoupling)


@torch.no_grad()
def test_boxes_reach_the_coarser_levels() -> None:
    torch.manual_seed(0)
    network = builders.build("unet_small", "boxes", num_joints=3).eval()
    unknown, known = network(pictures()), network(pictures(), NEIGHBOURS, BOX)
    assert torch.equal(unknown, known)  # an untrained map changes nothing
    assert network.neighbour_map is not None
    nn.init.normal_(network.neighbour_map.coarser[2].weight)
    assert torch.equal(network(pictures()), unknown)
    assert (network(pictures(), NEIGHBOURS, BOX) - unknown).abs().max() > 1e-4


@torch.no_grad()
def test_a_backbone_of_one_piece_takes_boxes_before_its_first_layer_alone() -> None:
    whole = Patches()
    whole.coarser_channels = (7,)
    network = RDPose(whole, 3, neighbour_aware=True).eval()
    assert network.neighbour_map is not None
    assert len(network.neighbour_map.coarser) == 0
    assert network(pictures(), NEIGHBOURS, BOX).shape == (1, 3, 24, 16)


def test_a_centre_map_without_a_peak_leaves_the_anchor_to_the_box() -> None:
    """Below zero everywhere, the map times the prior would be largest where the box is not."""
    network = builders.build("hrnet_small", "rdpose", num_joints=2).eval()
    maps = box_maps(NEIGHBOURS, BOX, torch.zeros(1, 1, 24, 16), CellGrid((4.0, 4.0), (0.0, 0.0)))
    direct = torch.full((1, 3, 24, 16), -1.0)
    middle = (BOX[0, :2] + BOX[0, 2:]) / 2 / 4
    assert (network.anchor(direct, maps)[0] - middle).abs().max() <= 0.5
    direct[0, -1, 2, 1] = 1.0  # a peak far off counts for nothing, one near the middle does
    assert (network.anchor(direct, maps)[0] - middle).abs().max() <= 0.5
    direct[0, -1, 14, 9] = 1.0
    assert network.anchor(direct, maps)[0].tolist() == [9, 14]


class OfPatches(nn.Module):
    """A backbone of patches of 14 pixels, as DINOv2's; it says that its stride is `stride`."""

    def __init__(self, stride: int = 14) -> None:
        super().__init__()
        self.channels, self.stride = 5, stride
        self.embed = nn.Conv2d(3, 5, kernel_size=14, stride=14)

    def forward(self, image: Tensor) -> Tensor:
        return self.embed(image)


@pytest.mark.parametrize("variant", builders.VARIANTS)
def test_a_stride_that_does_not_divide_the_crop_is_refused(variant: str) -> None:
    """13x18 cells of 14 pixels are not 192x256: a target at 100 / 14 would be read at 100 / 14 * 192 / 13 = 105.5."""
    network = builders.build(OfPatches(), variant, num_joints=4).eval()
    with pytest.raises(ValueError, match=r"makes 13x18 cells of a crop of 192x256, which its stride of 14 does not"):
        network(torch.zeros(1, 3, 256, 192))
    assert network(torch.zeros(1, 3, 448, 224)).shape == (1, 4, 32, 16)


@pytest.mark.parametrize("variant", ["plain", "official"])
def test_a_backbone_that_says_another_stride_than_it_has_is_refused(variant: str) -> None:
    network = builders.build(OfPatches(stride=16), variant, num_joints=4).eval()
    with pytest.raises(ValueError, match=r"makes 16x32 cells of a crop of 224x448, which its stride of 16 does not"):
        network(torch.zeros(1, 3, 448, 224))
