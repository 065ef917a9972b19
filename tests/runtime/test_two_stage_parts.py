"""What two stages draw, and what it costs, beside torchvision's and the papers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.roi_heads import fastrcnn_loss

from specc_runtime import model, sampling
from specc_runtime.boxes import BoxCoder
from specc_runtime.losses import FastRCNNLoss, RPNLoss
from specc_runtime.losses import rpn as rpn_module
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned, IoUMatch
from specc_runtime.predictions import Predictions
from specc_runtime.sampling import Drawn, Sample, draw

from .one_stage import MAPS, RETINANET, SIZE, random_targets
from .operations import Operations
from .torchvision_two_stage import LIGHT, Replay, light, masks, objects, of_real, rpn, rpn_loss

torch.set_num_threads(1)

FIRST = IoUMatch(0.7, 0.3, best_for_each_object=False, allow_low_quality_matches=True)
SECOND = IoUMatch(0.5, 0.5, best_for_each_object=False)
ONES, TENS = BoxCoder((1.0, 1.0, 1.0, 1.0)), BoxCoder((10.0, 10.0, 5.0, 5.0))


# -- drawing


def labels_of(positives: int, negatives: int, undecided: int) -> Tensor:
    labels = [2] * positives + [NOTHING] * negatives + [UNDECIDED] * undecided
    return torch.tensor(labels)[torch.randperm(len(labels))][None]


@pytest.mark.parametrize(
    ("positives", "negatives", "undecided"),
    [(50, 200, 30), (3, 200, 5), (50, 4, 5), (0, 100, 0), (40, 0, 9), (2, 3, 70), (0, 0, 8)],
)
def test_as_many_are_drawn_as_torchvision_draws(
    positives: int, negatives: int, undecided: int
) -> None:
    labels = labels_of(positives, negatives, undecided)
    drawn = draw(labels, 32, 0.25)
    theirs = rpn(32, 0.25).fg_bg_sampler([labels[0].clamp(max=0) + 1])
    (mask,) = masks(drawn, labels.shape[1])
    assert (mask & (labels[0] >= 0)).sum() == theirs[0][0].sum()
    assert (mask & (labels[0] == NOTHING)).sum() == theirs[1][0].sum()
    assert not (mask & (labels[0] == UNDECIDED)).any()
    assert mask.sum() == drawn.counts.sum()  # none is drawn twice


def test_every_anchor_is_as_likely_as_another() -> None:
    """Drawn 4,000 times, 8 of 20 objects and 24 of 60 others: 1,600 each, give or take."""
    torch.manual_seed(0)
    labels = labels_of(20, 60, 10).expand(4000, -1)
    drawn = draw(labels, 32, 0.25)
    often = torch.stack(masks(drawn, 90)).sum(dim=0)
    assert often[labels[0] == UNDECIDED].sum() == 0
    for of in (often[labels[0] >= 0], often[labels[0] == NOTHING]):
        assert (of - 1600).abs().max() < 5 * math.sqrt(4000 * 0.4 * 0.6)


def test_what_is_drawn_follows_from_the_seed_alone() -> None:
    labels = labels_of(50, 200, 30)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(draw(labels, 32, 0.25).places)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


# -- the first stage


def anchors_said(pictures: int) -> tuple[Tensor, Predictions]:
    anchors = RETINANET(MAPS, SIZE).double()
    offsets = torch.randn(pictures, len(anchors), 4, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(pictures, len(anchors), 1, dtype=torch.float64, requires_grad=True)
    return anchors, Predictions(offsets, logits)


def test_the_first_stages_loss_is_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the same draws, and as many of each picture; values and gradients, an empty picture too."""
    torch.manual_seed(0)
    anchors, said = anchors_said(4)
    boxes, labels = random_targets(4, 5)
    noted: list[Drawn] = []

    def note(*arguments) -> Drawn:
        noted.append(draw(*arguments))
        return noted[-1]

    monkeypatch.setattr(rpn_module, "draw", note)
    ours = RPNLoss(64)(said, FIRST(anchors, boxes, labels), ONES, anchors)
    theirs = rpn(64, 0.5)
    theirs.fg_bg_sampler = Replay(masks(noted[0], len(anchors)))
    wanted = rpn_loss(theirs, said[:2], anchors, objects(boxes, labels))
    assert noted[0].counts.all()
    compare(ours, wanted, said[:2])


def test_the_first_stages_loss_is_the_papers() -> None:
    """Equation 1 anchor by anchor, all of them drawn: the mean over each picture's mini-batch."""
    torch.manual_seed(1)
    anchors, said = anchors_said(3)
    boxes, labels = random_targets(3, 4)
    assigned = FIRST(anchors, boxes, labels)
    ours = RPNLoss(10_000, positive=1.0, beta=1.0)(said, assigned, ONES, anchors)
    of_boxes, of_objects = [], []
    for i in range(3):
        costs, moves, counted = 0.0, 0.0, 0
        for k, anchor in enumerate(anchors.tolist()):
            label = assigned.labels[i, k].item()
            if label == UNDECIDED:
                continue
            counted += 1
            p = 1 / (1 + math.exp(-said.logits[i, k, 0].item()))
            costs -= math.log(p if label >= 0 else 1 - p)
            if label >= 0:
                wanted = offsets_to(assigned.boxes[i, k].tolist(), anchor)
                given = said.offsets[i, k].tolist()
                moves += sum(map(smooth_l1, given, wanted))
        of_objects.append(costs / counted)
        of_boxes.append(moves / counted)
    assert ours["objectness"].item() == pytest.approx(sum(of_objects) / 3, abs=1e-10)
    assert ours["rpn_bbox_regression"].item() == pytest.approx(sum(of_boxes) / 3, abs=1e-10)
    assert sum(of_boxes) > 0


def offsets_to(box: list[float], anchor: list[float]) -> list[float]:
    """Equation 2 of Faster R-CNN."""
    (x1, y1, x2, y2), (u1, v1, u2, v2) = box, anchor
    width, height = u2 - u1, v2 - v1
    return [
        ((x1 + x2) / 2 - (u1 + u2) / 2) / width,
        ((y1 + y2) / 2 - (v1 + v2) / 2) / height,
        math.log((x2 - x1) / width),
        math.log((y2 - y1) / height),
    ]


def smooth_l1(given: float, wanted: float) -> float:
    """Equation 3 of Fast R-CNN."""
    off = abs(given - wanted)
    return 0.5 * off**2 if off < 1 else off - 0.5


def compare(ours: dict[str, Tensor], theirs: dict[str, Tensor], inputs) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert value > 0
        assert abs(ours[name] - value) <= 1e-10, name
    for mine, wanted in zip(
        torch.autograd.grad(sum(ours.values()), inputs),
        torch.autograd.grad(sum(theirs.values()), inputs),
        strict=True,
    ):
        assert wanted.abs().max() > 0
        assert (mine - wanted).abs().max() <= 1e-10


# -- the regions of the second stage


def some_regions(pictures: int, count: int, boxes: Tensor) -> Tensor:
    """Proposals (B, R, 4): near the objects and elsewhere, in the end some without area."""
    objects = boxes.shape[1]
    near = boxes + torch.randn(pictures, objects, 4, dtype=torch.float64)
    corner = torch.rand(pictures, count - objects, 2, dtype=torch.float64) * 100
    side = 5 + torch.rand(pictures, count - objects, 2, dtype=torch.float64) * 60
    found = torch.cat((near, torch.cat((corner, corner + side), dim=-1)), dim=1)
    found[:, -7:] = 0.0
    flat = (found[..., 2:] <= found[..., :2]).any(dim=-1, keepdim=True)
    return found.where(~flat, 0.0)


def test_regions_are_drawn_as_torchvision_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same regions, objects among them, with the same classes and offsets to reach."""
    torch.manual_seed(3)
    boxes, labels = random_targets(4, 6)
    proposals = some_regions(4, 60, boxes)
    noted: list[tuple[Tensor, Drawn]] = []

    def note(of: Tensor, *arguments) -> Drawn:
        noted.append((of, draw(of, *arguments)))
        return noted[-1][1]

    monkeypatch.setattr(sampling, "draw", note)
    ours = Sample(24, 0.25)(proposals, boxes, labels, SECOND)
    heads = light(model.load(LIGHT).build(7).double()).roi_heads
    heads.fg_bg_sampler = Replay(of_real(*noted[0]))
    real = [found[found[:, 2] > found[:, 0]] for found in proposals]
    regions, _, classes, offsets = heads.select_training_samples(real, objects(boxes, labels))
    wanted = TENS.encode(ours.assigned.boxes, ours.regions)
    for i, theirs in enumerate(regions):
        counts = ours.assigned.labels[i] != UNDECIDED
        target = (ours.assigned.labels[i] + 1).clamp(min=0)
        positive = target[counts] > 0
        moves = torch.where(positive[:, None], wanted[i][counts], 0.0)
        mine = torch.cat((ours.regions[i][counts], target[counts, None], moves), dim=1)
        moves = torch.where(classes[i][:, None] > 0, offsets[i], 0.0)
        given = torch.cat((theirs, classes[i][:, None], moves), dim=1)
        torch.testing.assert_close(in_order(mine), in_order(given), rtol=0, atol=1e-10)
        assert not ours.regions[i][~counts].any()
        if (labels[i] >= 0).any():
            assert 0 < positive.sum() <= 6


def in_order(rows: Tensor) -> Tensor:
    return torch.stack(sorted(rows, key=lambda row: row.tolist()))


def test_objects_join_the_proposals() -> None:
    """With no proposal near it, an object is found by itself."""
    boxes = torch.tensor([[[10.0, 10, 40, 50], [0, 0, 0, 0]]])
    proposals = torch.tensor([[[100.0, 100, 140, 150], [0, 0, 0, 0]]])
    drawn = Sample(8, 0.5)(proposals, boxes, torch.tensor([[2, -1]]), SECOND)
    regions = dict(zip(*lists(drawn), strict=True))
    assert regions == {2: [10, 10, 40, 50], NOTHING: [100, 100, 140, 150], UNDECIDED: [0, 0, 0, 0]}


def lists(drawn) -> tuple[list[int], list[list[float]]]:
    return drawn.assigned.labels[0].tolist(), drawn.regions[0].tolist()


def test_nothing_in_drawing_waits_for_the_device() -> None:
    boxes, labels = random_targets(2, 6)
    proposals = some_regions(2, 60, boxes)
    anchors, said = anchors_said(2)
    with Operations() as operations:
        drawn = Sample(24)(proposals, boxes, labels, SECOND)
        RPNLoss(64)(said, FIRST(anchors, boxes, labels), ONES, anchors)
        FastRCNNLoss()(regions_said(drawn.regions, 8), drawn.assigned, TENS, drawn.regions)
    assert operations.waits == []


# -- the second stage


def regions_said(regions: Tensor, classes: int) -> Predictions:
    shape = regions.shape[:2]
    offsets = torch.randn(*shape, 4 * classes, dtype=torch.float64, requires_grad=True)
    logits = torch.randn(*shape, classes, dtype=torch.float64, requires_grad=True)
    return Predictions(offsets, logits, regions=regions)


@pytest.mark.parametrize("examples", [24, 200])
def test_the_second_stages_loss_is_torchvisions(examples: int) -> None:
    """Of each picture by itself, since pictures differ in what there is to be drawn."""
    torch.manual_seed(4)
    boxes, labels = random_targets(4, 6)
    drawn = Sample(examples)(some_regions(4, 60, boxes), boxes, labels, SECOND)
    said = regions_said(drawn.regions, 8)
    assigned, counts = drawn.assigned, drawn.assigned.labels != UNDECIDED
    assert counts.all() == (examples == 24)
    ours = FastRCNNLoss()(said, assigned, TENS, drawn.regions)
    wanted = TENS.encode(assigned.boxes, drawn.regions)
    each = [
        fastrcnn_loss(
            said.logits[i][of],
            said.offsets[i][of],
            [assigned.labels[i][of] + 1],
            [wanted[i][of]],
        )
        for i, of in enumerate(counts)
    ]
    classes, moves = (torch.stack(list(of)).mean() for of in zip(*each, strict=True))
    compare(ours, {"bbox_regression": moves, "classification": classes}, said[:2])


def test_the_second_stages_loss_is_the_papers() -> None:
    """Equations 1 to 3 region by region: the true class's logarithm, the offsets of that class."""
    torch.manual_seed(5)
    boxes, labels = random_targets(3, 4)
    drawn = Sample(30, 0.5)(some_regions(3, 40, boxes), boxes, labels, SECOND)
    said = regions_said(drawn.regions, 8)
    ours = FastRCNNLoss(beta=1.0)(said, drawn.assigned, ONES, drawn.regions)
    costs, moves = 0.0, 0.0
    for i in range(3):
        counted = (drawn.assigned.labels[i] != UNDECIDED).sum().item()
        for k, label in enumerate(drawn.assigned.labels[i].tolist()):
            if label == UNDECIDED:
                continue
            u = label + 1
            logits = said.logits[i, k].tolist()
            costs -= math.log(math.exp(logits[u]) / sum(map(math.exp, logits))) / counted / 3
            if u >= 1:
                given = said.offsets[i, k, 4 * u : 4 * u + 4].tolist()
                box, region = drawn.assigned.boxes[i, k].tolist(), drawn.regions[i, k].tolist()
                moves += sum(map(smooth_l1, given, offsets_to(box, region))) / counted / 3
    assert ours["classification"].item() == pytest.approx(costs, abs=1e-10)
    assert ours["bbox_regression"].item() == pytest.approx(moves, abs=1e-10)
    assert moves > 0


def test_a_picture_without_regions_costs_nothing() -> None:
    regions = torch.zeros(1, 5, 4, dtype=torch.float64)
    said = regions_said(regions, 3)
    labels = torch.full((1, 5), UNDECIDED)
    assigned = Assigned(labels, labels, regions, regions)
    found = FastRCNNLoss()(said, assigned, TENS, regions)
    assert [value.item() for value in found.values()] == [0.0, 0.0]
    gradients = torch.autograd.grad(sum(found.values()), said[:2])
    assert all((gradient == 0).all() for gradient in gradients)
