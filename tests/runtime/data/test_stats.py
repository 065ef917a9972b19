"""What is counted of a data set's objects, and the share that default boxes fit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from specc_runtime import cli
from specc_runtime.data import open_dataset
from specc_runtime.data.stats import coverage, statistics

from .voc_folder import VocFolder

FIXTURE = Path(__file__).parents[1] / "fixtures/tiny_ssd.py"


def test_counts(folder: VocFolder) -> None:
    folder.add("a", [("cat", (1, 1, 20, 10)), ("dog", (1, 1, 32, 32))])
    folder.add("b", [("cat", (1, 1, 40, 40))])
    folder.add("c")
    dataset = open_dataset(folder.root, "train")
    found = statistics(dataset.classes, dataset.annotations)
    assert (found["images"], found["background"], found["objects"]) == (3, 1, 3)
    assert found["most_objects"] == 2 and found["image_sizes"] == {"80x60": 3}
    assert found["sizes"] == {"small": 1, "medium": 2, "large": 0}
    cat = found["classes"]["cat"]
    assert (cat["objects"], cat["images"]) == (2, 2)
    assert cat["aspect"][2] == pytest.approx(1.5)  # of 2 and 1
    sides = [(200 / 4800) ** 0.5, (1600 / 4800) ** 0.5]
    assert cat["sqrt_area"][2] == pytest.approx(sum(sides) / 2, abs=1e-4)


def test_coverage_is_torchvisions_overlap(shapes: Path) -> None:
    dataset = open_dataset(shapes, "train")
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 96, (400, 2, 2)), axis=1)
    anchors = corners.reshape(-1, 4).astype(np.float32)
    stretch = torch.tensor([96 / 160, 96 / 120] * 2)
    best, labels = [], []
    for sample in dataset.annotations:
        boxes = torch.from_numpy(sample.boxes) * stretch
        best += box_iou(boxes, torch.from_numpy(anchors)).amax(1).tolist()
        labels += sample.labels.tolist()
    covered, labels = np.array(best) >= 0.5, np.array(labels)
    found = coverage(dataset.classes, dataset.annotations, anchors, (96, 96))
    assert 0 < found["covered"] < 1
    assert found["covered"] == pytest.approx(covered.mean())
    assert found["mean_iou"] == pytest.approx(np.mean(best), rel=1e-5)
    for label, name in enumerate(dataset.classes):
        assert found["classes"][name] == pytest.approx(covered[labels == label].mean())
    with_cells = np.concatenate([anchors, anchors], axis=1)
    assert coverage(dataset.classes, dataset.annotations, with_cells, (96, 96)) == found


def test_an_overlap_of_just_a_half_is_enough(folder: VocFolder) -> None:
    folder.add("a", [("cat", (1, 1, 16, 16))])
    (sample,) = open_dataset(folder.root, "train").annotations
    for height, share in ((8, 1.0), (7.9, 0.0)):
        anchors = np.array([[0.0, 0, 16, height]])
        assert coverage(("cat",), [sample], anchors, (60, 80))["covered"] == share


def test_nothing_annotated(folder: VocFolder) -> None:
    folder.add("a")
    (sample,) = open_dataset(folder.root, "train").annotations
    assert statistics(("cat",), [sample])["classes"]["cat"]["aspect"] is None
    found = coverage(("cat",), [sample], np.array([[0.0, 0, 9, 9]]), (30, 30))
    assert found["covered"] is None and found["classes"] == {"cat": None}
    assert statistics((), [])["objects"] == 0


def test_commands(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "stats", str(shapes), "--model", str(FIXTURE), "--split", "val"]
    assert cli.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "val: 6 images (0 without objects)"
    assert [line.split()[0] for line in lines[5:10]] == [
        "cross",
        "disc",
        "ring",
        "star",
        "triangle",
    ]
    assert "a default box at IoU 0.5 or more" in lines[-1]
    assert cli.main([*command, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["val"]
    assert f"{found['coverage']['covered']:.1%} of the objects" in lines[-1]
    sheet = tmp_path / "sheet.png"
    assert cli.main(["data", "view", str(shapes), "-o", str(sheet), "--images", "3"]) == 0
    assert sheet.stat().st_size > 10_000
    assert cli.main(["data", "synth", str(tmp_path / "new"), "--images", "4"]) == 0
    assert len(open_dataset(tmp_path / "new", "train")) == 2
