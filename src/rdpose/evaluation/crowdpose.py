"""CrowdPose's evaluation: AP and AR, and AP by how crowded the picture is.

As the published tool does: 14 joints with their own sigmas, 20 results a picture, a person's area is 0.53 x box (the
files hold none), and people whose `num_keypoints` is 0 are not asked for. That field is the set's own choice of whom
to count, not the number of labelled joints: people with one or two of them have 0. Crowd regions are left out too.

Not as the published tool does:
- It cuts the crowd index at 0.2 and 0.8, and so does mmpose, which follows it; the paper (Li et al., CVPR 2019) says
  0.1 and 0.8. `crowdpose` cuts at 0.1; `crowdpose-published` cuts at 0.2, to be compared with figures made by them.
- Its easy, medium and hard figures average over missing ones (-1) too, are rounded to four digits, and in some of its
  versions are printed as recall or as -1. Here each is the AP that COCO's evaluation gives on these pictures alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rdpose.evaluation import coco
from rdpose.evaluation.coco import Truth
from rdpose.evaluation.scores import Scores
from rdpose.io.parsed import Source

_SHARED = ("AP", "AP .5", "AP .75", "AR", "AR .5", "AR .75")
HARD_FROM = 0.8
PUBLISHED = 0.2
"""Where the published tool cuts easy from medium."""


read_truth: Callable[..., Truth] = partial(coco.read_truth, areas_from_boxes=True)


def measure(source: Source, truth: Truth, *, name: str, medium_from: float = 0.1) -> Scores:
    """CrowdPose's nine figures; AP (E), (M), (H) are of pictures with a crowd index below `medium_from`, below 0.8,
    and from 0.8 on. Arguments and errors as in `coco.measure`; a picture without `crowdIndex` is a ValueError."""
    found = coco.load_results(source, truth)
    crowd_index = _crowd_index(truth)
    every = dict(zip(coco.FIGURES, coco.figures(truth, found), strict=True))
    figures = {figure: every[figure] for figure in _SHARED}
    edges = (float("-inf"), medium_from, HARD_FROM, float("inf"))
    for level, low, high in zip("EMH", edges, edges[1:], strict=False):
        images = [image for image, crowded in crowd_index.items() if low <= crowded < high]
        figures[f"AP ({level})"] = coco.figures(truth, found, image_ids=images)[0] if images else -1.0
    levels = f"crowd index: easy below {medium_from}, hard from {HARD_FROM}"
    other = f"; the published tool and mmpose cut at {PUBLISHED}: metric crowdpose-published"
    return Scores(name, figures, levels + (other if medium_from != PUBLISHED else ""))


measure_published: Callable[..., Scores] = partial(measure, medium_from=PUBLISHED)


def _crowd_index(truth: Truth) -> dict[int | str, float]:
    pictures = truth.coco.load_imgs(truth.coco.get_img_ids())
    if any("crowdIndex" not in picture for picture in pictures):
        raise ValueError(f"{truth.path} names no crowdIndex for its pictures; it is not a CrowdPose file, use coco")
    words = truth.image_ids
    names = [picture["id"] if words is None else str(words[picture["id"] - 1]) for picture in pictures]
    return {name: float(picture["crowdIndex"]) for name, picture in zip(names, pictures, strict=True)}
