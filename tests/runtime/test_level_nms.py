"""Selection map by map against the post-processing of torchvision's RetinaNet and FCOS."""

import math

import pytest
import torch

from specc_runtime import decode, suppression
from specc_runtime.boxes import BoxCoder, BoxLinearCoder, clip, iou
from specc_runtime.decode import LevelNMS
from specc_runtime.losses import FCOSLoss, FocalLoss
from specc_runtime.predictions import Predictions

from . import torchvision_one_stage
from .one_stage import CLASSES, FCOS, MAPS, RETINANET, SIZE, levels, random_predictions

torch.set_num_threads(1)

CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0), clamp=math.log(1000 / 16))


def same(found: decode.Detections, expected) -> None:
    for i, theirs in enumerate(expected):
        boxes, scores, labels = found.of(i)
        assert torch.equal(scores, theirs["scores"])
        assert torch.equal(labels, theirs["labels"])
        torch.testing.assert_close(boxes, theirs["boxes"], rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "select",
    [
        LevelNMS(score=0.05, per_map=1000, iou=0.5, keep=300),
        LevelNMS(score=0.6, per_map=100, iou=0.3, keep=50),
        LevelNMS(score=0.999, per_map=1000, iou=0.5, keep=300),
    ],
)
def test_equals_torchvisions_retinanet(select, seed):
    torch.manual_seed(seed)
    start = RETINANET(MAPS, SIZE).double()
    said = Predictions(*(t.detach() for t in random_predictions(3, len(start))[:2]))
    said.logits[2] = -20.0
    boxes = clip(CODER.decode(said.offsets, start), SIZE)
    found = select(boxes, FocalLoss().scores(said), levels(RETINANET))
    assert found.boxes.shape == (3, select.keep, 4) and found.counts[2] == 0
    sizes = levels(RETINANET)
    same(found, torchvision_one_stage.retinanet_detections(said, start, sizes, SIZE, select))


@pytest.mark.parametrize("per_map", [30, 1000])
def test_equals_torchvisions_where_the_best_of_all_maps_cover_each_other(per_map):
    torch.manual_seed(0)
    start, select = RETINANET(MAPS, SIZE).double(), LevelNMS(per_map=per_map, keep=60)
    offsets = torch.randn(2, len(start), 4, dtype=torch.float64) * 0.1
    logits = torch.randn(2, len(start), CLASSES, dtype=torch.float64) - 3
    logits[..., 1] += 6 * iou(start[len(start) // 2, None, :4], start[:, :4])
    logits[..., 2] += 6 * iou(start[-1, None, :4], start[:, :4])
    said, sizes = Predictions(offsets, logits), levels(RETINANET)
    boxes = clip(CODER.decode(said.offsets, start), SIZE)
    found = select(boxes, FocalLoss().scores(said), sizes)
    expected = torchvision_one_stage.retinanet_detections(said, start, sizes, SIZE, select)
    same(found, expected)


@pytest.mark.parametrize("seed", range(3))
def test_equals_torchvisions_fcos(seed):
    torch.manual_seed(seed)
    start, select = FCOS(MAPS, SIZE).double(), LevelNMS(score=0.2, iou=0.6, keep=100)
    said = random_predictions(2, len(start), central=True)
    said = Predictions(said.offsets.detach(), said.logits.detach(), said.confidence.detach())
    boxes = clip(BoxLinearCoder().decode(said.offsets, start), SIZE)
    found = select(boxes, FCOSLoss().scores(said), levels(FCOS))
    assert (found.counts == 100).all()
    expected = torchvision_one_stage.fcos_detections(said, start, levels(FCOS), SIZE, select)
    same(found, expected)


@pytest.mark.parametrize("pairs", [0, 500, 10**6])
def test_how_many_are_settled_at_once_makes_no_difference(pairs, monkeypatch):
    torch.manual_seed(5)
    boxes = torch.rand(2, 400, 2) * 60
    boxes = torch.cat((boxes, boxes + 10 + 20 * torch.rand(2, 400, 2)), dim=2)
    scores, select = torch.rand(2, 400, CLASSES), LevelNMS(per_map=300, keep=40)
    whole = select(boxes, scores, (300, 100))
    monkeypatch.setattr(suppression, "PAIRS", pairs)
    again = select(boxes, scores, (300, 100))
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))


def test_classes_do_not_suppress_each_other_and_maps_do():
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0]]])
    scores = torch.tensor([[[0.9, 0.8], [0.7, 0.0]]])
    found = LevelNMS(keep=4)(boxes, scores, (1, 1))
    assert found.counts.tolist() == [2]
    assert found.labels.tolist() == [[0, 1, -1, -1]]
    assert found.boxes[0, :2].tolist() == [[0.0, 0.0, 10.0, 10.0]] * 2
