"""What a foreign weights file leaves open (variant, joints, input size): from its shapes, its name, or a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from rdpose import skeletons
from rdpose.checkpoints import key_maps
from rdpose.checkpoints.pickles import Content
from rdpose.config import loading
from rdpose.config.schema import DataSettings, ModelSettings, Settings
from rdpose.data.layouts import LAYOUTS
from rdpose.models.backbones import vit
from rdpose.models.user_backbone import Factory
from rdpose.skeletons import Skeleton

NOBODY = Skeleton("none", (), (), (), ())
"""The joints of a backbone alone."""
UNNAMED = "unnamed"
"""Name of a skeleton whose joints nobody has told."""
SIZES_WH = {"mpii": (256, 256)}
"""Input sizes of the family's data sets other than COCO's."""
COCO_SIZE_WH = (192, 256)
_OTHER_SETS = re.compile(r"(?<![a-z])(aic|animal|ap10k|ap-10k|macaque|h36m|jhmdb|posetrack|lsp)", re.IGNORECASE)
"""In the names of files whose joints are neither COCO's, CrowdPose's nor MPII's, though there may be as many."""
_GEOMETRY_IN_NAME: dict[str, re.Pattern[str]] = {
    "udp": re.compile(r"(?<![a-z])udp(?![a-z])", re.IGNORECASE),
    "darkpose": re.compile(r"(?<![a-z])dark-?pose(?![a-z])", re.IGNORECASE),
}
"""In the names of files of another geometry than HRNet's. mmpose's `dark` is of HRNet's."""
_DECODING = {"udp": "udp", "darkpose": "dark"}
"""How networks of these geometries are decoded; others by the quarter."""


@dataclass(frozen=True)
class Asked:
    """What a person says of a foreign file; None is left to the file."""

    variant: str | None = None
    """`rdpose-paper` reads the published RDPose's weights as the start of a training of the paper's variant. A bare
    state dict of rdpose's own has to be told its variant."""
    skeleton: Skeleton | None = None
    image_size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    geometry: str | None = None
    """hrnet, udp or darkpose: how its crops and heatmaps lie. None: as the file says, else as `like` does."""
    backbone: Factory | None = None
    """What makes the backbone of a user's own that the file is built on; such code runs only where it is asked for."""
    like: ModelSettings | None = None
    """What it is to be tested as. It may be said of a file that knows itself, too, and says nothing there."""
    like_bgr: bool | None = None
    """What the family's settings that it is tested with say (COLOR_RGB); it counts for files of that family alone."""
    bgr: bool | None = None
    """Trained on BGR pictures (COLOR_RGB false). None: as `like_bgr`, else SimpleBaseline of the HRNet family alone."""
    allow_missing: tuple[str, ...] = ()
    """Beginnings of keys (ours) that the file may lack; they start fresh."""
    ignore: tuple[str, ...] = ()
    """Beginnings of keys (the file's) that are left out."""


NOTHING = Asked()


def variant_of(tensors: Mapping[str, Tensor], content: Content, asked: Asked, path: Path) -> str:
    """The variant that tensors under our keys make up.

    Raises:
        ValueError: they cannot be read as the variant asked for, or could be of several.
    """
    official = any(key.startswith("c_attn.") for key in content.tensors)
    if not official and any(key.startswith(("decoupling.", "neighbour_map.")) for key in tensors):
        if asked.variant is None:
            raise ValueError(f"{path} holds rdpose's tensors without their settings; name the variant that they are of")
        return asked.variant
    found = "official" if official else "plain"
    if asked.variant not in (None, found) and (found, asked.variant) != ("official", "rdpose-paper"):
        raise ValueError(
            f"{path} holds a network of variant {found}, which cannot be read as {asked.variant}; "
            f"to start a training of {asked.variant} from it, set model.init={path}"
        )
    return asked.variant or found


def skeleton_of(num_joints: int, content: Content, asked: Asked, path: Path) -> Skeleton:
    """The joints of a head: those asked for, those that the file names, or the known set of as many; nameless ones
    where there is none, or where the file's name is that of a set whose as many joints are others.

    Raises:
        ValueError: the skeleton asked for has another number of joints.
    """
    if not num_joints:
        return NOBODY
    if asked.skeleton:
        if asked.skeleton.num_joints != num_joints:
            raise ValueError(
                f"{path} finds {num_joints} joints, the skeleton {asked.skeleton.name} has "
                f"{asked.skeleton.num_joints}; name a skeleton of {num_joints} joints"
            )
        return asked.skeleton
    if len(content.joints) == num_joints:
        joints = ["head" if joint == "top_head" else joint for joint in content.joints]  # CrowdPose's, in mmpose
        return skeletons.from_category({"keypoints": joints, "skeleton": [(a + 1, b + 1) for a, b in content.limbs]})
    known = {} if _OTHER_SETS.search(path.name) else {one.num_joints: one for one in skeletons.SKELETONS.values()}
    nameless = [f"joint_{index}" for index in range(num_joints)]
    return known.get(num_joints) or skeletons.from_names(nameless, name=UNNAMED)


def settings_of(
    name: str, backbone: str, variant: str, skeleton: Skeleton, asked: Asked, *, udp: bool = False
) -> tuple[Settings, tuple[str, ...]]:
    """Settings for a network, and notes: its input size is a guess, or another than in its name; another geometry.

    Args:
        name: the file's, without its ending. The family and mmpose write its size there as HEIGHTxWIDTH.
        udp: whether the file says of itself that it is in UDP's geometry.
    """
    told = asked.image_size or (asked.like.image_size if asked.like else None)
    named = _size_in(name)
    size = told or named or SIZES_WH.get(skeleton.name, COCO_SIZE_WH)
    sigma = asked.like.sigma if asked.like else 3.0 if size[1] >= 384 else 2.0
    is_vitpose = bool(skeleton.joints) and backbone in vit.VITS
    why_udp = "its configuration says" if udp else "all published ViTPose is" if is_vitpose else ""
    geometry, geometry_notes = geometry_of(name, why_udp, asked)
    model = {"backbone": backbone, "variant": variant, "image_size": size, "sigma": sigma}
    model |= {"geometry": geometry, "unbiased": geometry != "hrnet"}
    shown = f"{size[0]}x{size[1]} (width x height)"
    notes = (f"no input size in its name: {shown} is assumed",) if not (told or named) and skeleton.joints else ()
    if told and named and named != told:
        notes = (f"its name says an input of {named[0]}x{named[1]}; it is asked for {shown}",)
    tree = {"name": name, "model": model, "data": _data_of(skeleton).model_dump()}
    tree |= {"test": {"decode": _DECODING.get(geometry, "quarter")}}
    return loading.from_tree(tree, where=f"settings of {name}"), (*notes, *geometry_notes)


def geometry_of(name: str, why_udp: str, asked: Asked) -> tuple[str, tuple[str, ...]]:
    """A network's geometry, and a note where it is taken from what the file holds (`why_udp`) or its name.

    The settings that it is tested with count before the name where they ask for another geometry than the default.
    """
    if asked.geometry:
        return asked.geometry, ()
    like = asked.like.geometry if asked.like else "hrnet"
    in_name = next((kind for kind, pattern in _GEOMETRY_IN_NAME.items() if pattern.search(name)), None)
    found, why = ("udp", why_udp) if why_udp else (in_name, "its name says")
    if found is None or (like != "hrnet" and not why_udp):
        return like, ()
    return found, (f"read in the geometry {found}, as {why} (else `rdpose convert --geometry hrnet`)",)


def is_bgr(layout: str, backbone: str, asked: Asked) -> bool:
    """Whether a network of foreign layout was trained on BGR pictures."""
    if asked.bgr is not None or layout not in (key_maps.FAMILY, key_maps.RDPOSE):
        return bool(asked.bgr)
    return backbone.startswith("resnet") if asked.like_bgr is None else asked.like_bgr


def note_on_bgr(asked: Asked) -> tuple[str, ...]:
    """Where a file is taken as trained on BGR pictures, and nobody said so of itself: why it is."""
    why = "the family's SimpleBaseline is" if asked.like_bgr is None else "DATASET.COLOR_RGB says"
    return () if asked.bgr else (f"taken as trained on BGR pictures, as {why} (else `rdpose convert --rgb`)",)


def _data_of(skeleton: Skeleton) -> DataSettings:
    tree = {"dataset": skeleton.name, "skeleton": "file", "root": f"data/{skeleton.name}"}
    if skeleton.name in LAYOUTS:
        tree |= {"skeleton": skeleton.name, "metric": LAYOUTS[skeleton.name].metric}
    return DataSettings.model_validate(tree) if skeleton.joints else DataSettings()


def _size_in(name: str) -> tuple[int, int] | None:
    """(width, height) from a name with HEIGHTxWIDTH in it."""
    found = [(int(w), int(h)) for h, w in re.findall(r"(?<!\d)(\d{2,4})x(\d{2,4})(?!\d)", name)]
    return next((size for size in found if not any(side % 32 for side in size)), None)
