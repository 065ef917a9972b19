"""What the evaluator takes, refuses and reports."""

import math

import numpy as np
import pytest
import torch

from specc_runtime.data import Dataset
from specc_runtime.evaluation import METRICS, Evaluator

from .random_scores import random_dataset, random_detections


@pytest.fixture
def dataset() -> Dataset:
    return random_dataset(np.random.default_rng(3), images=8, classes=2, difficult=0.2)


def perfect(dataset: Dataset, index: int) -> tuple[torch.Tensor, ...]:
    truth = dataset.annotations[index]
    return torch.tensor(truth.boxes), torch.ones(len(truth.boxes)), torch.tensor(truth.labels)


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_detections_score_one(dataset: Dataset, metric: str) -> None:
    evaluator = Evaluator(dataset, metric)
    for indices in (torch.tensor([0, 1, 2]), [3, 4], [5, 6, 7]):
        evaluator.add(indices, [perfect(dataset, int(index)) for index in indices])
    summary = evaluator.summary()
    assert summary["map50"] == pytest.approx(1.0) and summary["images"] == 8
    assert summary["per_class"] == pytest.approx({"class0": 1.0, "class1": 1.0})
    assert ("map" in summary) == (metric == "coco")


@pytest.mark.parametrize("metric", METRICS)
def test_order_of_images_does_not_matter(dataset: Dataset, metric: str) -> None:
    rng = np.random.default_rng(0)
    found = [random_detections(rng, truth, 2) for truth in dataset.annotations]
    summaries = []
    for order in (range(8), range(7, -1, -1)):
        evaluator = Evaluator(dataset, metric)
        evaluator.add(order, [found[index] for index in order])
        summaries.append(evaluator.summary())
    assert summaries[0]["per_class"] == pytest.approx(summaries[1]["per_class"])


def test_only_added_images_are_scored(dataset: Dataset) -> None:
    evaluator = Evaluator(dataset, "voc")
    evaluator.add([1, 2], [perfect(dataset, 1), perfect(dataset, 2)])
    assert evaluator.summary()["images"] == 2
    assert evaluator.summary()["map50"] == 1.0


def test_class_without_objects_is_left_out_of_the_mean() -> None:
    dataset = random_dataset(np.random.default_rng(3), images=4, classes=1, difficult=0)
    dataset.classes = ("class0", "unseen")
    evaluator = Evaluator(dataset, "voc")
    evaluator.add(range(4), [perfect(dataset, index) for index in range(4)])
    summary = evaluator.summary()
    assert summary["map50"] == 1.0 and math.isnan(summary["per_class"]["unseen"])


@pytest.mark.parametrize("metric", METRICS)
def test_before_any_image(dataset: Dataset, metric: str) -> None:
    assert math.isnan(Evaluator(dataset, metric).summary()["map50"])


def test_refusals(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="`ap` is not one of voc, voc07, coco"):
        Evaluator(dataset, "ap")
    evaluator = Evaluator(dataset)
    boxes, scores, labels = torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([0.5]), torch.tensor([1])
    with pytest.raises(ValueError, match="image 0: a box or score is not finite"):
        evaluator.add([0], [(boxes, scores * math.nan, labels)])
    with pytest.raises(ValueError, match="image 0: a box or score is not finite"):
        evaluator.add([0], [(boxes * math.inf, scores, labels)])
    with pytest.raises(ValueError, match=r"image 0: labels must be in 0\.\.1"):
        evaluator.add([0], [(boxes, scores, labels + 1)])
    evaluator.add([0], [(boxes, scores, labels)])
    with pytest.raises(ValueError, match="image 0 was added before"):
        evaluator.add([0], [(boxes, scores, labels)])
