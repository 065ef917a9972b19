"""Online hard example mining against its paper, read literally, with Fast R-CNN's losses."""

import pytest
import torch
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import fastrcnn_loss

from specc_runtime.boxes import BoxCoder
from specc_runtime.losses import OHEM
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned
from specc_runtime.predictions import Predictions

from .one_stage import MAPS, RETINANET, SIZE
from .operations import Operations

torch.set_num_threads(1)

CODER = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
ANCHORS = RETINANET(MAPS, SIZE).double()[:300]
CLASSES = 5


def random_batch(pictures=3):
    labels = torch.randint(-2, CLASSES, (pictures, len(ANCHORS)))
    labels[0] = NOTHING
    boxes = ANCHORS + torch.rand(pictures, len(ANCHORS), 4)
    logits = 2 * torch.randn(pictures, len(ANCHORS), CLASSES + 1, dtype=torch.float64)
    offsets = torch.randn(pictures, len(ANCHORS), 4, dtype=torch.float64)
    said = Predictions(offsets.requires_grad_(), logits.requires_grad_())
    found = torch.arange(len(ANCHORS)).where(labels >= 0, labels)  # each has an object of its own
    return said, Assigned(found, labels, boxes, ANCHORS)


def literal(said: Predictions, assigned: Assigned, examples: int) -> dict[str, torch.Tensor]:
    """Section 4: rank by loss, take the hardest of each picture, and learn from those alone."""
    targets = CODER.encode(assigned.boxes, ANCHORS)
    boxes, classes = [], []
    for i, labels in enumerate(assigned.labels.tolist()):
        ranked = []
        for a, label in enumerate(labels):
            if label == UNDECIDED:
                continue
            of_class = F.cross_entropy(said.logits[i, a], torch.tensor(label + 1))
            of_box = F.smooth_l1_loss(said.offsets[i, a], targets[i, a], reduction="sum")
            of_box = of_box if label >= 0 else of_box * 0
            ranked.append((of_class + of_box, of_class, of_box))
        ranked.sort(key=lambda losses: -losses[0].item())
        classes += [of_class for _, of_class, _ in ranked[:examples]]
        boxes += [of_box for _, _, of_box in ranked[:examples]]
    return {
        "bbox_regression": sum(boxes) / len(boxes),
        "classification": sum(classes) / len(classes),
    }


@pytest.mark.parametrize("examples", [7, 64, 290])
def test_value_and_gradient_are_the_papers(examples):
    torch.manual_seed(examples)
    said, assigned = random_batch()
    ours = OHEM(examples)(said, assigned, CODER, ANCHORS)
    theirs = literal(said, assigned, examples)
    for name, value in theirs.items():
        assert value > 0 and abs(ours[name] - value) <= 1e-10
    of_ours = torch.autograd.grad(sum(ours.values()), said[:2])
    of_theirs = torch.autograd.grad(sum(theirs.values()), said[:2])
    for a, b in zip(of_ours, of_theirs, strict=True):
        assert (a - b).abs().max() <= 1e-10
    assert (of_ours[1].abs().sum(dim=2) > 0).sum(dim=1).max() <= examples


def test_where_all_are_taken_classes_cost_what_torchvisions_do():
    torch.manual_seed(0)
    said, assigned = random_batch(1)
    labels = assigned.labels.clamp(min=NOTHING)
    ours = OHEM(len(ANCHORS))(said, assigned._replace(labels=labels), CODER, ANCHORS)
    targets = CODER.encode(assigned.boxes, ANCHORS)[0]
    repeated = said.offsets[0].repeat(1, CLASSES + 1)
    classes, _ = fastrcnn_loss(said.logits[0], repeated, [labels[0] + 1], [targets])
    assert ours["classification"].item() == pytest.approx(classes.item(), abs=1e-10)


def test_where_examples_run_short_the_undecided_are_left_out():
    said = Predictions(torch.zeros(1, 3, 4), torch.zeros(1, 3, 3))
    labels = torch.tensor([[0, UNDECIDED, NOTHING]])
    start = ANCHORS[:3].float()
    assigned = Assigned(labels, labels, start[None], start)  # the first anchor is its object
    losses = OHEM(3)(said, assigned, CODER, start)
    assert losses["classification"].item() == pytest.approx(torch.log(torch.tensor(3.0)).item())
    assert losses["bbox_regression"] == 0


def test_the_host_never_waits_and_operations_do_not_grow_with_the_batch():
    counts = []
    for pictures in (2, 5):
        said, assigned = random_batch(pictures)
        with Operations() as operations:
            sum(OHEM(20)(said, assigned, CODER, ANCHORS).values()).backward()
        assert operations.waits == []
        counts.append(len(operations.names))
    assert counts[0] == counts[1]
