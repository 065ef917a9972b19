"""FCOS's matching, coder and loss against torchvision's, and against the papers read literally."""

import math

import pytest
import torch
from torchvision.models.detection._utils import BoxLinearCoder as Torchvisions

from specc_runtime.boxes import BoxLinearCoder
from specc_runtime.losses import FCOSLoss
from specc_runtime.losses.fcos import centerness
from specc_runtime.matching import NOTHING, CenterSampling
from specc_runtime.predictions import Predictions

from . import torchvision_one_stage
from .one_stage import FCOS, MAPS, SIZE, levels, random_predictions, random_targets, same_losses
from .operations import Operations

torch.set_num_threads(1)

ANCHORS = FCOS(MAPS, SIZE).double()
LEVELS = levels(FCOS)


def loss(said: Predictions, boxes, labels, start=ANCHORS):
    return FCOSLoss()(said, CenterSampling()(start, boxes, labels), BoxLinearCoder(), start)


@pytest.mark.parametrize("seed", range(4))
def test_matches_values_and_gradients_are_torchvisions(seed):
    torch.manual_seed(seed)
    boxes, labels = random_targets(4, 8)
    said = random_predictions(4, len(ANCHORS), central=True)
    theirs, matches = torchvision_one_stage.fcos_loss(said, ANCHORS, boxes, labels, LEVELS)
    assert torch.equal(CenterSampling().indices(ANCHORS, boxes, labels), matches)
    assert (matches >= 0).sum() > 10
    same_losses(loss(said, boxes, labels), theirs, said)


def literal(boxes, labels):
    """One picture, as section 3 says it, location by location; the bounds are m_2 to m_6's."""
    bounds = [0, 64, 128, 256, 512, math.inf]
    found = []
    for level, count in enumerate(LEVELS):
        stride = 8 * 2**level
        for x1, y1, x2, y2 in ANCHORS.split(LEVELS)[level].tolist():
            assert count and x2 - x1 == y2 - y1 == stride
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            best = (math.inf, NOTHING)
            for i, (bx1, by1, bx2, by2) in enumerate(boxes.tolist()):
                sides = (x - bx1, y - by1, bx2 - x, by2 - y)
                cx, cy = (bx1 + bx2) / 2, (by1 + by2) / 2
                near = max(abs(x - cx), abs(y - cy)) < 1.5 * stride
                scale = bounds[level] < max(sides) < bounds[level + 1]
                if labels[i] >= 0 and min(sides) > 0 and near and scale:
                    best = min(best, ((bx2 - bx1) * (by2 - by1), i))
            found.append(best[1])
    return found


@pytest.mark.parametrize(("objects", "grid"), [(5, 1e-6), (40, 4)])
def test_equals_the_papers(objects, grid):
    """On a coarse grid, objects end at cells' centres, stand on every bound, and are alike in area."""
    torch.manual_seed(7)
    boxes, labels = random_targets(3, objects)
    boxes = (boxes / grid).round() * grid
    ours = CenterSampling().indices(ANCHORS, boxes, labels)
    for i in range(3):
        assert ours[i].tolist() == literal(boxes[i], labels[i])


def test_of_objects_around_a_cell_the_smallest_is_found():
    boxes = torch.tensor([[[8.0, 8.0, 56.0, 56.0], [24.0, 24.0, 40.0, 40.0]]])
    start = torch.tensor([[28.0, 28.0, 36.0, 36.0]])
    assigned = CenterSampling()(start, boxes, torch.tensor([[3, 5]]))
    assert assigned.labels.tolist() == [[5]]
    assert torch.equal(assigned.boxes[0, 0], boxes[0, 1])
    alike = CenterSampling()(start, boxes[:, [1, 1]], torch.tensor([[3, 5]]))
    assert alike.labels.tolist() == [[3]], "of equal ones the first"
    nothing = CenterSampling()(start, boxes, torch.tensor([[NOTHING, NOTHING]]))
    assert nothing.labels.tolist() == [[NOTHING]] and torch.equal(nothing.boxes[0], start)


def test_the_coder_is_torchvisions():
    torch.manual_seed(0)
    boxes, _ = random_targets(2, len(ANCHORS))
    ours, theirs = BoxLinearCoder(), Torchvisions(normalize_by_size=True)
    offsets = ours.encode(boxes, ANCHORS)
    assert torch.equal(offsets, theirs.encode(ANCHORS.expand_as(boxes), boxes))
    assert torch.equal(ours.decode(offsets, ANCHORS), theirs.decode(offsets, ANCHORS))
    torch.testing.assert_close(ours.decode(offsets, ANCHORS), boxes)


def test_centerness_is_one_in_the_middle_and_none_at_a_side():
    boxes = torch.tensor([[0.0, 0.0, 16.0, 16.0]]).expand(3, 4)
    start = torch.tensor([[4.0, 4, 12, 12], [-4.0, 4, 4, 12], [0.0, 4, 8, 12]])
    expected = [1.0, 0.0, math.sqrt(4 / 12)]
    assert centerness(boxes, start).tolist() == pytest.approx(expected)


def test_a_batch_without_objects_has_finite_gradients():
    said = random_predictions(2, len(ANCHORS), central=True)
    losses = loss(said, torch.zeros(2, 3, 4).double(), torch.full((2, 3), NOTHING))
    assert losses["bbox_regression"] == losses["bbox_ctrness"] == 0
    gradients = torch.autograd.grad(sum(losses.values()), said[:3])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_host_never_waits_and_operations_do_not_grow_with_the_batch():
    counts = []
    for pictures in (2, 5):
        torch.manual_seed(0)
        boxes, labels = random_targets(pictures, 6)
        said = random_predictions(pictures, len(ANCHORS), central=True)
        with Operations() as operations:
            sum(loss(said, boxes, labels).values()).backward()
        assert operations.waits == []
        counts.append(len(operations.names))
    assert counts[0] == counts[1]


def test_compiles_as_one_graph():
    torch.manual_seed(2)
    boxes, labels = random_targets(2, 4, torch.float32)
    said = random_predictions(2, len(ANCHORS), torch.float32, central=True)

    def run(*said):
        return loss(Predictions(*said), boxes, labels, ANCHORS.float())

    compiled = torch.compile(run, fullgraph=True, dynamic=False)
    for name, value in compiled(*said).items():
        torch.testing.assert_close(value, run(*said)[name], rtol=1e-4, atol=1e-4)
