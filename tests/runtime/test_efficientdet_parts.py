"""EfficientDet's anchors, loss and selection, each beside its definition read literally."""

import math

import pytest
import torch

from specc_runtime.anchors import CellAnchors
from specc_runtime.boxes import BoxCoder
from specc_runtime.contract import ContractError
from specc_runtime.decode import TopNMS
from specc_runtime.losses import EfficientDetLoss
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned, IoUMatch
from specc_runtime.predictions import Predictions

from .one_stage import CLASSES, random_predictions, random_targets

torch.set_num_threads(1)

SIZE, MAPS, STRIDES = (64, 96), ((8, 12), (4, 6), (2, 3)), (8.0, 16.0, 32.0)
SCALES, ASPECTS = (2.0, 2.0 * 2**0.5), ((1.0, 1.0), (1.4, 0.7))
LAY = CellAnchors(SCALES, ASPECTS, STRIDES)
ANCHORS = LAY(MAPS, SIZE).double()
CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))


def test_anchors_lie_around_the_middle_of_each_cell():
    expected = [
        [
            (column + 0.5 * (1 + side * scale * width)) * stride
            if axis == 0
            else (row + 0.5 * (1 + side * scale * height)) * stride
            for side in (-1, 1)
            for axis in (0, 1)
        ]
        for (rows, columns), stride in zip(MAPS, STRIDES, strict=True)
        for row in range(rows)
        for column in range(columns)
        for scale in SCALES
        for width, height in ASPECTS
    ]
    assert LAY.per_cell == (4, 4, 4)
    assert (ANCHORS - torch.tensor(expected, dtype=torch.float64)).abs().max() < 1e-5


def test_anchors_need_a_stride_for_each_map():
    with pytest.raises(ContractError, match="3 strides for 2 maps"):
        LAY(MAPS[:2], SIZE)


def literal(said: Predictions, assigned: Assigned, loss: EfficientDetLoss) -> tuple[float, float]:
    """Anchor by anchor, class by class and offset by offset."""
    positives, of_classes, of_boxes = 0, 0.0, 0.0
    for offsets, logits, boxes, labels in zip(
        said.offsets.tolist(), said.logits.tolist(), assigned.boxes, assigned.labels, strict=True
    ):
        for i, label in enumerate(labels.tolist()):
            if label == UNDECIDED:
                continue
            for k, logit in enumerate(logits[i]):
                p = 1 / (1 + math.exp(-logit))
                p, alpha = (p, loss.alpha) if k == label else (1 - p, 1 - loss.alpha)
                of_classes -= alpha * (1 - p) ** loss.gamma * math.log(p)
            if label == NOTHING:
                continue
            positives += 1
            wanted = CODER.encode(boxes[i][None], ANCHORS[i][None])[0].tolist()
            for given, want in zip(offsets[i], wanted, strict=True):
                far = abs(given - want)
                near = min(far, loss.delta)
                of_boxes += near**2 / 2 + loss.delta * (far - near)
    count = positives + 1
    return loss.box_weight * of_boxes / (4 * count), of_classes / count


@pytest.mark.parametrize("loss", [EfficientDetLoss(), EfficientDetLoss(0.5, 2.0, 1.0, 3.0)])
def test_loss_equals_its_definition(loss):
    torch.manual_seed(0)
    boxes, labels = random_targets(3, 4)
    said = random_predictions(3, len(ANCHORS))
    said.offsets.data *= 0.3
    assigned = IoUMatch(0.5, 0.4)(ANCHORS, boxes, labels)
    assert {NOTHING, UNDECIDED} < set(assigned.labels.flatten().tolist())
    found = loss(said, assigned, CODER, ANCHORS)
    of_boxes, of_classes = literal(said, assigned, loss)
    assert found["bbox_regression"].item() == pytest.approx(of_boxes, rel=1e-10)
    assert found["classification"].item() == pytest.approx(of_classes, rel=1e-10)


def test_a_batch_without_objects_has_a_loss():
    said = random_predictions(2, len(ANCHORS))
    nothing = IoUMatch()(ANCHORS, torch.zeros(2, 1, 4).double(), torch.full((2, 1), NOTHING))
    losses = EfficientDetLoss()(said, nothing, CODER, ANCHORS)
    assert losses["bbox_regression"] == 0 < losses["classification"] < math.inf


def test_the_best_of_all_maps_compete():
    """One by one, from the best score on; the maps have no share of their own."""
    torch.manual_seed(2)
    said = random_predictions(2, len(ANCHORS))
    boxes = CODER.decode(0.3 * said.offsets.detach(), ANCHORS)
    scores = said.logits.detach().sigmoid()
    select = TopNMS(score=0.2, best=300, iou=0.4, keep=40)
    found = select(boxes, scores, (1, 2, 3))
    for i in range(2):
        pairs = [
            (scores[i, a, c].item(), a, c) for a in range(len(ANCHORS)) for c in range(CLASSES)
        ]
        kept: list[tuple[float, int, int]] = []
        for score, a, c in sorted(pairs, reverse=True)[: select.best]:
            rivals = [boxes[i, b] for _, b, of in kept if of == c]
            if score > select.score and all(overlap(boxes[i, a], b) <= 0.4 for b in rivals):
                kept.append((score, a, c))
        mine, values, labels = found.of(i)
        assert len(kept) > 40
        assert values.tolist() == [score for score, _, _ in kept[:40]]
        assert labels.tolist() == [c for _, _, c in kept[:40]]
        assert torch.equal(mine, boxes[i, [a for _, a, _ in kept[:40]]])


def overlap(one: torch.Tensor, other: torch.Tensor) -> float:
    """Intersection over union of two boxes."""
    (a, b, c, d), (e, f, g, h) = one.tolist(), other.tolist()
    shared = max(0.0, min(c, g) - max(a, e)) * max(0.0, min(d, h) - max(b, f))
    return shared / ((c - a) * (d - b) + (g - e) * (h - f) - shared)
