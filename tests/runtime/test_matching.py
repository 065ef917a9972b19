"""Batched matching against torchvision's matcher and against the papers, picture by picture."""

import pytest
import torch
from torchvision.models.detection import _utils as detection
from torchvision.ops import box_iou

from specc_runtime.matching import NOTHING, UNDECIDED, IoUMatch, first_max

from . import torchvision_ssd
from .ssd300 import anchors, random_targets

torch.set_num_threads(1)


@pytest.mark.parametrize("seed", range(5))
def test_equals_torchvisions(seed):
    torch.manual_seed(seed)
    start = anchors()
    boxes, labels = random_targets(6, 12, 20)
    ours = IoUMatch().indices(start, boxes, labels)
    theirs = torchvision_ssd.matches(start, boxes, labels, 0.5)
    assert torch.equal(ours, torch.stack(theirs))
    assert (ours >= 0).any()


def test_of_objects_that_share_an_anchor_the_last_wins():
    start = anchors()
    boxes = start[None, [4000, 4000, 4000]].clone()
    labels = torch.tensor([[3, 5, NOTHING]])
    assigned = IoUMatch()(start, boxes, labels)
    assert assigned.labels[0, 4000] == 5
    ours = IoUMatch().indices(start, boxes, labels)
    assert torch.equal(ours[0], torchvision_ssd.matches(start, boxes, labels, 0.5)[0])


def test_best_for_each_object_reaches_an_object_that_overlaps_little():
    start = anchors()
    boxes, labels = torch.tensor([[[100.0, 100.0, 103.0, 103.0]]]), torch.tensor([[7]])
    assert (IoUMatch()(start, boxes, labels).labels == 7).sum() == 1
    assert (IoUMatch(best_for_each_object=False)(start, boxes, labels).labels == 7).sum() == 0


def test_between_the_thresholds_an_anchor_is_undecided():
    start = torch.tensor([[0.0, 0.0, 16.0, height] for height in (16, 8, 7, 4, 3.5)])
    match = IoUMatch(foreground=0.5, background=0.25, best_for_each_object=False)
    assigned = match(start, start[None, :1].clone(), torch.tensor([[2]]))
    assert assigned.labels.tolist() == [[2, 2, UNDECIDED, UNDECIDED, NOTHING]]
    matcher = detection.Matcher(0.5, 0.25)
    theirs = {matcher.BELOW_LOW_THRESHOLD: NOTHING, matcher.BETWEEN_THRESHOLDS: UNDECIDED, 0: 2}
    found = matcher(box_iou(start[:1], start)).tolist()
    assert [theirs[index] for index in found] == assigned.labels[0].tolist()


def test_assigned_boxes_are_the_objects_or_the_anchors_themselves():
    torch.manual_seed(9)
    start = anchors()
    boxes, labels = random_targets(3, 5, 20)
    index = IoUMatch().indices(start, boxes, labels)
    assigned = IoUMatch()(start, boxes, labels)
    for picture in range(3):
        matched = index[picture] >= 0
        found = index[picture, matched]
        assert torch.equal(assigned.boxes[picture, matched], boxes[picture, found])
        assert torch.equal(assigned.labels[picture, matched], labels[picture, found])
        assert torch.equal(assigned.each(boxes + 1)[picture, matched], boxes[picture, found] + 1)
        assert torch.equal(assigned.boxes[picture, ~matched], start[~matched])
        assert (assigned.labels[picture, ~matched] == NOTHING).all()


def test_padding_matches_nothing_wherever_it_lies():
    start = anchors()
    boxes = start[None, [10, 4000]].clone()
    assigned = IoUMatch()(start, boxes, torch.tensor([[NOTHING, NOTHING]]))
    assert (assigned.labels == NOTHING).all()


def test_an_anchor_without_area_matches_nothing():
    start = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 0.0, 0.0], [5.0, 5.0, 5.0, 5.0]])
    boxes, labels = start[None, :1].repeat(1, 2, 1), torch.tensor([[3, NOTHING]])
    assert IoUMatch().indices(start, boxes, labels).tolist() == [[0, NOTHING, NOTHING]]
    both = IoUMatch(0.5, 0.4, best_for_each_object=False, allow_low_quality_matches=True)
    assert both.indices(start, boxes, labels).tolist() == [[0, NOTHING, NOTHING]]


def test_low_quality_matches_keep_the_anchors_own_object_ties_included():
    start = torch.tensor([[0.0, 0, 8, 8], [8.0, 0, 16, 8], [0.0, 8, 8, 16], [40.0, 40, 48, 48]])
    boxes = torch.tensor([[[6.0, 2, 10, 6], [0.0, 0, 8, 6], [90.0, 90, 99, 99], [0.0, 0, 0, 0]]])
    labels = torch.tensor([[4, 5, 6, NOTHING]])
    match = IoUMatch(0.5, 0.4, best_for_each_object=False, allow_low_quality_matches=True)
    # Object 0 overlaps anchors 0 and 1 alike, and 0 has a better one; object 2 overlaps none.
    assert match.indices(start, boxes, labels).tolist() == [[1, 0, NOTHING, NOTHING]]
    without = IoUMatch(0.5, 0.4, best_for_each_object=False)
    assert without.indices(start, boxes, labels).tolist() == [[1, NOTHING, NOTHING, NOTHING]]
    matcher = detection.Matcher(0.5, 0.4, allow_low_quality_matches=True)
    assert matcher(box_iou(boxes[0, :2], start)).tolist() == [1, 0, NOTHING, NOTHING]


@pytest.mark.parametrize(
    "way", [first_max, torch.compile(first_max, fullgraph=True, dynamic=False)]
)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_greatest_and_its_first_place_are_those_of_max(way, dim):
    values = torch.randint(0, 3, (4, 5, 200), generator=torch.Generator().manual_seed(0)).float()
    most, place = way(values, dim)
    expected = values.max(dim)
    assert torch.equal(most, expected.values)
    assert torch.equal(place, (values == most.unsqueeze(dim)).int().argmax(dim))
    assert torch.equal(place, expected.indices)


def overlap(one, other):
    """Intersection over union of two boxes, as lists."""
    sides = [min(one[k + 2], other[k + 2]) - max(one[k], other[k]) for k in (0, 1)]
    areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (one, other)]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (sum(areas) - shared)


def literal(match, boxes, labels, start):
    """One picture, anchor by anchor; of objects that share an anchor as their best, the last wins."""
    objects = [i for i, label in enumerate(labels.tolist()) if label >= 0]
    of = {i: [overlap(boxes[i].tolist(), anchor) for anchor in start.tolist()] for i in objects}
    most = {i: max(of[i]) for i in objects}
    found = []
    for a in range(len(start)):
        best = max(objects, key=lambda i: of[i][a], default=None)
        likeness = of[best][a] if objects else 0
        is_best_for_one = any(0 < most[i] == of[i][a] for i in objects)
        if likeness >= match.foreground or (match.allow_low_quality_matches and is_best_for_one):
            found.append(best)
        else:
            found.append(NOTHING if likeness < match.background else UNDECIDED)
    for i in objects if match.best_for_each_object else ():
        found[of[i].index(most[i])] = i
    return found


PAPERS = {
    "SSD, section 2.2": IoUMatch(),
    "Fast R-CNN, section 2.3": IoUMatch(best_for_each_object=False),
    "RetinaNet, section 4": IoUMatch(0.5, 0.4, best_for_each_object=False),
    "Faster R-CNN, section 3.1.2": IoUMatch(
        0.7, 0.3, best_for_each_object=False, allow_low_quality_matches=True
    ),
}


@pytest.mark.parametrize("paper", PAPERS)
def test_equals_the_papers(paper):
    torch.manual_seed(11)
    match, start = PAPERS[paper], anchors().double()[::60]
    boxes, labels = random_targets(4, 12, 20, torch.float64)
    boxes[:, 1::2] = boxes[:, ::2] + 5  # two that overlap, and compete for anchors
    ours = match.indices(start, boxes, labels)
    for i in range(4):
        assert ours[i].tolist() == literal(match, boxes[i], labels[i], start)
    assert {NOTHING} < set(ours.flatten().tolist())
