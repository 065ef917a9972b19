"""How well a detector's anchors fit the objects of a data set."""

import itertools

import numpy as np
import torch
from torch import Tensor

from specc_runtime.boxes import iou
from specc_runtime.data import Annotation, Dataset
from specc_runtime.detector import Detector

BANDS = {"small": (0.0, 32.0), "medium": (32.0, 96.0), "large": (96.0, float("inf"))}
"""Sizes of objects: square roots of their areas, in pixels of the network's input."""

MOST_OBJECTS = 5000
"""Objects that are compared; if there are more, evenly chosen ones."""

OVERLAP = 0.5
_TOGETHER = 64


def coverage(detector: Detector, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Count objects, and those that some anchor overlaps by an IoU of 0.5 or more.

    Returns:
        Two counts [C, 3] by class and band, of at most `MOST_OBJECTS` objects in all.
    """
    boxes, labels = _objects(dataset, detector.input.size)
    best = _best_overlaps(detector.anchors, boxes.to(detector.anchors.device)).cpu().numpy()
    bands = band_of(boxes.numpy())
    objects = np.zeros((len(dataset.classes), len(BANDS)), dtype=np.int64)
    covered = np.zeros_like(objects)
    np.add.at(objects, (labels, bands), 1)
    np.add.at(covered, (labels, bands), best >= OVERLAP)
    return objects, covered


def band_of(boxes: np.ndarray) -> np.ndarray:
    """Indices in `BANDS` of boxes [N, 4] in pixels of the network's input."""
    starts = [low for low, _ in BANDS.values()]
    return np.searchsorted(starts, sides(boxes), side="right") - 1


def sides(boxes: np.ndarray) -> np.ndarray:
    """Square roots [N] of the boxes' areas."""
    return np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def stretched(annotation: Annotation, size: tuple[int, int]) -> np.ndarray:
    """An image's boxes [N, 4] once it is stretched to this (height, width)."""
    y, x = size[0] / annotation.height, size[1] / annotation.width
    return annotation.boxes * np.array([x, y, x, y], dtype=np.float32)


def _objects(dataset: Dataset, size: tuple[int, int]) -> tuple[Tensor, np.ndarray]:
    """Boxes (N, 4) in pixels of the network's input, and labels [N]."""
    found = [stretched(annotation, size) for annotation in dataset.annotations]
    boxes = np.concatenate([*found, np.zeros((0, 4), dtype=np.float32)])
    labels = np.array(
        list(itertools.chain.from_iterable(a.labels.tolist() for a in dataset.annotations)),
        dtype=np.int64,
    )
    if len(boxes) > MOST_OBJECTS:
        chosen = np.linspace(0, len(boxes) - 1, MOST_OBJECTS).round().astype(int)
        boxes, labels = boxes[chosen], labels[chosen]
    return torch.from_numpy(boxes).float(), labels  # pyright: ignore[reportUnknownMemberType]


def _best_overlaps(anchors: Tensor, boxes: Tensor) -> Tensor:
    """The best IoU (N,) of boxes (N, 4) with any of the anchors (A, 4)."""
    parts = [iou(part, anchors).amax(dim=1) for part in torch.split(boxes, _TOGETHER)]
    return torch.cat([*parts, boxes.new_zeros(0)])
