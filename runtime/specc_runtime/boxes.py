"""Boxes: overlap, clipping, and the offsets that a network learns.

A box is (x1, y1, x2, y2) in pixels of the network input, its last corner excluded, so that its
width is x2 - x1. An anchor is a box too; its four numbers may be followed by four more, the box of its
cell, which only the coders and matchers for cells read.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from specc_runtime.fusion import stored


def area(boxes: Tensor) -> Tensor:
    """Area of each box: (..., 4) -> (...)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


@torch.no_grad()
def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of all pairs: (..., N, 4), (..., M, 4) -> (..., N, M); no gradient.

    The IoU of two boxes without area is 0.
    """
    x1, y1, x2, y2 = columns(first)[..., None].unbind()  # (..., N, 1)
    u1, v1, u2, v2 = columns(second)[..., None, :].unbind()  # (..., 1, M)
    # relu: compiled for a CPU, one instruction, where a clamp takes four to pass NaN on.
    width = torch.minimum(x2, u2).sub_(torch.maximum(x1, u1)).relu_()
    height = torch.minimum(y2, v2).sub_(torch.maximum(y1, v1)).relu_()
    shared = width.mul_(height)
    least = torch.finfo(first.dtype).tiny  # lost in any area, but for 0: it is never 0/0
    joined = area(first)[..., None] + stored(area(second) + least)[..., None, :]
    return shared.div_(joined.sub_(shared))


def columns(boxes: Tensor) -> Tensor:
    """The coordinates (4, ...) of boxes (..., 4), each contiguous over the boxes.

    So laid out, a CPU compares many boxes with one instruction. It takes `stack`: a compiler for the CPU
    would bypass a copy and read the original.
    """
    return torch.stack(boxes[..., :4].unbind(dim=-1))


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Clip boxes to a picture of `size` (height, width)."""
    height, width = size
    x = boxes[..., 0::2].clamp(0, width)
    y = boxes[..., 1::2].clamp(0, height)
    return torch.stack((x, y), dim=-1).flatten(-2)


def centres_and_sizes(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Split (..., 4) corners into centres (..., 2) and widths and heights (..., 2)."""
    sizes = boxes[..., 2:4] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * sizes, sizes


def from_centres(centres: Tensor, sizes: Tensor) -> Tensor:
    """Corners (..., 4) of boxes given by centres (..., 2) and sizes (..., 2)."""
    return torch.cat((centres - 0.5 * sizes, centres + 0.5 * sizes), dim=-1)


def cells_of(anchors: Tensor) -> Tensor:
    """The cells (A, 4) of anchors (A, 8), as boxes."""
    return anchors[..., 4:]


class _Coder(ABC):
    """Encodes boxes in two steps, so that the first is done once per object, not once per anchor."""

    def measures(self, boxes: Tensor) -> Tensor:
        """What `offsets` needs (..., 4) of boxes (..., 4): by default, the corners."""
        return boxes

    @abstractmethod
    def offsets(self, measures: Tensor, anchors: Tensor, /) -> Tensor:
        """Offsets (..., A, 4) that lead from anchors (A, 4) to boxes of these measures (..., A, 4)."""

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """Offsets (..., A, 4) that lead from anchors (A, 4) to boxes (..., A, 4)."""
        return self.offsets(self.measures(boxes), anchors)


@dataclass(frozen=True)
class BoxCoder(_Coder):
    """Boxes as offsets from anchors: Girshick et al., R-CNN, CVPR 2014, appendix C.

    The centre moves in units of the anchor's size, the size changes in log scale; both are
    multiplied by `weights` (x, y, w, h), the inverse of SSD's `variances`. `clamp` bounds the log
    of the size on decoding, so that a wild offset cannot overflow: log(1000/16) in torchvision.
    """

    weights: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    clamp: float | None = None

    def measures(self, boxes: Tensor) -> Tensor:
        """Centre and logs of width and height (..., 4) of boxes (..., 4): offsets are linear in them."""
        (x, y), (width, height) = (pair.unbind(dim=-1) for pair in centres_and_sizes(boxes))
        return torch.stack((x, y, width.log(), height.log()), dim=-1)

    def offsets(self, measures: Tensor, anchors: Tensor, /) -> Tensor:
        """Offsets (..., A, 4) that lead from anchors (A, 4) to boxes of these measures (..., A, 4)."""
        width, height = centres_and_sizes(anchors)[1].unbind(dim=-1)
        units = torch.stack((width, height, torch.ones_like(width), torch.ones_like(width)), dim=-1)
        return (measures - self.measures(anchors)) / units * self._weights(measures)

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


@dataclass(frozen=True)
class BoxLinearCoder(_Coder):
    """Boxes as distances from the anchors' centres: Tian et al., FCOS, ICCV 2019, equation 1.

    Offsets are the distances to the box's left, top, right and bottom, in units of the anchor's
    width and height, as torchvision's coder of the same name has them.
    """

    def offsets(self, boxes: Tensor, anchors: Tensor, /) -> Tensor:
        """Offsets (..., A, 4) that lead from anchors (A, 4) to boxes (..., A, 4)."""
        centres, sizes = centres_and_sizes(anchors)
        before, behind = centres - boxes[..., :2], boxes[..., 2:] - centres
        return torch.cat((before / sizes, behind / sizes), dim=-1)

    def decode(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """Boxes (..., A, 4) where offsets (..., A, 4) lead from anchors (A, 4)."""
        centres, sizes = centres_and_sizes(anchors)
        before, behind = offsets[..., :2] * sizes, offsets[..., 2:] * sizes
        return torch.cat((centres - before, centres + behind), dim=-1)


@dataclass(frozen=True)
class CellCoder(_Coder):
    """Boxes by their place in a cell: Redmon and Farhadi, YOLO9000, CVPR 2017, section 2, figure 3.

    The centre is the cell's first corner moved by sigmoids of the first two offsets, in units of the
    cell's sides; width and height are the anchor's times the exponentials of the others. Anchors
    are (A, 8), with their cells.
    """

    def offsets(self, boxes: Tensor, anchors: Tensor, /) -> Tensor:
        """Offsets (..., A, 4) that lead from anchors (A, 8) to boxes (..., A, 4).

        A centre at the cell's edge has an infinite offset, and so has one beyond it.
        """
        centres, sizes = centres_and_sizes(boxes)
        start, side = _corners_and_sides(anchors)
        _, anchor_sizes = centres_and_sizes(anchors)
        place = ((centres - start) / side).clamp(0, 1).logit()
        return torch.cat((place, torch.log(sizes / anchor_sizes)), dim=-1)

    def decode(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """Boxes (..., A, 4) where offsets (..., A, 4) lead from anchors (A, 8)."""
        start, side = _corners_and_sides(anchors)
        _, anchor_sizes = centres_and_sizes(anchors)
        return from_centres(
            start + offsets[..., :2].sigmoid() * side, offsets[..., 2:].exp() * anchor_sizes
        )


def _corners_and_sides(anchors: Tensor) -> tuple[Tensor, Tensor]:
    """First corners (A, 2) and sides (A, 2) of the anchors' cells."""
    cells = cells_of(anchors)
    return cells[..., :2], cells[..., 2:] - cells[..., :2]


@dataclass(frozen=True)
class RootCoder(_Coder):
    """Boxes by their place in a cell and the roots of their sides: Redmon et al., YOLO, CVPR 2016, section 2.2.

    The centre is the cell's first corner moved by the first two offsets, in units of the cell's sides;
    width and height are the anchor's times the squares of the others. Anchors are (A, 8), with their
    cells; YOLO's are as large as the picture.
    """

    def offsets(self, boxes: Tensor, anchors: Tensor, /) -> Tensor:
        """Offsets (..., A, 4) that lead from anchors (A, 8) to boxes (..., A, 4)."""
        centres, sizes = centres_and_sizes(boxes)
        start, side = _corners_and_sides(anchors)
        _, anchor_sizes = centres_and_sizes(anchors)
        return torch.cat(((centres - start) / side, (sizes / anchor_sizes).sqrt()), dim=-1)

    def decode(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """Boxes (..., A, 4) where offsets (..., A, 4) lead from anchors (A, 8)."""
        start, side = _corners_and_sides(anchors)
        _, anchor_sizes = centres_and_sizes(anchors)
        sizes = offsets[..., 2:].square() * anchor_sizes
        return from_centres(start + offsets[..., :2] * side, sizes)


Coder = BoxCoder | BoxLinearCoder | CellCoder | RootCoder

KINDS: dict[str, type[Coder]] = {
    "BoxCoder": BoxCoder,
    "BoxLinearCoder": BoxLinearCoder,
    "CellCoder": CellCoder,
    "RootCoder": RootCoder,
}
