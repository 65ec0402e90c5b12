"""Which categories of an annotation file are people; training, evaluation and boxes from a file ask here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Category = dict[str, Any]


def is_person(category: Category) -> bool:
    return str(category.get("name")).lower() == "person"


def people(categories: Sequence[Category], path: Path | str) -> tuple[Category, set[int]]:
    """The category that has joints, and the ids of all that have the same ones; without any, the one called person.

    Raises:
        ValueError: categories have different joints, and none of them is called person.
    """
    with_joints = [category for category in categories if category.get("keypoints")]
    named = [category for category in with_joints or categories if is_person(category)]
    chosen = (named or with_joints or list(categories) or [{}])[0]
    alike = [c for c in with_joints if c["keypoints"] == chosen.get("keypoints")] or [chosen]
    if not named and len(alike) < len(with_joints):
        raise ValueError(f"{path} has categories with different joints and none called person; split the file")
    try:
        return chosen, {int(category["id"]) for category in alike if "id" in category}
    except (ValueError, TypeError):
        raise ValueError(f"{path} has the category id {alike[0]['id']!r}; categories' ids are whole numbers") from None
