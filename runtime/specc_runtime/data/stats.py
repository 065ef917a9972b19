"""Statistics of a split's objects, and how many of them a detector's default boxes fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from specc_runtime.data.dataset import Annotation

SIZES = (("small", 0.0), ("medium", 32.0**2), ("large", 96.0**2))
"""COCO's classes of size, by least area in pixels (Lin et al., ECCV 2014, section 5)."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_ENOUGH = 0.5


def statistics(classes: Sequence[str], annotations: Sequence[Annotation]) -> dict[str, Any]:
    """Counts, sizes and shapes: `sqrt_area` relative to the image's, `aspect` as width over height.

    Both are given as quantiles of 5, 25, 50, 75 and 95 %. `sizes` counts objects by `SIZES`, in pixels of
    the original images.
    """
    boxes, labels = _all(annotations)
    images = np.array([(a.width, a.height) for a in annotations], np.float64).reshape(-1, 2)
    counts = [len(a.boxes) for a in annotations]
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides.prod(axis=1)
    share = np.sqrt(areas / np.repeat(images.prod(axis=1), counts))
    aspects = sides[:, 0] / sides[:, 1]
    per_class = {
        name: {
            "objects": int((labels == label).sum()),
            "images": sum(bool((a.labels == label).any()) for a in annotations),
            "sqrt_area": _quantiles(share[labels == label]),
            "aspect": _quantiles(aspects[labels == label]),
        }
        for label, name in enumerate(classes)
    }
    return {
        "images": len(annotations),
        "background": counts.count(0),
        "objects": len(boxes),
        "most_objects": max(counts, default=0),
        "image_sizes": _common(images),
        "sizes": {name: int((_size_of(areas) == n).sum()) for n, (name, _) in enumerate(SIZES)},
        "classes": per_class,
    }


def coverage(
    classes: Sequence[str],
    annotations: Sequence[Annotation],
    anchors: np.ndarray,
    size: tuple[int, int],
) -> dict[str, Any]:
    """The fraction of objects that some default box overlaps by an IoU of 0.5 or more, by class and size.

    Args:
        classes: their names.
        annotations: the split; images are stretched to `size`.
        anchors: [A, 4], x1 y1 x2 y2 in pixels of the network's input; further columns are ignored.
        size: (height, width) of that input, in whose pixels objects are small, medium or large.
    """
    boxes, labels = _all(annotations)
    counts = [len(a.boxes) for a in annotations]
    stretch = [(size[1] / a.width, size[0] / a.height) * 2 for a in annotations]
    boxes = boxes * np.repeat(np.array(stretch).reshape(-1, 4), counts, axis=0)
    best = np.array([_best_overlap(box, anchors) for box in boxes])
    covered = best >= _ENOUGH
    kinds = _size_of((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    return {
        "objects": len(boxes),
        "covered": _share(covered),
        "mean_iou": float(best.mean()) if len(best) else None,
        "classes": {name: _share(covered[labels == n]) for n, name in enumerate(classes)},
        "sizes": {name: _share(covered[kinds == n]) for n, (name, _) in enumerate(SIZES)},
    }


def _all(annotations: Sequence[Annotation]) -> tuple[np.ndarray, np.ndarray]:
    boxes = [a.boxes for a in annotations] or [np.zeros((0, 4))]
    labels = [a.labels for a in annotations] or [np.zeros(0, np.int64)]
    return np.concatenate(boxes).astype(np.float64), np.concatenate(labels)


def _best_overlap(box: np.ndarray, anchors: np.ndarray) -> float:
    """The greatest IoU of one box with any anchor."""
    start = np.maximum(box[:2], anchors[:, :2])
    end = np.minimum(box[2:], anchors[:, 2:4])
    shared = (end - start).clip(0).prod(axis=1)
    areas = (anchors[:, 2:4] - anchors[:, :2]).prod(axis=1)
    return float((shared / (areas + (box[2:] - box[:2]).prod() - shared)).max(initial=0.0))


def _size_of(areas: np.ndarray) -> np.ndarray:
    """The index in `SIZES` of each area."""
    return np.searchsorted([least for _, least in SIZES], areas, side="right") - 1


def _quantiles(values: np.ndarray) -> list[float] | None:
    return np.quantile(values, _QUANTILES).round(4).tolist() if len(values) else None


def _share(covered: np.ndarray) -> float | None:
    return float(covered.mean()) if len(covered) else None


def _common(images: np.ndarray) -> dict[str, int]:
    """The five most frequent sizes, as `WxH`, with their counts."""
    sizes, counts = np.unique(images, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:5]
    return {f"{sizes[i][0]:.0f}x{sizes[i][1]:.0f}": int(counts[i]) for i in order}
