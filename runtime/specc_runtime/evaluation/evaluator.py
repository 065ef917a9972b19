"""Collects detections batch by batch, then scores them against the data set's annotations."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from torch import Tensor

from specc_runtime import distributed
from specc_runtime.data import Dataset
from specc_runtime.evaluation.coco_ap import coco_library, coco_precision
from specc_runtime.evaluation.voc_ap import Curve, Objects, average_precision, curve

Metric = Literal["voc", "voc07", "coco"]
METRICS: tuple[str, ...] = get_args(Metric)


class Detections(NamedTuple):
    """The detections on one image.

    Attributes:
        boxes: float [D, 4], x1 y1 x2 y2 in pixels of the image as it is on disk.
        scores: float [D].
        labels: int [D], 0-based classes without background.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


class Evaluator:
    """Scores detections by one of the usual rules.

    ========  =====================================================================
    `voc`     area under the precision-recall curve at IoU 0.5 (VOC2010 on)
    `voc07`   mean of 11 points of that curve (VOC2007)
    `coco`    mean over IoU 0.50:0.05:0.95, and at 0.5; needs faster-coco-eval
    ========  =====================================================================

    Difficult objects count neither as found nor as missed. Only images that were added are scored, be it
    a part of a split or all but its unreadable images: `summary` says how many.

    Raises:
        ValueError: an unknown metric.
        ImportError: `coco` without faster-coco-eval.
    """

    def __init__(self, dataset: Dataset, metric: str = "voc") -> None:
        if metric not in METRICS:
            raise ValueError(f"metric `{metric}` is not one of {', '.join(METRICS)}")
        if metric == "coco":
            coco_library()
        self._dataset = dataset
        self._metric = metric
        self._found: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def add(self, indices: Sequence[int] | Tensor, detections: Sequence[Sequence[Tensor]]) -> None:
        """Add the detections of some images.

        Args:
            indices: positions in the data set, as in `Batch.indices`.
            detections: for each of them (boxes, scores, labels), such as `Detections`.

        Raises:
            ValueError: an image added before, a label that is no class, or a NaN.
        """
        for index, found in zip(map(int, indices), detections, strict=True):
            boxes, scores, labels = (part.detach().cpu().double().numpy() for part in found)
            if index in self._found:
                raise ValueError(f"image {index} was added before")
            if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
                raise ValueError(f"image {index}: a box or score is not finite")
            if ((labels < 0) | (labels >= len(self._dataset.classes))).any():
                raise ValueError(
                    f"image {index}: labels must be in 0..{len(self._dataset.classes) - 1}"
                )
            self._found[index] = (boxes.reshape(-1, 4), scores, labels.astype(np.int64))

    def join(self) -> None:
        """Share detections between all ranks; all must call this at the same time."""
        parts = distributed.all_gather(self._found)
        self._found = dict(sorted(item for part in parts for item in part.items()))

    def summary(self) -> dict[str, Any]:
        """The scores so far, in 0..1; NaN where no object counts.

        Returns:
            `map50`: mean over classes of AP at IoU 0.5. `map` (coco only): mean over IoU 0.5:0.95
            too. `per_class`: AP by class name, averaged over IoU for coco. `images`: how many were
            scored. A class without objects is left out of the means.
        """
        by_class = self._coco() if self._metric == "coco" else self._voc()[None]
        names = self._dataset.classes
        per_class = dict(zip(names, by_class.mean(axis=0).tolist(), strict=True))
        scores = {"map50": _mean(by_class[0])}
        if self._metric == "coco":
            scores["map"] = _mean(by_class.mean(axis=0))
        return {**scores, "per_class": per_class, "images": len(self._found)}

    def _coco(self) -> np.ndarray:
        """AP [10, C] by IoU threshold and class."""
        truth = [self._dataset.annotations[index] for index in self._found]
        return coco_precision(truth, *self._columns(), classes=len(self._dataset.classes))

    def curves(self) -> dict[str, Curve | None]:
        """Recall and precision at IoU 0.5 by class name; None for a class without objects."""
        found = (curve(*of_class) for of_class in self._by_class())
        return dict(zip(self._dataset.classes, found, strict=True))

    def _voc(self) -> np.ndarray:
        """AP [C] at IoU 0.5."""
        eleven_points = self._metric == "voc07"
        found = [average_precision(*c, eleven_points=eleven_points) for c in self._by_class()]
        return np.array(found)

    def _by_class(self) -> Iterator[tuple[dict[int, Objects], np.ndarray, np.ndarray, np.ndarray]]:
        """Each class's objects by image, and image, box and score of its detections."""
        truth = [self._dataset.annotations[index] for index in self._found]
        images, boxes, scores, labels = self._columns()
        for label in range(len(self._dataset.classes)):
            objects = {
                number: Objects(found.boxes[mine], found.difficult[mine])
                for number, found in enumerate(truth)
                if (mine := found.labels == label).any()
            }
            mine = labels == label
            yield objects, images[mine], boxes[mine], scores[mine]

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """All detections: image (in order of `add`), box, score and label of each."""
        found = list(self._found.values())
        counts = [len(boxes) for boxes, _, _ in found]
        return (
            np.repeat(np.arange(len(found)), counts),
            np.concatenate([boxes for boxes, _, _ in found] or [np.zeros((0, 4))]),
            np.concatenate([scores for _, scores, _ in found] or [np.zeros(0)]),
            np.concatenate([labels for _, _, labels in found] or [np.zeros(0, dtype=np.int64)]),
        )


def _mean(values: np.ndarray) -> float:
    """Mean of what is not NaN; NaN if nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan
