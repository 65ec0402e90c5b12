"""Joint sets as data: names, limbs, flip pairs and OKS sigmas of COCO-17, CrowdPose-14, MPII-16 and one's own.

skeletons.get("coco")
skeletons.get("hand.yaml")      # one's own: only `joints` must be there

joints: [wrist, left_thumb, right_thumb]
limbs: [[wrist, left_thumb], [wrist, right_thumb]]      # names, or indices from 0
flip_pairs: [[left_thumb, right_thumb]]                 # left out: names that differ by left and right
sigmas: {wrist: 0.05}                                   # or a list; left out: DEFAULT_SIGMA
upper_body: [wrist]                                     # for half-body crops; left out: all but hips, legs and feet
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}  # words of names
DEFAULT_SIGMA = 0.079
"""OKS sigma of a joint whose set names none: that of a COCO shoulder, the median of the body's joints."""


@dataclass(frozen=True)
class Skeleton:
    """A joint set. Indices in `limbs`, `flip_pairs` and `upper_body` count from 0 in the order of `joints`."""

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    upper_body: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.sigmas) != self.num_joints:
            raise ValueError(f"skeleton {self.name}: {len(self.sigmas)} sigmas for {self.num_joints} joints")
        if len(set(self.joints)) != self.num_joints:
            raise ValueError(f"skeleton {self.name}: joint names are not unique")
        used = [index for pairs in (self.limbs, self.flip_pairs) for pair in pairs for index in pair]
        if any(not 0 <= index < self.num_joints for index in (*used, *self.upper_body)):
            raise ValueError(f"skeleton {self.name}: a limb, flip pair or upper-body joint is not one of its joints")

    @property
    def num_joints(self) -> int:
        return len(self.joints)

    @cached_property
    def flip_order(self) -> np.ndarray:
        """(joints,) int64: the index of each joint's mirror image; `joints[flip_order]` renames after a flip."""
        order = np.arange(self.num_joints)
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return order

    def columns_in(self, other: Skeleton) -> np.ndarray:
        """(joints,) int64: where each of these joints stands in `other`, by name; -1 where it has no such joint."""
        return np.array([other.joints.index(name) if name in other.joints else -1 for name in self.joints])

    def places(self, names: Sequence[str]) -> tuple[int, ...]:
        """Where joints of these names stand.

        Raises:
            ValueError: there is no such joint.
        """
        unknown = [name for name in names if normal_name(name) not in self.joints]
        if unknown:
            raise ValueError(f"{self.name} has no joint {unknown[0]!r}; its joints are {', '.join(self.joints)}")
        return tuple(self.joints.index(normal_name(name)) for name in names)


def from_names(
    joints: Sequence[str],
    *,
    name: str = "own",
    limbs: Sequence[Sequence[int]] = (),
    sigmas: Sequence[float] | None = None,
    flip_pairs: Sequence[Sequence[int]] | None = None,
    upper_body: Sequence[int] | None = None,
) -> Skeleton:
    """A skeleton from joint names, which are written in one way: "Left Hip" is left_hip.

    Left out, flip pairs come from names that differ by left and right, sigmas are `DEFAULT_SIGMA`, and the upper body
    is what is neither hip, leg nor foot, or the first half where that is everything or nothing.

    Raises:
        ValueError: names repeat, or an index or a number of sigmas does not fit them.
    """
    names = tuple(normal_name(joint) for joint in joints)
    return Skeleton(
        name=name,
        joints=names,
        limbs=tuple((int(a), int(b)) for a, b in limbs),
        sigmas=tuple(float(s) for s in sigmas) if sigmas is not None else (DEFAULT_SIGMA,) * len(names),
        flip_pairs=tuple((int(a), int(b)) for a, b in (find_flip_pairs(names) if flip_pairs is None else flip_pairs)),
        upper_body=tuple(upper_body) if upper_body is not None else _upper_half(names),
    )


def difference(these: Sequence[str], those: Sequence[str]) -> str:
    """Where two lists of joints part first, in words; nothing where they are the same."""
    pairs = enumerate(zip_longest(these, those, fillvalue="none"), start=1)
    return next((f"joint {place} is {this} and {that}" for place, (this, that) in pairs if this != that), "")


def normal_name(joint: str) -> str:
    """A joint's name in lower case with underscores, its side first: "Left Hip", "l-hip", "Hip.L" are all left_hip."""
    words = re.findall(r"[^\s\-_.]+", str(joint).lower())
    sides = [place for place, word in enumerate(words) if word in SIDES]
    if len(sides) == 1 and len(words) > 1:
        words = [SIDES[words.pop(sides[0])], *words]
    return "_".join(words)


def find_flip_pairs(joints: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of joints whose normal names differ by left and right alone: left_knee, right_knee; "Hip.L", "Hip.R"."""
    index = {normal_name(name): i for i, name in enumerate(joints)}
    mirrored = [index.get(_mirror_name(name), -1) for name in index]
    return [(i, mirror) for i, mirror in enumerate(mirrored) if i < mirror]


def _mirror_name(name: str) -> str:
    sides = {"left": "right", "right": "left", "l": "r", "r": "l"}
    return re.sub(r"left|right|(?<![^_])[lr](?![^_])", lambda side: sides[side[0]], name)


def _upper_half(joints: Sequence[str]) -> tuple[int, ...]:
    lower = re.compile(r"hip|pelvis|leg|knee|ankle|foot|feet|heel|toe")
    upper = tuple(i for i, name in enumerate(joints) if not lower.search(name))
    return upper if 0 < len(upper) < len(joints) else tuple(range((len(joints) + 1) // 2))


def from_category(category: Mapping[str, Any], name: str = "own") -> Skeleton:
    """The skeleton of a COCO category (`keypoints`: names, `skeleton`: limbs from 1); a built-in one of equal joints.

    Limbs that name joints which do not exist (CrowdPose) are dropped; a file that surely counts from 0 is taken so.

    Raises:
        ValueError: joints repeat, or a limb is not a pair of numbers.
    """
    own = from_names(category["keypoints"], name=name)
    built_in = [skeleton for skeleton in SKELETONS.values() if skeleton.joints == own.joints]
    limbs = _limbs_from_0(category.get("skeleton") or (), own.num_joints, name)
    possible = [limb for limb in limbs if all(0 <= end < own.num_joints for end in limb)]
    return built_in[0] if built_in else from_names(own.joints, name=name, limbs=possible)


def _limbs_from_0(limbs: Sequence[Sequence[int]], num_joints: int, name: str) -> list[tuple[int, int]]:
    """COCO counts joints from 1; some tools' files, where a 0 and no `num_joints` give it away, from 0."""
    try:
        pairs = [(int(a), int(b)) for a, b in limbs]
    except (TypeError, ValueError):
        raise ValueError(f"{name}: `skeleton` of a category is not a list of pairs of numbers, as [[1, 2]]") from None
    ends = [end for pair in pairs for end in pair]
    first = 0 if ends and min(ends) == 0 and max(ends) < num_joints else 1
    return [(a - first, b - first) for a, b in pairs]


def to_dict(skeleton: Skeleton) -> dict[str, Any]:
    """A skeleton as JSON or YAML holds it, joints by their names; `from_dict` reads it."""
    name_of = skeleton.joints.__getitem__
    return {
        "name": skeleton.name,
        "joints": list(skeleton.joints),
        "limbs": [[name_of(a), name_of(b)] for a, b in skeleton.limbs],
        "sigmas": list(skeleton.sigmas),
        "flip_pairs": [[name_of(a), name_of(b)] for a, b in skeleton.flip_pairs],
        "upper_body": [name_of(joint) for joint in skeleton.upper_body],
    }


def from_dict(content: Mapping[str, Any], *, source: str = "skeleton") -> Skeleton:
    """A skeleton from a mapping as in this file's first lines.

    Args:
        content: must hold `joints`.
        source: the file's name, for errors, and the skeleton's where it has none.

    Raises:
        ValueError: a key is unknown, `joints` is missing, or a joint is not among them.
    """
    keys = [field.name for field in fields(Skeleton)]
    if not isinstance(content, Mapping) or not isinstance(content.get("joints"), (list, tuple)):
        raise ValueError(f"{source} is not a skeleton: it has no list `joints`")
    try:
        if unknown := set(content) - set(keys):
            raise ValueError(f"unknown key {min(unknown)}; there are {', '.join(keys)}")
        return _from_known_keys(content, Path(source).stem)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{source} is not a skeleton: {error}") from None


def _from_known_keys(content: Mapping[str, Any], default_name: str) -> Skeleton:
    names = [normal_name(joint) for joint in content["joints"]]

    def index(joint: str | int) -> int:
        if not isinstance(joint, int) and normal_name(joint) not in names:
            raise ValueError(f"{joint} is not one of its joints, {', '.join(names)}")
        return joint if isinstance(joint, int) else names.index(normal_name(joint))

    def indices(key: str) -> list[list[int]] | None:
        return [[index(end) for end in pair] for pair in content[key]] if key in content else None

    sigmas = content.get("sigmas")
    if isinstance(sigmas, Mapping):
        given = {index(joint): sigma for joint, sigma in sigmas.items()}
        sigmas = [given.get(joint, DEFAULT_SIGMA) for joint in range(len(names))]
    return from_names(
        names,
        name=content.get("name", default_name),
        limbs=indices("limbs") or (),
        sigmas=sigmas,
        flip_pairs=indices("flip_pairs"),
        upper_body=[index(joint) for joint in content["upper_body"]] if "upper_body" in content else None,
    )


def from_file(path: Path | str) -> Skeleton:
    """A skeleton from a YAML file (see this file's first lines).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not YAML, or not a skeleton.
    """
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"skeleton file {path} does not exist; check its path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    return from_dict(content, source=str(path))


def get(name: str) -> Skeleton:
    """The built-in skeleton called `name` (coco, crowdpose or mpii), or that of a YAML file."""
    if name.lower().endswith((".yaml", ".yml")):
        return from_file(name)
    if name not in SKELETONS:
        raise ValueError(f"unknown skeleton {name!r}; there are {', '.join(SKELETONS)}, or name a .yaml file")
    return SKELETONS[name]


# Sigmas of COCO: cocodataset.org/#keypoints-eval (object keypoint similarity).
COCO_17 = from_names(
    [
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
        *("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ],
    name="coco",
    limbs=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
        *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
    ),
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
)

# The limbs of the official CrowdPose file name joints that do not exist; these are the body's own.
CROWDPOSE_14 = from_names(
    [
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
        *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "head", "neck"),
    ],
    name="crowdpose",
    limbs=(
        *((12, 13), (13, 0), (13, 1), (0, 2), (2, 4), (1, 3), (3, 5), (0, 6), (1, 7), (6, 7)),
        *((6, 8), (8, 10), (7, 9), (9, 11)),
    ),
    sigmas=(*(0.079,) * 2, *(0.072,) * 2, *(0.062,) * 2, *(0.107,) * 2, *(0.087,) * 2, *(0.089,) * 2, *(0.079,) * 2),
)

# MPII publishes no sigmas; the body's are COCO's, trunk and head take the shoulder's.
MPII_16 = from_names(
    [
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis"),
        *("thorax", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    ],
    name="mpii",
    limbs=(
        *((0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9)),
        *((10, 11), (11, 12), (12, 7), (7, 13), (13, 14), (14, 15)),
    ),
    sigmas=(0.089, 0.087, 0.107, 0.107, 0.087, 0.089, *(0.079,) * 4, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO_17, CROWDPOSE_14, MPII_16)}
