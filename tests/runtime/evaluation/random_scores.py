"""Random annotations, and detections that are right about half of the time."""

from pathlib import Path

import numpy as np
import torch

from specc_runtime.data import Annotation, Dataset, Report
from specc_runtime.evaluation import Detections


def random_dataset(
    rng: np.random.Generator, images: int, classes: int, difficult: float
) -> Dataset:
    """Images of 100 x 100 pixels with 0 to 5 objects with whole-numbered corners."""
    annotations = []
    for number in range(images):
        count = int(rng.integers(0, 6))
        start = rng.integers(0, 70, (count, 2))
        boxes = np.concatenate([start, start + rng.integers(5, 31, (count, 2))], axis=1)
        annotations.append(
            Annotation(
                Path(f"{number}.jpg"),
                100,
                100,
                True,
                boxes.astype(np.float32),
                rng.integers(0, classes, count),
                rng.random(count) < difficult,
            )
        )
    return Dataset(
        tuple(f"class{label}" for label in range(classes)), annotations, Report("random")
    )


def random_detections(rng: np.random.Generator, truth: Annotation, classes: int) -> Detections:
    """Shifted copies of the objects, some twice or of another class, and boxes from nowhere."""
    copies = np.repeat(np.arange(len(truth.boxes)), rng.integers(0, 3, len(truth.boxes)))
    shifted = truth.boxes[copies] + rng.integers(-2, 3, (len(copies), 4))
    start = rng.integers(0, 70, (3, 2))
    elsewhere = np.concatenate([start, start + rng.integers(5, 31, (3, 2))], axis=1)
    boxes = np.concatenate([shifted, elsewhere])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    labels = np.concatenate([truth.labels[copies], rng.integers(0, classes, 3)])
    wrong = rng.random(len(labels)) < 0.2
    labels[wrong] = rng.integers(0, classes, int(wrong.sum()))
    scores = rng.permutation(1000)[: len(labels)] / 1000 + rng.random() * 1e-4
    return Detections(*map(torch.as_tensor, (boxes.astype(np.float32), scores, labels)))
