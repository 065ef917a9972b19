"""Small pyramids of anchors and random batches on them, for the tests of one-stage detectors."""

import torch
from torch import Tensor

from specc_runtime.anchors import AnchorGrid
from specc_runtime.predictions import Predictions

SIZE = (160, 192)
MAPS = ((20, 24), (10, 12), (5, 6), (3, 3), (2, 2))
RETINANET = AnchorGrid(
    ((16.0, 20.0), (32.0, 40.0), (64.0, 80.0), (96.0,), (128.0,)), (0.5, 1.0, 2.0)
)
FCOS = AnchorGrid(((8.0,), (16.0,), (32.0,), (64.0,), (128.0,)), (1.0,))
CLASSES = 7


def levels(grid: AnchorGrid) -> list[int]:
    """Anchors of each map."""
    cells = zip(MAPS, grid.per_cell, strict=True)
    return [height * width * count for (height, width), count in cells]


def random_targets(pictures: int, objects: int, dtype: torch.dtype = torch.float64):
    """Boxes (B, M, 4) and labels (B, M) of objects of all sizes, the first picture without any."""
    labels = torch.randint(0, CLASSES, (pictures, objects))
    counts = torch.randint(1, objects + 1, (pictures,))
    counts[0] = 0
    labels[torch.arange(objects) >= counts[:, None]] = -1
    corner = torch.rand(pictures, objects, 2, dtype=dtype) * 80
    side = torch.exp2(2 + 5 * torch.rand(pictures, objects, 2, dtype=dtype))
    boxes = torch.cat((corner, corner + side), dim=-1)
    return boxes * (labels >= 0)[..., None], labels


def random_predictions(
    pictures: int, anchors: int, dtype: torch.dtype = torch.float64, *, central: bool = False
) -> Predictions:
    """Predictions of every kind of anchor, to be differentiated."""
    offsets = torch.randn(pictures, anchors, 4, dtype=dtype)
    logits = 3 * torch.randn(pictures, anchors, CLASSES, dtype=dtype)
    if not central:
        return Predictions(offsets.requires_grad_(), logits.requires_grad_())
    centre = torch.randn(pictures, anchors, 1, dtype=dtype)
    return Predictions(
        offsets.abs().requires_grad_(), logits.requires_grad_(), centre.requires_grad_()
    )


def same_losses(ours: dict[str, Tensor], theirs: dict[str, Tensor], said: Predictions) -> None:
    """Check values and gradients."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert value > 0
        assert abs(ours[name] - value) <= 1e-10
    inputs = [tensor for tensor in said if tensor is not None]
    of_ours = torch.autograd.grad(sum(ours.values()), inputs)
    of_theirs = torch.autograd.grad(sum(theirs.values()), inputs)
    for a, b in zip(of_ours, of_theirs, strict=True):
        assert b.abs().max() > 0
        assert (a - b).abs().max() <= 1e-10
