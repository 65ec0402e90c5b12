"""Public weights that rdpose reads: what there is, where it lies, and how to have it.

print(table())
fetch("hrnet_w32_coco_256x192", Path("models/pytorch"))     # -> models/pytorch/pose_coco/td-hm_hrnet-w32_...pth
located("hrnet_w32_coco_256x192")                           # that file, or else fetched into the cache

Names say backbone, training set and input size (height x width, as in the family). Addresses and figures are those of
HRNet's README, mmpose's model pages and torchvision; figures are AP on val2017 with the AP-56.4 boxes (COCO), AP
(CrowdPose) and PCKh@0.5 (MPII), each with the flip test.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from rdpose.checkpoints import download
from rdpose.config.loading import suggest

log = logging.getLogger(__name__)

HRNET_ZOO = "https://drive.google.com/drive/folders/1hOTihvbyIxsm5ygDpbUuJ7O_tzv4oXjC"
MMPOSE = "https://download.openmmlab.com/mmpose"
LITE = f"{MMPOSE}/top_down/litehrnet/litehrnet"
COCO = f"{MMPOSE}/v1/body_2d_keypoint/topdown_heatmap/coco/td-hm_"
VITPOSE = f"{COCO}ViTPose-"
TORCHVISION = "https://download.pytorch.org/models"

LICENCES = {HRNET_ZOO: "MIT", MMPOSE: "Apache-2.0", TORCHVISION: "BSD-3-Clause"}

MEGABYTES = {"hrnet_w32": 114, "hrnet_w48": 254, "resnet50": 136, "resnet101": 212, "resnet152": 275}
MEGABYTES |= {"lite_hrnet_18": 5, "lite_hrnet_30": 7}
MEGABYTES |= {"vit_small": 97, "vit_base": 360, "vit_large": 1234, "vit_huge": 2549}
MEGABYTES |= {"vit_small_simple": 87, "vit_base_simple": 344, "vit_large_simple": 1214, "vit_huge_simple": 2524}
"""Four bytes for each parameter of a pose network."""
MEGABYTES_IMAGENET = {"hrnet_w32": 165, "hrnet_w48": 310, "resnet50": 102, "resnet101": 178, "resnet152": 241}


@dataclass(frozen=True)
class PublicWeights:
    """A public weights file. `address` is the file's own, or for files to be fetched by hand that of their folder."""

    name: str
    address: str
    figure: str = ""
    by_hand: bool = False

    @property
    def backbone(self) -> str:
        return re.sub(r"^pose_|_(coco|mpii|crowdpose|imagenet).*", "", self.name)

    @property
    def trained_on(self) -> str:
        return next(word for word in ("coco", "mpii", "crowdpose", "imagenet") if word in self.name)

    @property
    def file(self) -> str:
        """The file's name. HRNet's zoo leaves the data set to the folder, and writes pose_resnet_50."""
        if not self.by_hand:
            return self.address.rsplit("/", 1)[1]
        return re.sub(r"resnet(?=\d)", "resnet_", self.name.replace(f"_{self.trained_on}", "")) + ".pth"

    @property
    def sha256(self) -> str:
        """The first eight digits of the file's hash, where its name carries them."""
        found = re.search(r"-([0-9a-f]{8})(_\d{8})?\.pth$", self.file)
        return found[1] if found else ""

    @property
    def folder(self) -> str:
        """Where the family's settings look for it, below models/pytorch."""
        return "imagenet" if self.trained_on == "imagenet" else f"pose_{self.trained_on}"

    @property
    def licence(self) -> str:
        """Of the project that publishes them."""
        return next(licence for start, licence in LICENCES.items() if self.address.startswith(start))

    @property
    def megabytes(self) -> int:
        return (MEGABYTES_IMAGENET if self.trained_on == "imagenet" else MEGABYTES)[self.backbone]


_ADDRESSES = {
    "hrnet_w32_coco_256x192": (f"{COCO}hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth", "AP 74.9"),
    "hrnet_w32_coco_384x288": (f"{COCO}hrnet-w32_8xb64-210e_coco-384x288-ca5956af_20220909.pth", "AP 76.1"),
    "hrnet_w48_coco_256x192": (f"{COCO}hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth", "AP 75.6"),
    "hrnet_w48_coco_384x288": (f"{COCO}hrnet-w48_8xb32-210e_coco-384x288-c161b7de_20220915.pth", "AP 76.7"),
    "resnet50_coco_256x192": (f"{COCO}res50_8xb64-210e_coco-256x192-04af38ce_20220923.pth", "AP 71.8"),
    "resnet50_coco_384x288": (f"{COCO}res50_8xb64-210e_coco-384x288-7b8db90e_20220923.pth", "AP 73.1"),
    "resnet101_coco_256x192": (f"{COCO}res101_8xb64-210e_coco-256x192-065d3625_20220926.pth", "AP 72.8"),
    "resnet101_coco_384x288": (f"{MMPOSE}/top_down/resnet/res101_coco_384x288-8c71bdc9_20200709.pth", "AP 74.9"),
    "resnet152_coco_256x192": (f"{COCO}res152_8xb32-210e_coco-256x192-0345f330_20220928.pth", "AP 73.6"),
    "resnet152_coco_384x288": (f"{COCO}res152_8xb32-210e_coco-384x288-7fbb906f_20220927.pth", "AP 75.0"),
    "lite_hrnet_18_coco_256x192": (f"{LITE}18_coco_256x192-6bace359_20211230.pth", "AP 64.2"),
    "lite_hrnet_18_coco_384x288": (f"{LITE}18_coco_384x288-8d4dac48_20211230.pth", "AP 67.6"),
    "lite_hrnet_30_coco_256x192": (f"{LITE}30_coco_256x192-4176555b_20210626.pth", "AP 67.6"),
    "lite_hrnet_30_coco_384x288": (f"{LITE}30_coco_384x288-a3aef5c4_20210626.pth", "AP 70.0"),
    "vit_small_coco_256x192": (f"{VITPOSE}small_8xb64-210e_coco-256x192-62d7a712_20230314.pth", "AP 73.9"),
    "vit_base_coco_256x192": (f"{VITPOSE}base_8xb64-210e_coco-256x192-216eae50_20230314.pth", "AP 75.7"),
    "vit_large_coco_256x192": (f"{VITPOSE}large_8xb64-210e_coco-256x192-53609f55_20230314.pth", "AP 78.2"),
    "vit_huge_coco_256x192": (f"{VITPOSE}huge_8xb64-210e_coco-256x192-e32adcd4_20230314.pth", "AP 78.8"),
    "vit_small_simple_coco_256x192": (
        f"{VITPOSE}small-simple_8xb64-210e_coco-256x192-4c101a76_20230314.pth",
        "AP 73.6",
    ),
    "vit_base_simple_coco_256x192": (
        f"{VITPOSE}base-simple_8xb64-210e_coco-256x192-0b8234ea_20230407.pth",
        "AP 75.6",
    ),
    "vit_large_simple_coco_256x192": (
        f"{VITPOSE}large-simple_8xb64-210e_coco-256x192-3a7ee9e1_20230314.pth",
        "AP 78.1",
    ),
    "vit_huge_simple_coco_256x192": (
        f"{VITPOSE}huge-simple_8xb64-210e_coco-256x192-ffd48c05_20230314.pth",
        "AP 78.9",
    ),
    "hrnet_w32_crowdpose_256x192": (
        f"{MMPOSE}/top_down/hrnet/hrnet_w32_crowdpose_256x192-960be101_20201227.pth",
        "AP 67.5",
    ),
    "resnet50_crowdpose_256x192": (
        f"{MMPOSE}/top_down/resnet/res50_crowdpose_256x192-c6a526b6_20201227.pth",
        "AP 63.7",
    ),
    "resnet101_crowdpose_256x192": (
        f"{MMPOSE}/top_down/resnet/res101_crowdpose_256x192-8f5870f4_20201227.pth",
        "AP 64.7",
    ),
    "resnet152_crowdpose_256x192": (
        f"{MMPOSE}/top_down/resnet/res152_crowdpose_256x192-dbd49aba_20201227.pth",
        "AP 65.6",
    ),
    "hrnet_w32_mpii_256x256": (f"{MMPOSE}/top_down/hrnet/hrnet_w32_mpii_256x256-6c4f923f_20200812.pth", "PCKh 90.0"),
    "hrnet_w48_mpii_256x256": (f"{MMPOSE}/top_down/hrnet/hrnet_w48_mpii_256x256-92cab7bd_20200812.pth", "PCKh 90.1"),
    "resnet50_mpii_256x256": (f"{MMPOSE}/top_down/resnet/res50_mpii_256x256-418ffc88_20200812.pth", "PCKh 88.2"),
    "resnet101_mpii_256x256": (f"{MMPOSE}/top_down/resnet/res101_mpii_256x256-416f5d71_20200812.pth", "PCKh 88.8"),
    "resnet152_mpii_256x256": (f"{MMPOSE}/top_down/resnet/res152_mpii_256x256-3ecba29d_20200812.pth", "PCKh 88.9"),
    "hrnet_w32_imagenet": (f"{MMPOSE}/pretrain_models/hrnet_w32-36af842e.pth", ""),
    "hrnet_w48_imagenet": (f"{MMPOSE}/pretrain_models/hrnet_w48-8ef0771d.pth", ""),
    "resnet50_imagenet": (f"{TORCHVISION}/resnet50-19c8e357.pth", ""),
    "resnet101_imagenet": (f"{TORCHVISION}/resnet101-5d3b4d8f.pth", ""),
    "resnet152_imagenet": (f"{TORCHVISION}/resnet152-b121ed2d.pth", ""),
}
_BY_HAND = {
    "pose_hrnet_w32_coco_256x192": "AP 74.4",
    "pose_hrnet_w32_coco_384x288": "AP 75.8",
    "pose_hrnet_w48_coco_256x192": "AP 75.1",
    "pose_hrnet_w48_coco_384x288": "AP 76.3",
    "pose_resnet50_coco_256x192": "AP 70.4",
    "pose_resnet50_coco_384x288": "AP 72.2",
    "pose_resnet101_coco_256x192": "AP 71.4",
    "pose_resnet101_coco_384x288": "AP 73.6",
    "pose_resnet152_coco_256x192": "AP 72.0",
    "pose_resnet152_coco_384x288": "AP 74.3",
    "pose_hrnet_w32_mpii_256x256": "PCKh 90.3",
    "pose_hrnet_w48_mpii_256x256": "",
    "pose_resnet50_mpii_256x256": "PCKh 88.5",
    "pose_resnet101_mpii_256x256": "PCKh 89.1",
    "pose_resnet152_mpii_256x256": "PCKh 89.6",
}
FOLDER = Path("models/pytorch")
"""Where `rdpose weights` puts files and the family's settings look for them."""
PUBLIC = {
    **{name: PublicWeights(name, address, figure) for name, (address, figure) in _ADDRESSES.items()},
    **{name: PublicWeights(name, HRNET_ZOO, figure, by_hand=True) for name, figure in _BY_HAND.items()},
}


SHORT_NAMES = {f"vitpose_{size}": f"vit_{size}_coco_256x192" for size in ("small", "base", "large", "huge")}


def table(public: dict[str, PublicWeights] = PUBLIC) -> str:
    """One line for each: name, size, figure, hash, address."""
    rows = [("name", "MB", "figure", "sha256", "address")]
    rows += [(w.name, f"~{w.megabytes}", w.figure, w.sha256, w.address) for w in public.values() if not w.by_hand]
    rows += [(w.name, f"~{w.megabytes}", w.figure, w.sha256, w.file) for w in public.values() if w.by_hand]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    hand = f"pose_*: HRNet's own zoo, fetched by hand as the named file from {HRNET_ZOO}"
    return "\n".join([*lines, hand] if any(w.by_hand for w in public.values()) else lines)


def located(weights: str | Path, folder: Path = FOLDER) -> Path:
    """The file that is meant by a path, or by the name of public weights; these are fetched into the cache.

    Raises:
        FileNotFoundError: it is the name of public weights that have to be fetched by hand, or before several
            processes need them; how is told.
        ValueError: as `download.fetch`.
    """
    path = Path(weights)
    if path.exists() or (known := PUBLIC.get(SHORT_NAMES.get(str(weights), str(weights)))) is None:
        return path
    fetched = folder / known.folder / known.file
    if fetched.is_file():
        return fetched
    if known.by_hand or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        by_hand = f"fetch {known.file} from {known.address} to {fetched}"
        remedy = by_hand if known.by_hand else f"`rdpose weights {known.name}` does it"
        raise FileNotFoundError(f"{known.name} is the name of public weights, which are not in {fetched} yet: {remedy}")
    kept = cache() / known.file
    if not kept.is_file():
        log.info(f"fetching {known.name} from {known.address} into {kept.parent}")
    return download.fetch(known.address, kept, sha256=known.sha256)


def cache() -> Path:
    """Folder of what was fetched by name: $RDPOSE_CACHE, or .cache/rdpose in the user's own folder."""
    return Path(os.environ.get("RDPOSE_CACHE") or Path.home() / ".cache/rdpose")


def start_of(backbone: str) -> PublicWeights | None:
    """The public weights of ImageNet that published trainings of a backbone start from, if there are any."""
    return PUBLIC.get(f"{backbone}_imagenet")


def fetch(name: str, folder: Path, public: dict[str, PublicWeights] = PUBLIC) -> Path:
    """Fetch public weights to where the family's settings look for them below `folder`; returns the file.

    Raises:
        ValueError: no such name, weights to be fetched by hand, or as `download.fetch`.
    """
    if name not in public:
        near = suggest(name, public)
        instead = f"did you mean {near}?" if near else "`rdpose weights` lists them"
        raise ValueError(f"there are no public weights {name}; {instead}")
    known = public[name]
    path = folder / known.folder / known.file
    if known.by_hand:
        raise ValueError(
            f"{name} lies in a folder that a browser opens alone: fetch {known.file} from {known.address} to {path}"
        )
    return download.fetch(known.address, path, sha256=known.sha256)
