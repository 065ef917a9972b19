"""SSD300's anchors and random batches on them, for the tests of matching, loss and decoding."""

import torch
from torch import Tensor

from specc_runtime.anchors import DefaultBoxes

SIZE = 300
MAPS = ((38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1))
DEFAULT_BOXES = DefaultBoxes(
    sizes=(30.0, 60.0, 111.0, 162.0, 213.0, 264.0, 315.0),
    ratios=((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,)),
    strides=(8.0, 16.0, 32.0, 64.0, 100.0, 300.0),
    clip=True,
)


def anchors() -> Tensor:
    return DEFAULT_BOXES(MAPS, (SIZE, SIZE))


def random_boxes(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Boxes of 10 to 210 pixels that lie anywhere, some of them partly outside the picture."""
    corner = torch.rand(*shape, 2, dtype=dtype) * 260
    return torch.cat((corner, corner + 10 + 200 * torch.rand(*shape, 2, dtype=dtype)), dim=-1)


def random_targets(pictures: int, objects: int, classes: int, dtype: torch.dtype = torch.float32):
    """Boxes (B, M, 4) and labels (B, M), 0 to M real objects a picture, the first with none."""
    labels = torch.randint(0, classes, (pictures, objects))
    counts = torch.randint(0, objects + 1, (pictures,))
    counts[0] = 0
    labels[torch.arange(objects) >= counts[:, None]] = -1
    boxes = random_boxes((pictures, objects), dtype)
    return boxes * (labels >= 0)[..., None], labels
