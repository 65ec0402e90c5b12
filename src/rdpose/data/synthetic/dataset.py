"""Rendered crowds on disk as a COCO keypoint data set: pictures first, then the annotation file, in one move."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from rdpose import geometry
from rdpose.data.synthetic.scenes import Person, Scene, render_scene
from rdpose.io import files
from rdpose.skeletons import COCO_17

JPEG_QUALITY = 92


def scene_rng(seed: int, index: int) -> np.random.Generator:
    """The randomness of picture `index` of a data set: nothing else decides what it shows."""
    return np.random.default_rng((seed, index))


def write_dataset(
    folder: Path,
    *,
    num_pictures: int,
    seed: int,
    num_people: tuple[int, int] | int = (2, 5),
    size_wh: tuple[int, int] = (320, 240),
    overlap: tuple[float, float] = (0.0, 1.0),
    variety: float = 1.0,
    name: str = "train2017",
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Renders `num_pictures` scenes and writes them in COCO's layout; other arguments are `render_scene`'s.

    Writes folder/images/<name>/000000000001.jpg ... and, last, folder/annotations/person_keypoints_<name>.json.
    `progress` is called with the number of pictures done. Picture i depends on (seed, i) alone.

    Returns:
        The annotation file. Beyond COCO's own fields a picture has `crowdIndex` (CrowdPose) and a person has
        `visible_fraction`, the share of the silhouette that nobody stands in front of; `bbox` and `area` are those of
        the whole silhouette in the picture, `segmentation` is what of it is in sight.
    """
    scenes = (
        render_scene(scene_rng(seed, index), num_people=num_people, size_wh=size_wh, overlap=overlap, variety=variety)
        for index in range(num_pictures)
    )
    return write_scenes(folder, scenes, name=name, info=f"rdpose rendered crowds, seed {seed}", progress=progress)


def write_scenes(
    folder: Path, scenes: Iterable[Scene], *, name: str, info: str, progress: Callable[[int], None] | None = None
) -> Path:
    """Writes scenes as a COCO data set `name` in `folder`, as `write_dataset` describes it."""
    pictures = folder / "images" / name
    pictures.mkdir(parents=True, exist_ok=True)
    path = folder / "annotations" / f"person_keypoints_{name}.json"
    path.unlink(missing_ok=True)  # where there is one, it belongs to the pictures beside it
    images, annotations = [], []
    for image_id, scene in enumerate(scenes, 1):
        file_name = f"{image_id:012d}.jpg"
        _write_jpeg(pictures / file_name, scene.picture)
        images.append(_image_entry(image_id, file_name, scene))
        annotations += [_person_entry(len(annotations) + k, image_id, p) for k, p in enumerate(scene.people, 1)]
        if progress is not None:
            progress(image_id)
    about = {"description": info, "version": "1"}
    _write_json(path, {"info": about, "images": images, "annotations": annotations, "categories": [_category()]})
    return path


def _image_entry(image_id: int, file_name: str, scene: Scene) -> dict:
    height, width = scene.picture.shape[:2]
    boxes, joints, visible = (
        np.array([getattr(person, name) for person in scene.people]) for name in ("box_xywh", "joints", "visible")
    )
    index = min(1.0, geometry.crowd_index(boxes, joints, visible > 0))  # CrowdPose's files end there
    return {"id": image_id, "file_name": file_name, "width": width, "height": height, "crowdIndex": round(index, 4)}


def _person_entry(annotation_id: int, image_id: int, person: Person) -> dict:
    labelled = person.visible > 0
    keypoints = np.column_stack([np.where(labelled[:, None], person.joints, 0), person.visible])
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "bbox": person.box_xywh.tolist(),
        "area": person.area,
        "keypoints": [round(float(value), 2) for value in keypoints.ravel()],
        "num_keypoints": int(labelled.sum()),
        "iscrowd": 0,
        "segmentation": _polygons(person.visible_mask),
        "visible_fraction": round(person.visible_fraction, 4),
    }


def _polygons(mask: np.ndarray) -> list[list[float]]:
    """Outlines of a mask's pieces to about a pixel; pieces of under three corners are left out."""
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = (cv2.approxPolyDP(outline, 1.0, True).ravel() for outline in outlines)
    return [polygon.astype(float).tolist() for polygon in polygons if len(polygon) >= 6]


def _category() -> dict:
    limbs = [[a + 1, b + 1] for a, b in COCO_17.limbs]
    return {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO_17.joints), "skeleton": limbs}


def _write_jpeg(path: Path, picture: np.ndarray) -> None:
    _, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    path.write_bytes(data.tobytes())


def _write_json(path: Path, content: dict) -> None:
    files.write_text(path, json.dumps(content, separators=(",", ":")))
