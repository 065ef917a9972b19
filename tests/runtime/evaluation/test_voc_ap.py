"""VOC's average precision against the development kit's rules, and on cases worked by hand."""

import math

import numpy as np
import pytest

from specc_runtime.evaluation import Evaluator
from specc_runtime.evaluation.voc_ap import Objects, average_precision

from .devkit import Truth, voc_ap
from .random_scores import random_dataset, random_detections

CLASSES = 3


@pytest.mark.parametrize("metric", ["voc", "voc07"])
@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_development_kit(metric: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dataset = random_dataset(rng, images=12, classes=CLASSES, difficult=0.25)
    found = [random_detections(rng, truth, CLASSES) for truth in dataset.annotations]
    evaluator = Evaluator(dataset, metric)
    evaluator.add(range(12), found)
    summary = evaluator.summary()
    for label, name in enumerate(dataset.classes):
        truth = {
            str(number): [
                Truth(inclusive(box), bool(difficult))
                for box, difficult in zip(
                    sample.boxes[sample.labels == label],
                    sample.difficult[sample.labels == label],
                    strict=True,
                )
            ]
            for number, sample in enumerate(dataset.annotations)
        }
        detections = [
            (str(number), float(score), inclusive(box.numpy()))
            for number, (boxes, scores, labels) in enumerate(found)
            for box, score, mine in zip(boxes, scores, labels == label, strict=True)
            if mine
        ]
        expected = voc_ap(truth, detections, eleven_points=metric == "voc07")
        assert summary["per_class"][name] == pytest.approx(expected, abs=1e-9)
    assert summary["map50"] == pytest.approx(np.mean(list(summary["per_class"].values())))
    assert 0.05 < summary["map50"] < 0.95


def inclusive(box: np.ndarray) -> tuple[int, int, int, int]:
    """Corners as VOC writes them."""
    x1, y1, x2, y2 = (int(side) for side in box)
    return x1 + 1, y1 + 1, x2, y2


OBJECT = [10, 10, 20, 20]
FAR = [50, 50, 60, 60]


def score(
    boxes: list[list[float]], truth: list[list[float]], difficult: list[bool], **options: bool
) -> float:
    """AP of detections in one image, best first."""
    objects = Objects(np.array(truth, float).reshape(-1, 4), np.array(difficult, bool))
    return average_precision(
        {0: objects},
        np.zeros(len(boxes), int),
        np.array(boxes, float).reshape(-1, 4),
        np.linspace(1, 0.5, len(boxes)),
        **options,
    )


def test_cases_worked_by_hand() -> None:
    assert score([OBJECT], [OBJECT], [False]) == 1.0
    assert score([OBJECT, OBJECT], [OBJECT], [False]) == 1.0  # a second one comes too late to harm
    assert score([FAR, OBJECT], [OBJECT], [False]) == 0.5
    assert score([OBJECT], [OBJECT, FAR], [False, False]) == 0.5
    assert score([OBJECT], [OBJECT, FAR], [False, False], eleven_points=True) == 6 / 11
    assert score([FAR, OBJECT], [OBJECT, FAR], [False, True]) == 1.0  # difficult: neither way
    assert score([], [OBJECT], [False]) == 0.0
    assert math.isnan(score([OBJECT], [OBJECT], [True]))
    assert score([[10, 10, 20, 15]], [OBJECT], [False]) == 1.0  # an IoU of just 0.5 is a hit
    assert score([[10, 10, 20, 14.9]], [OBJECT], [False]) == 0.0


def test_of_equal_scores_the_first_counts_first() -> None:
    objects = {0: Objects(np.array([OBJECT], float), np.array([False]))}
    places, scores = np.zeros(2, int), np.full(2, 0.7)
    assert average_precision(objects, places, np.array([OBJECT, FAR], float), scores) == 1.0
    assert average_precision(objects, places, np.array([FAR, OBJECT], float), scores) == 0.5
