"""Batched suppression against `torchvision.ops.nms`, class by class, and against SSD's own."""

import pytest
import torch
from torchvision.ops import nms

from specc_runtime import suppression
from specc_runtime.boxes import BoxCoder, clip
from specc_runtime.decode import NMS

from . import torchvision_ssd
from .ssd300 import SIZE, anchors, random_boxes

torch.set_num_threads(1)


def literal(boxes, scores, select):
    """One picture, as the paper says it: loop over classes, threshold, top k, suppress, keep."""
    found = []
    for label in range(scores.shape[1]):
        above = (scores[:, label] > select.score).nonzero()[:, 0]
        order = scores[above, label].argsort(descending=True)[: select.per_class]
        chosen = above[order]
        kept = chosen[nms(boxes[chosen], scores[chosen, label], select.iou)]
        found += [(float(scores[i, label]), label, boxes[i].tolist()) for i in kept]
    return sorted(found, key=lambda d: -d[0])[: select.keep]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "select",
    [
        NMS(score=0.05, per_class=60, iou=0.45, keep=50),
        NMS(score=0.5, per_class=400, iou=0.3, keep=200),
        NMS(score=0.999, per_class=10, iou=0.7, keep=5),
    ],
)
def test_equals_the_literal_algorithm(seed, select):
    torch.manual_seed(seed)
    boxes, scores = random_boxes((3, 300)), torch.rand(3, 300, 4)
    scores[2] = 0.0
    detections = select(boxes, scores)
    assert detections.boxes.shape == (3, select.keep, 4)
    for i in range(3):
        expected = literal(boxes[i], scores[i], select)
        found_boxes, found_scores, found_labels = detections.of(i)
        assert found_scores.tolist() == [score for score, _, _ in expected]
        assert found_labels.tolist() == [label for _, label, _ in expected]
        assert found_boxes.tolist() == [box for _, _, box in expected]
    assert detections.counts[2] == 0
    assert detections.counts[0] > 0 or select.score > 0.99


@pytest.mark.parametrize("seed", range(2))
def test_equals_torchvisions_ssd(seed):
    torch.manual_seed(seed)
    start, select = anchors(), NMS(score=0.1, per_class=100, iou=0.45, keep=200)
    offsets, logits = torch.randn(2, len(start), 4), torch.randn(2, len(start), 6) * 2
    boxes = BoxCoder(clamp=torchvision_ssd.CLAMP).decode(offsets, start)
    ours = select(clip(boxes, (SIZE, SIZE)), logits.softmax(dim=2)[..., 1:])
    theirs = torchvision_ssd.detections(offsets, logits, start, (SIZE, SIZE), select)
    for i, expected in enumerate(theirs):
        found_boxes, scores, labels = ours.of(i)
        assert len(scores) == 200
        assert torch.equal(scores, expected["scores"])
        assert torch.equal(labels + 1, expected["labels"])
        torch.testing.assert_close(found_boxes, expected["boxes"], rtol=0, atol=1e-3)


def test_a_chain_of_overlaps_is_settled_from_the_best_down():
    # Each box overlaps the next: greedy suppression keeps every second one.
    x = torch.arange(30.0) * 4
    boxes = torch.stack((x, x * 0, x + 10, x * 0 + 10), dim=1)
    scores = torch.linspace(0.9, 0.1, 30)
    found = NMS(score=0.01, iou=0.4, keep=30)(boxes[None], scores[None, :, None])
    assert found.boxes[0, : found.counts[0], 0].tolist() == x[::2].tolist()


@pytest.mark.parametrize("pairs", [0, 100, 10**6])
def test_boxes_are_settled_some_at_a_time_without_any_difference(pairs, monkeypatch):
    torch.manual_seed(5)
    boxes, scores, select = random_boxes((3, 100)), torch.rand(3, 100, 4), NMS(keep=40)
    whole = select(boxes, scores)
    monkeypatch.setattr(suppression, "PAIRS", pairs)
    assert all(torch.equal(a, b) for a, b in zip(whole, select(boxes, scores), strict=True))


def test_padding_is_marked():
    found = NMS(keep=7)(torch.tensor([[[0.0, 0.0, 9.0, 9.0]]]), torch.tensor([[[0.8, 0.0]]]))
    assert found.counts.tolist() == [1]
    assert found.labels.tolist() == [[0] + [-1] * 6]
    assert found.scores[0, 1:].sum() == 0 and found.boxes[0, 1:].sum() == 0
