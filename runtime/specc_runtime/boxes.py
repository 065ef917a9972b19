"""Boxes: overlap, clipping, and the offsets that a network learns.

A box is (x1, y1, x2, y2) in pixels of the network input, its last corner excluded, so that its
width is x2 - x1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


def area(boxes: Tensor) -> Tensor:
    """Area of each box: (..., 4) -> (...)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of all pairs: (..., N, 4), (..., M, 4) -> (..., N, M).

    Two boxes without area give NaN (0/0), which no threshold takes for an overlap.
    """
    a, b = first[..., :, None, :], second[..., None, :, :]
    width = torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])
    height = torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])
    shared = width.clamp(min=0) * height.clamp(min=0)
    return shared / (area(a) + area(b) - shared)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Move corners that lie outside a picture of `size` (height, width) to its edge."""
    height, width = size
    x = boxes[..., 0::2].clamp(0, width)
    y = boxes[..., 1::2].clamp(0, height)
    return torch.stack((x, y), dim=-1).flatten(-2)


def centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Split (..., 4) corners into centres (..., 2) and widths and heights (..., 2)."""
    sizes = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * sizes, sizes


def from_centres(centres: Tensor, sizes: Tensor) -> Tensor:
    """Corners (..., 4) of boxes given by centres (..., 2) and sizes (..., 2)."""
    return torch.cat((centres - 0.5 * sizes, centres + 0.5 * sizes), dim=-1)


@dataclass(frozen=True)
class BoxCoder:
    """Boxes as offsets from anchors: Girshick et al., R-CNN, CVPR 2014, appendix C.

    The centre moves in units of the anchor's size, the size changes in log scale; both are
    multiplied by `weights` (x, y, w, h), the inverse of SSD's `variances`. `clamp` bounds the log
    of the size on decoding, so that a wild offset cannot overflow: log(1000/16) in torchvision.
    """

    weights: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    clamp: float | None = None

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Offsets (..., A, 4) that lead from anchors (A, 4) to boxes (..., A, 4)."""
        centres, sizes = centres_and_sizes(boxes)
        anchor_centres, anchor_sizes = centres_and_sizes(anchors)
        shift = (centres - anchor_centres) / anchor_sizes
        return torch.cat((shift, torch.log(sizes / anchor_sizes)), dim=-1) * self._weights(boxes)

    def decode(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """Boxes (..., A, 4) where offsets (..., A, 4) lead from anchors (A, 4)."""
        anchor_centres, anchor_sizes = centres_and_sizes(anchors)
        moves = offsets / self._weights(offsets)
        shift, growth = moves[..., :2], moves[..., 2:]
        if self.clamp is not None:
            growth = growth.clamp(max=self.clamp)
        return from_centres(anchor_centres + shift * anchor_sizes, growth.exp() * anchor_sizes)

    def _weights(self, like: Tensor) -> Tensor:
        # Four fills on the device: torch.tensor(list, device="cuda") would wait for the device.
        return torch.stack([like.new_full((), weight) for weight in self.weights])


KINDS = {"BoxCoder": BoxCoder}
