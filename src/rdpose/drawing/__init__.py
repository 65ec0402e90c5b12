"""Poses, boxes, heatmaps and anchors drawn onto pictures; panels of pictures; picture files.

Pictures are (height, width, 3) RGB uint8 in and out; what is passed in is never changed. Points are (x, y) in pixels,
pixel centres at whole numbers.

    picture = draw_poses(picture, joints, confidence, skeletons.COCO_17, boxes_xyxy=boxes, labels=["1", "2"])
    save("found.png", panel([[picture, draw_heatmap(crop, heatmap)]], titles=["found", "heatmap"]))
"""

from rdpose.drawing.colors import STYLES, person_colors
from rdpose.drawing.files import save
from rdpose.drawing.heatmaps import draw_anchor, draw_heatmap
from rdpose.drawing.panels import panel
from rdpose.drawing.people import draw_boxes, draw_poses

__all__ = [
    "STYLES",
    "draw_anchor",
    "draw_boxes",
    "draw_heatmap",
    "draw_poses",
    "panel",
    "person_colors",
    "save",
]
