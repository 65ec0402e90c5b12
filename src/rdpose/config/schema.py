"""What an experiment sets: frozen, typed, complete; the only home of defaults. `loading` reads files of them.

Paths in `data` are relative to `data.root`; sizes are (width, height).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


class ModelSettings(Group):
    backbone: str = "hrnet_w32"
    """hrnet_w32, hrnet_w48, hrnet_small, unet_small, efficientnet_lite0, mobilenet_fpn, resnet18, 34, 50, 101, 152;
    lite_hrnet_18 and 30, lite_hrnet_18_naive and _wider_naive; vit_small, base, large, huge, also with the simple
    decoder (vit_base_simple, ...); one of transformers, hf:facebook/dinov2-small or hf: and a folder; or one of your
    own, package.module:factory (docs/own-backbone.md)."""
    variant: str = "rdpose"
    """What decouples: rdpose (the best found), rdpose-paper, official (the published code), plain (nothing)."""
    image_size: tuple[Count, Count] = (192, 256)
    """Crop given to the network, (width, height) in pixels; both divisible by 32."""
    geometry: Literal["hrnet", "udp", "darkpose"] = "hrnet"
    """How picture, crop and heatmap lie on each other: hrnet, 4 crop pixels a cell; udp (mmpose's use_udp), the crop's
    first and last pixel are the first and last cell; darkpose, almost the same. test.decode and unbiased go with it."""
    padding: Positive = 1.25
    """The crop is so many times as large as the box, once that is widened or heightened to the crop's shape."""
    sigma: Positive = 2.0
    """Standard deviation of a target's Gaussian, in heatmap cells."""
    unbiased: bool = False
    """Targets peak where the joint is (DARK), not at the cell that it rounds to (the family's)."""
    init: str = ""
    """Weights to start from; what fits is taken, the rest is reported."""

    @field_validator("image_size")
    @classmethod
    def _divisible(cls, size: tuple[int, int]) -> tuple[int, int]:
        if any(side % 32 for side in size):
            raise ValueError(f"{list(size)} is not divisible by 32")
        return size


class SourceSettings(Group):
    annotations: str
    """Annotation file, relative to data.root."""
    images: str
    """Folder of pictures, relative to data.root."""
    format: Literal["coco", "mpii"] = "coco"
    boxes: str = ""
    """Detected boxes (COCO results format) for testing with test.boxes = detected."""
    repeat: Count = 1
    """How often each of its people is drawn in one epoch."""


class DataSettings(Group):
    dataset: str = "coco"
    """Name in the paths of results."""
    skeleton: str = "coco"
    """coco, crowdpose, mpii, a YAML file, or `file`: as the test annotations' categories say."""
    root: str = "data/coco"
    """Folder that the sources are below."""
    train: tuple[SourceSettings, ...] = ()
    test: SourceSettings | None = None
    metric: Literal["coco", "crowdpose", "crowdpose-published", "ochuman", "mpii", "pck"] = "coco"
    workers: Annotated[int, Field(ge=0)] = 4
    """Processes that load pictures, no more than there are processors."""
    max_neighbours: Count = 8
    """Other people of a picture that a crop knows of, the nearest first."""


class AugmentSettings(Group):
    flip: Probability = 0.5
    """Mirror the crop."""
    scale: NotNegative = 0.35
    """The crop's size is multiplied by 1 + N(0, scale), cut to 1 +- scale."""
    rotation: NotNegative = 45.0
    """Degrees: N(0, rotation), cut to +-2 rotation, drawn with rotation_probability."""
    rotation_probability: Probability = 0.6
    turn: Probability = 0.0
    """The picture stands on its side or on its head: turned by one, two or three quarters before the rotation."""
    half_body: Probability = 0.3
    half_body_joints: int = 8
    """Half-body crops and close-ups are made of people with more labelled joints than this."""
    close_up: Probability = 0.0
    """Of what is no half body, this share shows a random joint and some of those nearest to it."""
    picture_end: Probability = 0.0
    """The picture of a half body or close-up ends at each side of its box with this probability, black beyond."""
    shift: NotNegative = 0.0
    """The person's box, and the crop with it, moves and grows by N(0, shift) of its size, cut to +-2 shift."""
    shift_far: Probability = 0.0
    """Of the boxes, this share moves and grows three times as far: a detector's errors are small or large."""
    color: NotNegative = 0.0
    """Brightness, contrast and each channel's gain change by up to this share."""
    erase: Probability = 0.0
    """A random rectangle of the crop is painted over with this probability."""


class NeighbourSettings(Group):
    """How the boxes of other people are disturbed in training, so that a detector's errors do no harm."""

    withhold: Probability = 0.2
    """All neighbours are hidden from the network."""
    miss: Probability = 0.1
    """Each neighbour is missing."""
    double: Probability = 0.05
    """Each neighbour is there twice, disturbed on its own."""
    invent: Probability = 0.1
    """A box where nobody is: a detector's false alarm."""
    shift: NotNegative = 0.06
    """Standard deviation of a box's shift, and of its size's change, in units of its size."""


class PerturbationSettings(Group):
    """PDM: where training takes the off-target anchor from; the shares of the three kinds are normalised."""

    neighbour: NotNegative = 1.0
    """The centre of another person in the crop; a random place where there is none."""
    random: NotNegative = 0.5
    shifted: NotNegative = 0.5
    """The person's own centre, moved."""
    shift: Positive = 0.25
    """Standard deviation of that move, in units of the person's box."""


class LossSettings(Group):
    direct: NotNegative = 1.0
    """Weight of the direct heatmaps, the centre among them."""
    decoupled: NotNegative = 1.5
    """Weight of the decoupled heatmaps."""
    perturbed: NotNegative = 1.0
    """Weight of the PDM term; 0 turns PDM off."""
    reduction: Literal["mean", "map_sum"] = "mean"
    """mean: the family's mean over the map; map_sum: the sum over it, which learns faster on small budgets."""
    ohkm_topk: Annotated[int, Field(ge=0)] = 0
    """Only the k hardest joints of each person count; 0 is all."""
    rivals: NotNegative = 0.0
    """How much more an error counts at a neighbour's same joint; it costs AP (docs/method.md)."""
    joint_weights: bool = False
    """Elbows and knees count 1.2, wrists and ankles 1.5 times."""

    @field_validator("rivals", mode="before")
    @classmethod
    def _of_older_files(cls, rivals: Any) -> Any:
        """They say null where they left it to the variant."""
        return 0.0 if rivals is None else rivals


class TrainSettings(Group):
    epochs: Count = 210
    """Passes over the people."""
    batch_size: Count = 32
    """Crops per process and step."""
    optimizer: Literal["adam", "adamw", "sgd", "muon"] = "adam"
    lr: Positive = 1e-3
    """Learning rate."""
    relative_lr: bool = False
    """Parameters step in proportion to their size as drawn, before model.init: layers of few inputs step further."""
    fresh_lr: Positive = 1.0
    """With relative_lr: how many times the rate those take that are drawn near zero, such as the maps of boxes."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each layer of a vit backbone learns at this share of the next one's rate, 1 at the same; .75 for vit_base."""
    schedule: Literal["steps", "cosine"] = "steps"
    lr_steps: tuple[Count, ...] = (170, 200)
    """Epochs after which the learning rate is multiplied by lr_factor."""
    lr_factor: Positive = 0.1
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    weight_decay: NotNegative = 0.0
    """On weights alone, never on biases, norms and learned positions."""
    momentum: Probability = 0.9
    """Of sgd, as is nesterov."""
    nesterov: bool = False
    clip: NotNegative = 0.0
    """Largest gradient norm; 0 is no limit."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of the moving average of the weights, which is then what is tested and shipped; 0 is none."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: bf16 on GPUs that have it, fp32 elsewhere; processors with AVX-512 BF16 or AMX gain from bf16, too."""
    freeze_batch_norm: bool = False
    """Keep the statistics that the network starts with."""
    freeze: tuple[str, ...] = ()
    """Parts of the network that stay as they start, by name: backbone, backbone.conv_stem, ..."""
    sync_batch_norm: bool = True
    """Statistics are shared between GPUs (a CPU cannot)."""
    validate_every: Annotated[int, Field(ge=0)] = 1
    """Epochs between tests; 0 tests never."""
    keep_every: Annotated[int, Field(ge=0)] = 0
    """Epochs between weights that are kept, epoch_<number>.safetensors; 0 keeps the best and the last alone."""
    threads: Annotated[int, Field(ge=0)] = 0
    """CPU threads of the process; 0 leaves torch's choice."""


class TestSettings(Group):
    batch_size: Count = 32
    boxes: Literal["truth", "detected"] = "detected"
    box_score: float = 0.0
    """Detected boxes below this score are left out."""
    neighbour_score: float = 0.3
    """Detected boxes from this score on are neighbours of the others."""
    flip: bool = True
    """Average with the mirrored crop's heatmaps."""
    decode: Literal["quarter", "dark", "udp", "argmax"] = "quarter"
    """How joints are read off heatmaps: quarter (HRNet), dark (DARK, DarkPose), udp (UDP), argmax."""
    shift_heatmap: bool | None = None
    """Flipped heatmaps move one cell before averaging; null is as model.geometry needs it: true with hrnet alone."""
    zoom: tuple[str, ...] = ()
    """Joints that a second look at an enlarged part of the crop finds more closely, at twice the time: [nose, ...]."""
    joint_score: float = 0.2
    """Joints above this confidence make up a pose's score."""
    oks_nms: Annotated[float, Field(gt=0)] = 0.9
    """Poses of one picture that are more alike than this (OKS) are one."""


class Settings(Group):
    name: str = ""
    """Name of the run; by default that of the settings file."""
    output_dir: str = "output"
    seed: Annotated[int, Field(ge=0)] = 0
    """Of weights, order and augmentation."""
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    augment: AugmentSettings = AugmentSettings()
    neighbours: NeighbourSettings = NeighbourSettings()
    perturbation: PerturbationSettings = PerturbationSettings()
    loss: LossSettings = LossSettings()
    train: TrainSettings = TrainSettings()
    test: TestSettings = TestSettings()

    @property
    def run_dir(self) -> Path:
        """output/<dataset>/<backbone>/<name>, as in the HRNet family; package.module:factory has dots alone there."""
        return Path(self.output_dir) / self.data.dataset / self.model.backbone.replace(":", ".") / self.name
