"""Suppression of many pictures at once against `torchvision.ops.batched_nms` of each."""

import pytest
import torch
from torchvision.ops import batched_nms

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
@pytest.mark.parametrize(("few", "many"), [(1, 1), (5, 32), (600, 600)])
def test_equals_torchvisions(objects, classes, few, many, monkeypatch):
    monkeypatch.setattr(suppression, "FEW", few)
    monkeypatch.setattr(suppression, "MANY", many)
    torch.manual_seed(objects + classes)
    boxes, labels = crowds(3, objects, 500), torch.randint(classes, (3, 500))
    scores = torch.linspace(1, 0.01, 500, dtype=torch.float64)
    valid = torch.rand(3, 500) < torch.tensor([[1.0], [0.5], [0.0]])
    found = first_survivors(boxes, labels, valid, 0.5, enough=500)
    for i, kept in enumerate(found):
        real = valid[i].nonzero().squeeze(1)
        expected = real[batched_nms(boxes[i, real], scores[real], labels[i, real], 0.5)]
        assert torch.equal(kept.nonzero().squeeze(1), expected)


@pytest.mark.parametrize("enough", [1, 20, 60])
def test_the_first_that_stay_do_not_depend_on_how_many_are_asked_for(enough, monkeypatch):
    monkeypatch.setattr(suppression, "FEW", 2)
    monkeypatch.setattr(suppression, "PAIRS", 2000)
    torch.manual_seed(0)
    boxes, labels = crowds(3, 30, 500), torch.randint(4, (3, 500))
    valid = torch.ones(3, 500, dtype=torch.bool)
    few = first_survivors(boxes, labels, valid, 0.5, enough)
    every = first_survivors(boxes, labels, valid, 0.5, enough=500)
    for some, expected in zip(few, every, strict=True):
        assert torch.equal(some.nonzero()[:enough], expected.nonzero()[:enough])
