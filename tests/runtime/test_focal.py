"""The focal loss against torchvision's RetinaNet and against its paper, read word by word."""

import math

import pytest
import torch

from specc_runtime.boxes import BoxCoder
from specc_runtime.losses import FocalLoss
from specc_runtime.losses.focal import focal_loss
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned, IoUMatch
from specc_runtime.predictions import Predictions

from . import torchvision_one_stage
from .one_stage import MAPS, RETINANET, SIZE, random_predictions, random_targets, same_losses
from .operations import Operations

torch.set_num_threads(1)

CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0), clamp=math.log(1000 / 16))
MATCH = IoUMatch(0.5, 0.4, best_for_each_object=False, allow_low_quality_matches=True)
ANCHORS = RETINANET(MAPS, SIZE).double()


def loss(said: Predictions, boxes, labels, box_loss="l1", start=ANCHORS):
    return FocalLoss(boxes=box_loss)(said, MATCH(start, boxes, labels), CODER, start)


@pytest.mark.parametrize("box_loss", ["l1", "smooth_l1", "giou"])
def test_value_and_gradient_are_torchvisions(box_loss):
    for seed in range(3):
        torch.manual_seed(seed)
        boxes, labels = random_targets(4, 6)
        said = random_predictions(4, len(ANCHORS))
        theirs, matches = torchvision_one_stage.retinanet_loss(
            said, ANCHORS, boxes, labels, box_loss
        )
        assert torch.equal(MATCH.indices(ANCHORS, boxes, labels), matches)
        assert {NOTHING, UNDECIDED} < set(matches.flatten().tolist())
        same_losses(loss(said, boxes, labels, box_loss), theirs, said)


def literal(logits, labels, alpha, gamma):
    """Equations 1 to 5, anchor by anchor and class by class."""
    total = 0.0
    for of_anchor, label in zip(logits.tolist(), labels.tolist(), strict=True):
        if label == UNDECIDED:
            continue
        for k, logit in enumerate(of_anchor):
            p = 1 / (1 + math.exp(-logit))
            p_t, alpha_t = (p, alpha) if k == label else (1 - p, 1 - alpha)
            total += -alpha_t * (1 - p_t) ** gamma * math.log(p_t)
    return total


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.75, 0.0), (0.5, 0.5), (0.25, 5.0)])
def test_equals_the_paper(alpha, gamma):
    torch.manual_seed(1)
    logits = 4 * torch.randn(2, 50, 5, dtype=torch.float64)
    labels = torch.randint(-2, 5, (2, 50))
    found = focal_loss(logits, labels, alpha, gamma)
    for i in range(2):
        assert found[i].item() == pytest.approx(literal(logits[i], labels[i], alpha, gamma), 1e-12)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certain_predictions_have_finite_losses_and_gradients(gamma):
    logits = torch.tensor([[[-200.0, 200.0], [200.0, -200.0], [0.0, -1e4]]], requires_grad=True)
    found = focal_loss(logits, torch.tensor([[1, 1, NOTHING]]), 0.25, gamma)
    found.sum().backward()
    assert found.isfinite().all() and logits.grad.isfinite().all()


def test_a_batch_without_objects_is_all_background():
    said = random_predictions(2, len(ANCHORS))
    losses = loss(said, torch.zeros(2, 3, 4).double(), torch.full((2, 3), NOTHING))
    assert losses["bbox_regression"] == 0
    background = focal_loss(said.logits, torch.full(said.logits.shape[:2], NOTHING), 0.25, 2.0)
    assert losses["classification"] == background.mean()


def test_no_gradient_leaves_an_undecided_anchor():
    said = random_predictions(1, 3)
    labels = torch.tensor([[0, UNDECIDED, NOTHING]])
    start = ANCHORS[:3]
    assigned = Assigned(labels, labels, start[None], start)  # the first anchor is its object
    losses = FocalLoss()(said, assigned, CODER, start)
    of_offsets, of_logits = torch.autograd.grad(sum(losses.values()), said[:2])
    assert of_logits[0, 1].abs().sum() == 0 and (of_logits[0, [0, 2]] != 0).all()
    assert of_offsets[0, 1:].abs().sum() == 0


def test_the_host_never_waits_and_nothing_of_the_logits_size_is_a_target():
    counts = []
    for pictures in (2, 5):
        torch.manual_seed(0)
        boxes, labels = random_targets(pictures, 6)
        said = random_predictions(pictures, len(ANCHORS))
        with Operations() as operations:
            sum(loss(said, boxes, labels).values()).backward()
        assert operations.waits == []
        assert not {"one_hot", "zeros_like", "scatter"} & set(operations.names)
        counts.append(len(operations.names))
    assert counts[0] == counts[1]


def test_compiles_as_one_graph():
    torch.manual_seed(2)
    boxes, labels = random_targets(2, 4, torch.float32)
    said = random_predictions(2, len(ANCHORS), torch.float32)
    start = ANCHORS.float()

    def run(offsets, logits):
        return loss(Predictions(offsets, logits), boxes, labels, "giou", start)

    compiled = torch.compile(run, fullgraph=True, dynamic=False)
    for name, value in compiled(*said[:2]).items():
        torch.testing.assert_close(value, run(*said[:2])[name], rtol=1e-4, atol=1e-4)
