"""The MultiBox loss against torchvision's, and the promise that the host never waits."""

import pytest
import torch
from torch.nn import functional as F

from specc_runtime.boxes import BoxCoder
from specc_runtime.losses import MultiBoxLoss
from specc_runtime.losses.mining import hardest
from specc_runtime.losses.multibox import cross_entropy
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned, IoUMatch
from specc_runtime.predictions import Predictions

from . import torchvision_ssd
from .operations import Operations
from .ssd300 import anchors, random_targets

torch.set_num_threads(1)

CLASSES = 20


def match_and_loss(offsets, logits, start, boxes, labels, ratio=3.0):
    assigned = IoUMatch()(start, boxes, labels)
    return MultiBoxLoss(ratio)(Predictions(offsets, logits), assigned, BoxCoder(), start)


def loss_of(logits, labels):
    """The loss where the offsets are right."""
    start = anchors()[: labels.shape[1]]
    found = torch.arange(len(start)).where(labels >= 0, labels)
    said = Predictions(torch.zeros_like(start)[None], logits)
    return MultiBoxLoss()(said, Assigned(found, labels, start[None], start), BoxCoder(), start)


def random_batch(seed, pictures=4, dtype=torch.float64, device="cpu"):
    torch.manual_seed(seed)
    start = anchors().to(dtype)
    boxes, labels = random_targets(pictures, 8, CLASSES, dtype)
    offsets = torch.randn(pictures, len(start), 4, dtype=dtype)
    logits = torch.randn(pictures, len(start), CLASSES + 1, dtype=dtype) * 3
    batch = [t.to(device) for t in (offsets, logits, start, boxes, labels)]
    return batch[0].requires_grad_(), batch[1].requires_grad_(), *batch[2:]


@pytest.mark.parametrize(("seed", "ratio"), [(0, 3.0), (1, 3.0), (2, 2.7), (3, 0.4)])
def test_value_and_gradient_are_torchvisions(seed, ratio):
    batch = *random_batch(seed), ratio
    ours, theirs = match_and_loss(*batch), torchvision_ssd.loss(*batch)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert theirs[name] > 0
        assert abs(ours[name] - theirs[name]) <= 1e-10
    of_ours = torch.autograd.grad(sum(ours.values()), batch[:2])
    of_theirs = torch.autograd.grad(sum(theirs.values()), batch[:2])
    for a, b in zip(of_ours, of_theirs, strict=True):
        assert (a - b).abs().max() <= 1e-10


def test_a_batch_without_objects_costs_nothing_and_has_finite_gradients():
    offsets, logits, start, boxes, _ = random_batch(0)
    losses = match_and_loss(offsets, logits, start, boxes * 0, torch.full((4, 8), NOTHING))
    assert [v.item() for v in losses.values()] == [0.0, 0.0]
    sum(losses.values()).backward()
    assert offsets.grad.abs().sum() == 0 and logits.grad.abs().sum() == 0


def test_where_background_runs_short_all_of_it_counts_once():
    logits = torch.zeros(1, 4, 3)
    labels = torch.tensor([[0, 1, 0, NOTHING]])
    losses = loss_of(logits, labels)
    assert losses["classification"].item() == pytest.approx(4 * torch.log(torch.tensor(3.0)) / 3)


def test_undecided_anchors_count_neither_way():
    logits = torch.zeros(1, 3, 3)
    logits[0, 1] = torch.tensor([-50.0, 0.0, 50.0])  # would be the hardest of all
    labels = torch.tensor([[0, UNDECIDED, NOTHING]])
    losses = loss_of(logits, labels)
    assert losses["classification"].item() == pytest.approx(2 * torch.log(torch.tensor(3.0)))


@pytest.mark.parametrize("way", [hardest, torch.compile(hardest, fullgraph=True, dynamic=False)])
def test_the_hardest_of_each_picture_are_taken_and_equal_losses_share(way):
    losses = torch.tensor([[1.0, 5.0, 1.0, 0.0, 1.0]]).expand(5, -1)
    weights = way(losses, torch.tensor([0.0, 1.0, 3.0, 4.0, 9.0]))
    third = 2 / 3
    expected = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, 0.0, 0.0],
            [third, 1.0, third, 0.0, third],
            [1.0, 1.0, 1.0, 0.0, 1.0],
            [1.0, 1.0, 1.0, 1.0, 1.0],
        ]
    )
    torch.testing.assert_close(weights, expected)


def test_the_host_never_waits_and_operations_do_not_grow_with_the_batch():
    counts = []
    for pictures in (2, 6):
        batch = random_batch(1, pictures)
        with Operations() as operations:
            sum(match_and_loss(*batch).values()).backward()
        assert operations.waits == []
        counts.append(len(operations.names))
    assert counts[0] == counts[1]


def test_the_counter_sees_torchvision_wait():
    batch = random_batch(1)
    with Operations() as operations:
        torchvision_ssd.loss(*batch)
    assert len(operations.waits) > 10


def test_compiled_as_one_graph_value_and_gradient_are_torchvisions_too():
    batch = random_batch(2, dtype=torch.float32)
    compiled = torch.compile(match_and_loss, fullgraph=True, dynamic=False)
    ours, theirs = compiled(*batch), torchvision_ssd.loss(*batch)
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-5, atol=1e-5)
    of_ours = torch.autograd.grad(sum(ours.values()), batch[:2])
    of_theirs = torch.autograd.grad(sum(theirs.values()), batch[:2])
    for a, b in zip(of_ours, of_theirs, strict=True):
        assert b.abs().max() > 1e-3
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "way", [cross_entropy, torch.compile(cross_entropy, fullgraph=True, dynamic=False)]
)
def test_cross_entropy_is_torchs_however_large_the_logits(way):
    torch.manual_seed(0)
    logits = (
        torch.randn(3, 40, 21, dtype=torch.float64) * torch.tensor([1.0, 30.0, 1e4])[:, None, None]
    )
    logits.requires_grad_()
    classes = torch.randint(0, 21, (3, 40))
    ours = way(logits, classes)
    theirs = F.cross_entropy(logits.mT, classes, reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    of_ours, of_theirs = (torch.autograd.grad(each.sum(), logits)[0] for each in (ours, theirs))
    torch.testing.assert_close(of_ours, of_theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.gpu
def test_the_device_is_never_waited_for():
    batch = random_batch(3, dtype=torch.float32, device="cuda")
    sum(match_and_loss(*batch).values()).backward()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        losses = match_and_loss(*batch)
        sum(losses.values()).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    on_host = match_and_loss(*(t.detach().cpu() for t in batch))
    for name in losses:
        torch.testing.assert_close(losses[name].cpu(), on_host[name], rtol=1e-4, atol=1e-4)
