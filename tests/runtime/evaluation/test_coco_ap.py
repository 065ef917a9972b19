"""COCO's scores against pycocotools."""

import contextlib
import io
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from specc_runtime.cli import train
from specc_runtime.data import synth
from specc_runtime.evaluation import Evaluator
from specc_runtime.evaluation.coco_ap import coco_detections, coco_ground_truth

from .random_scores import random_dataset, random_detections

CLASSES = 3
SSD = Path(__file__).parents[3] / "generated" / "ssd_light.py"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("difficult", [0.0, 0.3])
def test_agrees_with_pycocotools(seed: int, difficult: float) -> None:
    rng = np.random.default_rng(seed)
    dataset = random_dataset(rng, images=30, classes=CLASSES, difficult=difficult)
    found = [random_detections(rng, truth, CLASSES) for truth in dataset.annotations]
    evaluator = Evaluator(dataset, "coco")
    evaluator.add(range(30), found)
    summary = evaluator.summary()

    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = coco_ground_truth(dataset.annotations, CLASSES)
        reference.createIndex()
        boxes, scores, labels = (
            np.concatenate([part.numpy() for part in parts]) for parts in zip(*found, strict=True)
        )
        images = np.repeat(np.arange(30), [len(boxes) for boxes, _, _ in found])
        results = reference.loadRes(coco_detections(images, boxes, scores, labels))
        evaluation = COCOeval(reference, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert summary["map"] == pytest.approx(evaluation.stats[0], abs=1e-9)
    assert summary["map50"] == pytest.approx(evaluation.stats[1], abs=1e-9)
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    by_class = precision.mean(axis=(0, 1))
    assert list(summary["per_class"].values()) == pytest.approx(by_class.tolist(), abs=1e-9)
    assert 0.05 < summary["map"] < summary["map50"] < 0.95


def test_coco_document_by_hand() -> None:
    rng = np.random.default_rng(1)
    dataset = random_dataset(rng, images=3, classes=2, difficult=0.5)
    document = coco_ground_truth(dataset.annotations, 2)
    assert [image["id"] for image in document["images"]] == [1, 2, 3]
    written = [
        (number, label + 1, [x1, y1, x2 - x1, y2 - y1], (x2 - x1) * (y2 - y1), difficult)
        for number, sample in enumerate(dataset.annotations, start=1)
        for (x1, y1, x2, y2), label, difficult in zip(
            sample.boxes.tolist(), sample.labels, sample.difficult, strict=True
        )
    ]
    assert len(written) > 3
    for item, expected in zip(document["annotations"], written, strict=True):
        found = (item["image_id"], item["category_id"], item["bbox"], item["area"], item["iscrowd"])
        assert found == expected


def test_nothing_found() -> None:
    dataset = random_dataset(np.random.default_rng(0), images=5, classes=2, difficult=0)
    empty = random_detections(np.random.default_rng(0), dataset.annotations[0], 2)
    empty = [[part[:0] for part in empty]] * 5
    evaluator = Evaluator(dataset, "coco")
    evaluator.add(range(5), empty)
    assert evaluator.summary()["map"] == 0.0
    for sample in dataset.annotations:
        sample.difficult[sample.labels == 1] = True
    easy, hard = evaluator.summary()["per_class"].values()
    assert easy == 0.0 and math.isnan(hard)


def test_absent_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    dataset = random_dataset(np.random.default_rng(0), images=1, classes=1, difficult=0)
    with pytest.raises(ImportError, match="pip install faster-coco-eval"):
        Evaluator(dataset, "coco")
    Evaluator(dataset, "voc")


def test_a_run_that_lacks_it_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    synth.write(tmp_path, images=10, size=(64, 64))
    asked = [str(SSD), "--data", str(tmp_path), "-o", str(tmp_path / "run"), "batch=2"]
    assert train([*asked, "metric=coco"]) == 1
    assert capsys.readouterr().err.startswith("error: metric `coco` needs faster-coco-eval: pip")
    assert not (tmp_path / "run").exists()
