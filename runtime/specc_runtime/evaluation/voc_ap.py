"""Average precision as the PASCAL VOC development kit computes it (VOCevaldet.m, VOCap.m).

Everingham et al., The PASCAL Visual Object Classes (VOC) Challenge, IJCV 2010, section 4.2. Boxes
are x1 y1 x2 y2 with x1 = xmin - 1 and x2 = xmax, which makes the kit's "+ 1" widths plain ones.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Objects:
    """One class's ground truth in one image: boxes [G, 4] and difficult, bool [G]."""

    boxes: np.ndarray
    difficult: np.ndarray


class Curve(NamedTuple):
    """Recall and precision of a class, keeping the detections up to each of D: three arrays [D]."""

    scores: np.ndarray  # descending
    recall: np.ndarray
    precision: np.ndarray


def average_precision(
    truth: dict[int, Objects],
    images: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    eleven_points: bool = False,
    min_overlap: float = 0.5,
) -> float:
    """AP of one class over all images.

    Args:
        truth: objects by image; images without any may be absent.
        images: int [D], the image of each detection.
        boxes: [D, 4], the detections.
        scores: [D], their confidence; ties keep their order.
        eleven_points: VOC2007's mean over recall 0, 0.1, .. 1, else the area under the curve.
        min_overlap: the minimum IoU of a hit.

    Returns:
        AP in 0..1; NaN if the class has no object that counts.
    """
    found = curve(truth, images, boxes, scores, min_overlap)
    if found is None:
        return float("nan")
    return _eleven_points(*found[1:]) if eleven_points else area(*found[1:])


def curve(
    truth: dict[int, Objects],
    images: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    min_overlap: float = 0.5,
) -> Curve | None:
    """The curve of one class; None if it has no object that counts.

    Arguments are those of `average_precision`.
    """
    positives = sum(int((~objects.difficult).sum()) for objects in truth.values())
    if positives == 0:
        return None
    order = np.argsort(-scores, kind="stable")
    hits, misses = _judge(truth, images[order], boxes[order], min_overlap)
    hits, misses = hits.cumsum(), misses.cumsum()
    return Curve(scores[order], hits / positives, hits / np.maximum(hits + misses, 1))


def _judge(
    truth: dict[int, Objects], images: np.ndarray, boxes: np.ndarray, min_overlap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections, best first, are hits and which are misses: two bool [D].

    A detection is assigned to the object that it overlaps most. It is a hit if it is that object's first,
    else a miss, and neither if the object is difficult.
    """
    hits = np.zeros(len(boxes), dtype=bool)
    misses = np.zeros(len(boxes), dtype=bool)
    by_image = np.argsort(images, kind="stable")
    starts = np.flatnonzero(np.diff(images[by_image], prepend=-1))
    for rows in np.split(by_image, starts[1:]):
        objects = truth.get(int(images[rows[0]])) if len(rows) else None
        if objects is None or len(objects.boxes) == 0:
            misses[rows] = True
            continue
        overlaps = _iou(boxes[rows], objects.boxes)
        best = overlaps.argmax(axis=1)
        taken = np.zeros(len(objects.boxes), dtype=bool)
        for row, target, overlap in zip(rows, best, overlaps.max(axis=1), strict=True):
            if overlap < min_overlap:
                misses[row] = True
            elif not objects.difficult[target]:
                hits[row] = not taken[target]
                misses[row] = taken[target]
                taken[target] = True
    return hits, misses


def area(recall: np.ndarray, precision: np.ndarray) -> float:
    """Area under the curve once precision is made to fall monotonically (VOC2010 on)."""
    recall = np.concatenate([[0.0], recall, [1.0]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope[1:]))


def _eleven_points(recall: np.ndarray, precision: np.ndarray) -> float:
    """Mean of the best precision at recall 0, 0.1, .. 1 or more (VOC2007)."""
    reached = recall >= np.linspace(0, 1, 11)[:, None] - 1e-12
    return float(np.where(reached, precision, 0.0).max(axis=1, initial=0.0).mean())


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of boxes [A, 4] with boxes [B, 4]: [A, B]."""
    start = np.maximum(a[:, None, :2], b[:, :2])
    end = np.minimum(a[:, None, 2:], b[:, 2:])
    shared = (end - start).clip(0).prod(axis=2)
    areas_a = (a[:, 2:] - a[:, :2]).prod(axis=1)
    areas_b = (b[:, 2:] - b[:, :2]).prod(axis=1)
    return shared / np.maximum(areas_a[:, None] + areas_b - shared, 1e-12)
