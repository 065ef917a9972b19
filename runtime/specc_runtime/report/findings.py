"""A detector's detections on a split, and how they compare with the annotations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from specc_runtime.boxes import iou
from specc_runtime.data import Annotation, Dataset
from specc_runtime.detector import Detector
from specc_runtime.evaluation import Curve, Detections, Evaluator, area
from specc_runtime.inference import detect_dataset
from specc_runtime.recipe import Recipe

OVERLAP = 0.5
"""Minimum IoU of a detection and its object."""

THRESHOLDS = np.linspace(0, 1, 101)
"""Score thresholds that are tried."""


@dataclass(frozen=True)
class Findings:
    """A detector's detections on a split.

    Attributes:
        scores: the evaluator's summary.
        curves: by class, at IoU 0.5; None for a class without objects.
        found: detections by the image's index in the split.
    """

    scores: dict[str, Any]
    curves: dict[str, Curve | None]
    found: dict[int, Detections]

    @property
    def f1(self) -> dict[str, np.ndarray]:
        """F1 [101] by `THRESHOLDS`, for each class with objects."""
        return {name: f1(found) for name, found in self.curves.items() if found is not None}

    @property
    def threshold(self) -> float:
        """The threshold with the best mean F1 of all classes, the lowest of equals."""
        every = list(self.f1.values())
        return float(THRESHOLDS[np.mean(every, axis=0).argmax()]) if every else 0.5

    def average_precision(self) -> dict[str, float]:
        """Area under the precision-recall curve by class, NaN without objects."""
        return {
            name: float("nan") if found is None else area(found.recall, found.precision)
            for name, found in self.curves.items()
        }


def find(detector: Detector, dataset: Dataset, recipe: Recipe) -> Findings:
    """Run a detector over a split, as validation does."""
    detector.eval()
    evaluator = Evaluator(dataset, recipe.metric)
    everything: dict[int, Detections] = {}
    bf16 = recipe.precision == "bf16"
    for indices, found in detect_dataset(
        detector, dataset, batch=recipe.batch, workers=recipe.workers, bf16=bf16
    ):
        evaluator.add(indices, found)
        everything |= dict(zip(map(int, indices), found, strict=True))
    return Findings(evaluator.summary(), evaluator.curves(), everything)


def f1(found: Curve) -> np.ndarray:
    """F1 [101] of a class, dropping detections that score below each of `THRESHOLDS`."""
    shown = np.searchsorted(-found.scores, -THRESHOLDS, side="right")
    recall, precision = (
        np.append(0.0, values)[shown] for values in (found.recall, found.precision)
    )
    return 2 * recall * precision / np.maximum(recall + precision, 1e-12)


def confusion(dataset: Dataset, found: Mapping[int, Detections], least_score: float) -> np.ndarray:
    """The confusion matrix: counts [C + 1, C + 1], true class by detected class.

    The last row counts detections without an object, the last column missed objects.
    Detections that score at least `least_score` take, best first, the free object that they
    overlap most, of whatever class. Those that take a difficult object do not count.
    """
    background = len(dataset.classes)
    counts = np.zeros((background + 1, background + 1), dtype=np.int64)
    for index, detections in found.items():
        truth = dataset.annotations[index]
        shown = detections.scores >= least_score
        chosen = _choices(detections.boxes[shown], truth)
        labels: list[int] = detections.labels[shown].numpy().tolist()
        for label, choice in zip(labels, chosen, strict=True):
            if choice is None:
                counts[background, label] += 1
            elif not truth.difficult[choice]:
                counts[truth.labels[choice], label] += 1
        missed = set(np.flatnonzero(~truth.difficult).tolist()) - set(chosen)
        for number in missed:
            counts[truth.labels[number], background] += 1
    return counts


def _choices(boxes: torch.Tensor, truth: Annotation) -> list[int | None]:
    """The object that each of the boxes (N, 4), best first, takes, or None."""
    if not len(truth.boxes):
        return [None] * len(boxes)
    overlaps = iou(boxes.float(), torch.from_numpy(truth.boxes).float())  # pyright: ignore[reportUnknownMemberType]
    chosen: list[int | None] = []
    for row in overlaps:
        best = int(row.argmax())
        if row[best] < OVERLAP:
            chosen.append(None)
            continue
        chosen.append(best)
        if not truth.difficult[best]:
            overlaps[:, best] = 0.0
    return chosen
