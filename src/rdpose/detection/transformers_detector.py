"""D-FINE, RT-DETRv2 and other detectors of transformers, from a folder or from the hub."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch

from rdpose.config.defaults import MIN_SCORE
from rdpose.detection.detections import Detections, clip, sift
from rdpose.io import hub
from rdpose.io.files import in_a_line
from rdpose.utils import distributed


class TransformersDetector:
    """Finds people with a network for object detection.

    Args:
        network: of `AutoModelForObjectDetection`, in evaluation mode; one of its labels is called "person".
        processor: the image processor that belongs to it.
        min_score: boxes below it are left out.

    Raises:
        ValueError: the network knows no people.
    """

    def __init__(self, network: Any, processor: Any, *, min_score: float = MIN_SCORE) -> None:
        labels = {str(label).lower(): int(number) for number, label in network.config.id2label.items()}
        if "person" not in labels:
            raise ValueError(f"this detector knows no label `person`; it has {', '.join(list(labels)[:10])}")
        self.network, self.processor, self.person, self.min_score = network, processor, labels["person"], min_score

    @classmethod
    def read(cls, name: str, *, min_score: float = MIN_SCORE, device: str | None = None) -> TransformersDetector:
        """A network from a folder that `save_pretrained` wrote, or by its name at the hub.

        Raises:
            ImportError: transformers is not installed.
            ValueError: there is no such network, the hub cannot be reached, or it is no detector of people.
        """
        try:
            transformers = importlib.import_module("transformers")
        except ImportError as error:
            raise ImportError(
                "this detector needs transformers: pip install 'rdpose[detect]', or give boxes by --boxes"
            ) from error
        try:
            processor, network = _open(transformers, name)
        except (OSError, ValueError) as error:
            reason = in_a_line(error)
            raise ValueError(
                f"no detector {name!r}: {reason}; give dfine, rtdetr, the name of an object detector at the hub, its "
                "folder, or an .onnx file"
            ) from None
        place = distributed.device_named(device)
        return cls(network.to(place).eval(), processor, min_score=min_score)

    @torch.inference_mode()
    def __call__(self, picture: np.ndarray, name: str = "") -> Detections:
        """The people in a picture (height, width, 3) RGB uint8."""
        del name
        inputs = self.processor(images=picture, return_tensors="pt", input_data_format="channels_last")
        outputs = self.network(**inputs.to(self.network.device))
        found = self.processor.post_process_object_detection(
            outputs, threshold=self.min_score, target_sizes=[picture.shape[:2]]
        )[0]
        people = found["labels"] == self.person
        boxes, scores = found["boxes"][people].float().cpu().numpy(), found["scores"][people].float().cpu().numpy()
        return sift(clip(boxes, picture), scores, min_score=self.min_score)


def _open(transformers: Any, name: str) -> tuple[Any, Any]:
    """The image processor and the network of a folder or of the hub's files."""

    def opened(local: bool) -> tuple[Any, Any]:
        parts = (transformers.AutoImageProcessor, transformers.AutoModelForObjectDetection)
        processor, network = (part.from_pretrained(name, local_files_only=local) for part in parts)
        return processor, network

    return hub.read(name, opened)
