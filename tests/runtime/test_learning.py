"""Every loss, in the place of another in one emitted file, can be learnt from."""

from pathlib import Path

import pytest
import torch

from specc_runtime import model
from specc_runtime.matching import NOTHING

from .training import TINY, batch

torch.set_num_threads(1)

YOLO = TINY.with_name("tiny_yolo.py")
OLD = '{"kind": "MultiBoxLoss", "negatives_per_positive": 3.0}'
LOSSES = {
    "MultiBoxLoss": OLD,
    "OHEM": '{"kind": "OHEM", "examples": 64}',
    "FocalLoss": '{"kind": "FocalLoss", "alpha": 0.25, "gamma": 2.0, "boxes": "smooth_l1"}',
    "giou": '{"kind": "FocalLoss", "alpha": 0.25, "gamma": 2.0, "boxes": "giou"}',
}


@pytest.mark.parametrize("name", LOSSES)
def test_objects_are_found_after_some_steps(name: str, tmp_path: Path) -> None:
    path = tmp_path / "tiny.py"
    text = TINY.read_text()
    assert OLD in text
    path.write_text(text.replace(OLD, LOSSES[name]))
    finds_objects(path)


def test_yolo_finds_objects_after_some_steps() -> None:
    finds_objects(YOLO)


def finds_objects(path: Path) -> None:
    torch.manual_seed(0)
    emitted = model.load(path)
    detector = emitted.build(3)
    assert detector.num_classes == 3 + emitted.background
    made = batch(0, 0, size=8)
    optimizer = torch.optim.Adam(detector.parameters(), lr=0.01)
    history = []
    for _ in range(150):
        losses = detector.loss(detector(made.images), made.boxes, made.labels)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append(sum(losses.values()).item())
    assert sum(history[-10:]) < 0.5 * sum(history[:10])
    found = detector.detect(detector(made.images))
    real = made.labels != NOTHING
    right = (found.labels[:, :1] == made.labels) & real
    assert right.sum() >= 6, "the best detection of a picture is its object"
