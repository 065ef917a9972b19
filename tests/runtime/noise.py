"""Batches of noise for any detector."""

import torch

from specc_runtime.data import Batch
from specc_runtime.detector import Detector


def batch(detector: Detector, images: int) -> Batch:
    """As a loader leaves it; each picture has two objects, but of several the first has none."""
    height, width = detector.input.size
    quarter = torch.tensor([width, height, width, height]) / 4
    boxes = quarter * torch.tensor([[1, 1, 3, 3], [0, 2, 1, 4]])
    labels = torch.tensor([[0, 2]]).repeat(images, 1)
    if images > 1:
        labels[0] = -1
    return Batch(
        torch.randint(0, 256, (images, 3, height, width), dtype=torch.uint8),
        boxes * (labels >= 0)[..., None],
        labels,
        torch.zeros(images, 2, dtype=torch.bool),
        torch.tensor([[height, width]]).expand(images, 2).int(),
        torch.arange(images),
    )
