"""Suppression of many pictures at once against `torchvision.ops.batched_nms` of each."""

import math

import pytest
import torch
from torchvision.ops import batched_nms, nms

from specc_runtime import suppression
from specc_runtime.suppression import first_survivors

torch.set_num_threads(1)


def crowds(pictures, objects, count):
    """Boxes (pictures, count, 4) around few objects, in float64."""
    corners = torch.rand(pictures, objects, 2).repeat(1, -(-count // objects), 1)[:, :count] * 300
    corners = corners.double() + torch.randn(pictures, count, 2) * 4
    return torch.cat((corners, corners + 40 + 4 * torch.randn(pictures, count, 2)), dim=2)


@pytest.mark.parametrize("objects", [1, 5, 300])
@pytest.mark.parametrize("classes", [1, 3, 50])
@pytest.mark.parametrize("pairs", [0, 2000, 10**7])
def test_equals_torchvisions(objects, classes, pairs, monkeypatch):
    monkeypatch.setattr(suppression, "PAIRS", pairs)
    torch.manual_seed(objects + classes)
    boxes, labels = crowds(3, objects, 500), torch.randint(classes, (3, 500))
    scores = torch.linspace(1, 0.01, 500, dtype=torch.float64)
    valid = torch.rand(3, 500) < torch.tensor([[1.0], [0.5], [0.0]])
    found = first_survivors(boxes, labels, valid, 0.5, enough=500)
    for i, kept in enumerate(found):
        real = valid[i].nonzero().squeeze(1)
        expected = real[batched_nms(boxes[i, real], scores[real], labels[i, real], 0.5)]
        assert torch.equal(kept.nonzero().squeeze(1), expected)


def test_an_overlap_of_just_the_threshold_is_borne_as_by_torchvision():
    boxes = torch.tensor([[0.0, 0, 16, 16], [0, 0, 16, 8], [0, 0, 16, 9]])
    labels, valid = torch.zeros(1, 3, dtype=torch.long), torch.ones(1, 3, dtype=torch.bool)
    found = first_survivors(boxes[None], labels, valid, 0.5, enough=3)
    assert found.tolist() == [[True, True, False]]
    scores = torch.tensor([0.9, 0.8, 0.7])
    assert batched_nms(boxes, scores, labels[0], 0.5).tolist() == [0, 1]


@pytest.mark.parametrize("unknown", [math.nan, math.inf])
def test_a_box_without_place_overlaps_nothing_as_in_torchvision(unknown):
    torch.manual_seed(0)
    boxes, labels = crowds(1, 3, 60), torch.zeros(1, 60, dtype=torch.long)
    boxes[0, [0, 7, 30], [0, 2, 3]] = unknown
    found = first_survivors(boxes, labels, torch.ones_like(labels) > 0, 0.5, enough=60)
    expected = nms(boxes[0], torch.linspace(1, 0.5, 60).double(), 0.5)
    assert torch.equal(found[0].nonzero().squeeze(1), expected)


@pytest.mark.parametrize("enough", [1, 20, 60])
def test_the_first_that_stay_do_not_depend_on_how_many_are_asked_for(enough, monkeypatch):
    monkeypatch.setattr(suppression, "PAIRS", 200)
    torch.manual_seed(0)
    boxes, labels = crowds(3, 30, 500), torch.randint(4, (3, 500))
    valid = torch.ones(3, 500, dtype=torch.bool)
    few = first_survivors(boxes, labels, valid, 0.5, enough)
    every = first_survivors(boxes, labels, valid, 0.5, enough=500)
    for some, expected in zip(few, every, strict=True):
        assert torch.equal(some.nonzero()[:enough], expected.nonzero()[:enough])
