"""Where the HRNet family keeps each data set's annotations and pictures, below DATASET.ROOT."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rdpose.config.loading import suggest
from rdpose.config.schema import SourceSettings


@dataclass(frozen=True)
class Layout:
    """One data set; `{}` stands for the split's name, as in DATASET.TEST_SET."""

    annotations: str
    images: str
    skeleton: str
    metric: str
    format: str = "coco"

    def source(self, split: str, *, zipped: bool) -> dict[str, Any]:
        """The `data.test` (or one of `data.train`) of a split; `zipped` pictures lie in a file beside their folder."""
        annotations, images = self.annotations.format(split), self.images.format(split)
        if "{}" in self.images and "test" in split:  # COCO's test sets share their pictures and have no labels
            annotations, images = f"annotations/image_info_{split}.json", "images/test2017"
        return {"annotations": annotations, "images": images + ".zip" * zipped, "format": self.format}

    def split_of(self, source: SourceSettings) -> str:
        """The split's name that gives the source's annotation file; empty if none does."""
        before, after = map(re.escape, self.annotations.split("{}"))
        found = re.fullmatch(f"(?:{before}|annotations/image_info_)(.+){after}", source.annotations)
        return found[1] if found else ""


LAYOUTS = {
    "coco": Layout("annotations/person_keypoints_{}.json", "images/{}", "coco", "coco"),
    "mpii": Layout("annot/{}.json", "images", "mpii", "mpii", "mpii"),
    "crowdpose": Layout("json/crowdpose_{}.json", "images", "crowdpose", "crowdpose"),
    "ochuman": Layout("ochuman_coco_format_{}_range_0.00_1.00.json", "images", "coco", "ochuman"),
}


def dataset_name(name: str) -> str:
    """The name in `LAYOUTS` of a DATASET.DATASET, which some of the family write in another way."""
    known = name.lower().replace("crowd_pose", "crowdpose").removesuffix("dataset")
    if known not in LAYOUTS:
        near = suggest(known, LAYOUTS)
        raise ValueError(
            f"DATASET.DATASET = {name!r} is none of {', '.join(LAYOUTS)}"
            + (f"; did you mean {near}?" if near else "; for your own data write data.train and data.test instead")
        )
    return known
