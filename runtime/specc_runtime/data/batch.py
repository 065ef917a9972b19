"""The batch of fixed shape that a training step takes, stacked from samples."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from specc_runtime.data.report import DataError


class Batch(NamedTuple):
    """B images of H x W pixels with room for M objects each.

    Attributes:
        images: uint8 [B, 3, H, W], RGB, channels last in memory.
        boxes: float32 [B, M, 4], x1 y1 x2 y2 in pixels of `images`; 0 where there is no object.
        labels: int64 [B, M], 0-based classes without background; -1 where there is no object.
        difficult: bool [B, M].
        sizes: int32 [B, 2], height and width of the images as they are on disk.
        indices: int64 [B], positions in the data set.
    """

    images: Tensor
    boxes: Tensor
    labels: Tensor
    difficult: Tensor
    sizes: Tensor
    indices: Tensor


@dataclass(frozen=True)
class Sample:
    """One sample in pixels of the network's input; arrays as in `Batch`, without B and M."""

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray
    size: tuple[int, int]
    index: int


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of a sample whose image cannot be read."""

    index: int
    why: str


def collate(
    samples: list[Sample | Unreadable], max_boxes: int, refill: bool
) -> tuple[Batch | None, list[Unreadable]]:
    """Stack samples, and list the unreadable ones; `refill` repeats others in their place."""
    unreadable = [sample for sample in samples if isinstance(sample, Unreadable)]
    rows = [sample for sample in samples if isinstance(sample, Sample)]
    if not rows:
        if refill:
            raise DataError(f"a whole batch of images is unreadable: {unreadable[0].why}, ...")
        return None, unreadable
    if refill:
        rows = [rows[number % len(rows)] for number in range(len(samples))]
    boxes = np.zeros((len(rows), max_boxes, 4), dtype=np.float32)
    labels = np.full((len(rows), max_boxes), -1, dtype=np.int64)
    difficult = np.zeros((len(rows), max_boxes), dtype=bool)
    for number, row in enumerate(rows):
        count = len(row.boxes)
        boxes[number, :count] = row.boxes
        labels[number, :count] = row.labels
        difficult[number, :count] = row.difficult
    batch = Batch(
        torch.as_tensor(np.stack([row.image for row in rows])).permute(0, 3, 1, 2),
        torch.as_tensor(boxes),
        torch.as_tensor(labels),
        torch.as_tensor(difficult),
        torch.tensor([row.size for row in rows], dtype=torch.int32),
        torch.tensor([row.index for row in rows]),
    )
    return batch, unreadable
