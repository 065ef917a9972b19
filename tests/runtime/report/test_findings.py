"""Confusions, F1 and anchor coverage, against loops that do the same by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from specc_runtime import model
from specc_runtime.data import Annotation, Dataset, Report
from specc_runtime.evaluation import Curve, Detections, Evaluator
from specc_runtime.report.coverage import band_of, coverage
from specc_runtime.report.findings import THRESHOLDS, Findings, confusion, f1

TINY = Path(__file__).parents[1] / "fixtures" / "tiny_ssd.py"

CLASSES = ("disc", "ring", "star")


def image(boxes, labels, difficult=None, height=64, width=64):
    """An annotation without an image."""
    count = len(labels)
    return Annotation(
        Path("x.jpg"),
        height,
        width,
        False,
        np.array(boxes, dtype=np.float32).reshape(count, 4),
        np.array(labels, dtype=np.int64),
        np.array(difficult or [False] * count, dtype=bool),
    )


def dataset(*images):
    return Dataset(CLASSES, images, Report("val"))


def detections(boxes, labels, scores):
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels, dtype=torch.int64),
    )


BOX, FAR, THIRD = [0, 0, 10, 10], [30, 30, 40, 40], [50, 0, 60, 10]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (([BOX, FAR], [0, 1], [0.9, 0.8]), {(0, 0): 1, (1, 1): 1}),
        (([BOX], [2], [0.9]), {(0, 2): 1, (1, 3): 1}),
        (([BOX, BOX], [0, 0], [0.9, 0.8]), {(0, 0): 1, (3, 0): 1, (1, 3): 1}),
        (([BOX], [0], [0.3]), {(0, 3): 1, (1, 3): 1}),
        (([THIRD], [1], [0.9]), {(0, 3): 1, (1, 3): 1}),
        (([THIRD, THIRD], [1, 1], [0.9, 0.9]), {(0, 3): 1, (1, 3): 1}),
        (([[0, 40, 9, 50]], [2], [0.9]), {(3, 2): 1, (0, 3): 1, (1, 3): 1}),
        (([], [], []), {(0, 3): 1, (1, 3): 1}),
    ],
    ids="right wrong twice unsure difficult difficult_twice nothing_there missed".split(),
)
def test_confusions(found, expected):
    data = dataset(image([BOX, FAR, THIRD], [0, 1, 1], [False, False, True]))
    counts = confusion(data, {0: detections(*found)}, 0.5)
    assert {place: int(n) for place, n in np.ndenumerate(counts) if n} == expected


def test_every_object_is_counted_once():
    generator = np.random.default_rng(3)
    images, found = [], {}
    for number in range(20):
        corner = generator.random((6, 2)) * 40
        boxes = np.concatenate([corner, corner + 10 + 10 * generator.random((6, 2))], axis=1)
        images.append(image(boxes, generator.integers(0, 3, 6)))
        noise = boxes + generator.normal(0, 2, boxes.shape)
        order = np.sort(generator.random(6))[::-1].copy()
        found[number] = detections(noise.tolist(), generator.integers(0, 3, 6).tolist(), order)
    counts = confusion(dataset(*images), found, 0.2)
    truth = np.bincount(np.concatenate([i.labels for i in images]), minlength=3)
    assert counts[:-1].sum(axis=1).tolist() == truth.tolist()
    shown = sum(int((d.scores >= 0.2).sum()) for d in found.values())
    assert counts[:, :-1].sum() == shown


def test_f1_of_a_curve_is_that_of_the_detections_shown():
    curve = Curve(
        np.array([0.9, 0.6, 0.6, 0.2]),
        np.array([0.25, 0.25, 0.5, 0.75]),
        np.array([1.0, 0.5, 2 / 3, 0.75]),
    )
    values = f1(curve)
    for threshold, value in zip(THRESHOLDS, values, strict=True):
        shown = int((curve.scores >= threshold).sum())
        recall, precision = (
            (0, 0) if not shown else (curve.recall[shown - 1], curve.precision[shown - 1])
        )
        expected = 2 * recall * precision / (recall + precision) if shown else 0.0
        assert value == pytest.approx(expected)
    found = Findings({}, {"disc": curve, "ring": None}, {})
    assert found.threshold == 0.0 and list(found.f1) == ["disc"]
    assert found.average_precision()["disc"] == pytest.approx(0.25 * 1 + 0.5 * 0.75)
    assert np.isnan(found.average_precision()["ring"])


def test_area_under_the_curves_is_the_evaluators_score():
    generator = np.random.default_rng(0)
    data = dataset(*(image([BOX, FAR], [0, 1]) for _ in range(8)))
    evaluator = Evaluator(data)
    for number in range(8):
        boxes = np.array([BOX, FAR, THIRD]) + generator.normal(0, 2, (3, 4))
        evaluator.add([number], [detections(boxes.tolist(), [0, 1, 1], generator.random(3))])
    summary = evaluator.summary()
    areas = Findings(summary, evaluator.curves(), {}).average_precision()
    assert areas == pytest.approx(summary["per_class"], nan_ok=True)
    assert 0 < areas["disc"] < 1


def test_coverage_is_counted_where_the_network_sees_the_boxes():
    detector = model.load(TINY).build(3)
    generator = np.random.default_rng(1)
    images, objects, covered = [], np.zeros((3, 3), int), np.zeros((3, 3), int)
    for _ in range(30):
        corner = generator.random((5, 2)) * 60
        boxes = np.concatenate([corner, corner + 4 + 200 * generator.random((5, 2)) ** 2], axis=1)
        labels = generator.integers(0, 3, 5)
        images.append(image(boxes, labels, height=128, width=256))
        seen = torch.from_numpy(boxes.astype(np.float32)) * torch.tensor([0.25, 0.5, 0.25, 0.5])
        best = box_iou(seen, detector.anchors).amax(dim=1)
        for box, label, overlap in zip(seen, labels, best, strict=True):
            side = float((box[2] - box[0]) * (box[3] - box[1])) ** 0.5
            band = 0 if side < 32 else 1 if side < 96 else 2
            objects[label, band] += 1
            covered[label, band] += float(overlap) >= 0.5
    found = coverage(detector, dataset(*images))
    assert found[0].tolist() == objects.tolist()
    assert found[1].tolist() == covered.tolist()
    assert 0 < covered.sum() < objects.sum()


def test_bands_hold_their_lower_ends():
    sides = [1, 31.9, 32, 95.9, 96, 1000]
    boxes = np.array([[0, 0, side, side] for side in sides])
    assert band_of(boxes).tolist() == [0, 0, 1, 1, 2, 2]
