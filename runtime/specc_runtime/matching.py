"""Matching: which object, if any, each anchor is to find.

All pictures of a batch are matched at once, on targets padded to the same number of objects, so
that shapes never depend on the data and the host never waits for the device.

Labels are classes counted from 0; `NOTHING` pads targets and marks the anchors that are to
say background, `UNDECIDED` marks anchors that count neither as an object nor as background.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import area, cells_of, centres_and_sizes, iou
from specc_runtime.fusion import stored

NOTHING = -1
UNDECIDED = -2


class Assigned(NamedTuple):
    """What each anchor is to find."""

    found: Tensor  # (B, A), the place of its object among all, NOTHING or UNDECIDED
    labels: Tensor  # (B, A), class, NOTHING or UNDECIDED
    objects: Tensor  # (B, M, 4), all objects of a picture, without area where there are fewer
    anchors: Tensor  # (A, 4) or (B, A, 4)

    @property
    def boxes(self) -> Tensor:
        """Boxes (B, A, 4): the object's, or the anchor itself where there is no object."""
        return torch.where(self.found[..., None] >= 0, self.each(self.objects), self.anchors)

    def each(self, values: Tensor) -> Tensor:
        """Of objects' values (B, M, N) those of each anchor's object (B, A, N), any where there is none."""
        pictures, objects = values.shape[:2]
        first = objects * torch.arange(pictures, device=values.device)
        return values.flatten(0, 1)[first[:, None] + self.found.clamp(min=0)]


def assign(found: Tensor, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Assigned:
    """Look up the objects that indices (B, A) point at among boxes (B, M, 4), labels (B, M)."""
    found = stored(found)
    of_object = torch.where(found >= 0, labels.gather(1, found.clamp(min=0)), found)
    return Assigned(found, stored(of_object), present(boxes, labels), anchors[..., :4])


def present(boxes: Tensor, labels: Tensor) -> Tensor:
    """Boxes (B, M, 4) of labels (B, M), without area where there is no object."""
    return torch.where(labels[..., None] >= 0, boxes, 0.0)


@dataclass(frozen=True)
class IoUMatch:
    """Match by overlap: SSD, section 2.2; Faster R-CNN, section 3.1.2; RetinaNet, section 4.

    An anchor takes the object that it overlaps most if their IoU is at least `foreground`; below
    `background` it is background. With `best_for_each_object` the anchor that overlaps an object
    most takes it however small the overlap; of objects that share that anchor the last wins. With
    `allow_low_quality_matches` all anchors that overlap some object most, and at all, take the object
    that they overlap most themselves: torchvision's `Matcher` with that setting.
    """

    foreground: float = 0.5
    background: float = 0.5
    best_for_each_object: bool = True
    allow_low_quality_matches: bool = False

    def __call__(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Assigned:
        """Match anchors (A, 4) with boxes (B, M, 4), labels (B, M), M >= 1."""
        return assign(self.indices(anchors, boxes, labels), anchors, boxes, labels)

    def indices(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Index (B, A) of each anchor's object, or NOTHING or UNDECIDED."""
        overlap = iou(present(boxes, labels), anchors)  # (B, M, A)
        best, own = greatest(overlap, dim=1)
        index = torch.where(best >= self.background, UNDECIDED, NOTHING)
        index = torch.where(best >= self.foreground, own, index)
        if self.allow_low_quality_matches:
            most = overlap.amax(dim=2, keepdim=True)
            index = torch.where(((overlap == most) & (most > 0)).any(dim=1), own, index)
        if not self.best_for_each_object:
            return index
        _, anchor = greatest(overlap, dim=2)
        winner = claims(anchor, labels >= 0, anchors.shape[-2])
        return torch.where(winner >= 0, winner, index)


def greatest(values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The greatest of values along a dimension, and the first place that has it.

    As `values.max(dim)`, which, compiled for a CPU, carries places of 64 bits along with values of
    32: looking the greatest up again is faster there.
    """
    if not torch.compiler.is_compiling():
        most, place = values.max(dim)
        return most, place
    most = values.amax(dim, keepdim=True)
    count = values.shape[dim]
    places = stored(torch.arange(count, dtype=torch.int32, device=values.device))
    places = places.view(-1, *[1] * (values.dim() - 1 - dim))
    return most.squeeze(dim), torch.where(values < most, count - 1, places).amin(dim).long()


def claims(anchor: Tensor, real: Tensor, anchors: int) -> Tensor:
    """Index (B, A) of the object that claims an anchor, or NOTHING; of several the last.

    Object (B, M) claims `anchor` (B, M) where it is `real` (B, M).
    """
    objects = torch.arange(real.shape[1], device=real.device)
    nobody = torch.full((len(real), anchors), NOTHING, device=real.device)
    return nobody.scatter_reduce(1, anchor, torch.where(real, objects, NOTHING), "amax")


@dataclass(frozen=True)
class CenterSampling:
    """Match by place and scale: Tian et al., FCOS, ICCV 2019, section 3.2, and PAMI 2020.

    Anchors are squares, one a cell. One takes an object if its centre lies inside, less than `radius`
    sides from the object's centre along both axes, and the farthest side of the object is more than
    `nearest` and less than `farthest` sides away; the smallest anchors take all that are nearer,
    the largest all that are farther. Of several objects the one of the smallest area wins, and of
    equal ones the first.
    """

    radius: float = 1.5
    nearest: float = 4.0
    farthest: float = 8.0

    def __call__(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Assigned:
        """Match anchors (A, 4) with boxes (B, M, 4), labels (B, M), M >= 1."""
        return assign(self.indices(anchors, boxes, labels), anchors, boxes, labels)

    def indices(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Index (B, A) of each anchor's object, or NOTHING."""
        centres, sizes = centres_and_sizes(anchors)
        side = sizes[:, 0]
        start, end = boxes[:, :, None, :2], boxes[:, :, None, 2:]  # (B, M, 1, 2)
        reach = torch.maximum(centres - start, end - centres).amax(dim=-1)  # (B, M, A)
        least = torch.minimum(centres - start, end - centres).amin(dim=-1)
        off = (centres - (start + end) / 2).abs().amax(dim=-1)
        smallest, largest = side == side.min(), side == side.max()
        fits = (least > 0) & (off < self.radius * side) & (labels >= 0)[..., None]
        fits &= (reach > self.nearest * side) | smallest
        fits &= (reach < self.farthest * side) | largest
        smaller, index = torch.where(fits, area(boxes)[..., None], torch.inf).min(dim=1)
        return torch.where(smaller < torch.inf, index, NOTHING)


@dataclass(frozen=True)
class CellMatch:
    """Match by place and shape: Redmon and Farhadi, YOLOv3, 2018, section 2.1, as Darknet does it.

    An object takes one anchor, of all maps' anchors whose cell holds its centre the one whose width
    and height overlap its own most, both laid around one centre. Of objects that share an anchor
    the last wins.
    """

    def __call__(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Assigned:
        """Match anchors (A, 8), with their cells, with boxes (B, M, 4), labels (B, M), M >= 1."""
        return assign(self.indices(anchors, boxes, labels), anchors, boxes, labels)

    def indices(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Index (B, A) of each anchor's object, or NOTHING."""
        cells = cells_of(anchors)
        centres, sizes = centres_and_sizes(boxes)
        centres, sizes = centres[:, :, None], sizes[:, :, None]  # (B, M, 1, 2)
        _, shapes = centres_and_sizes(anchors)
        inside = (cells[:, :2] <= centres) & (centres < cells[:, 2:])  # (B, M, A, 2)
        shared = torch.minimum(sizes, shapes).prod(dim=-1)
        overlap = shared / (sizes.prod(dim=-1) + shapes.prod(dim=-1) - shared)
        best, anchor = torch.where(inside.all(dim=-1), overlap, -1.0).max(dim=2)
        return claims(anchor, (best > 0) & (labels >= 0), len(anchors))


@dataclass(frozen=True)
class GridMatch:
    """Match by place: Redmon et al., YOLO, CVPR 2016, section 2.

    All anchors of the cell that holds an object's centre take it, and the loss chooses among them. Of
    objects that share a cell the last wins.
    """

    def __call__(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Assigned:
        """Match anchors (A, 8), with their cells, with boxes (B, M, 4), labels (B, M), M >= 1."""
        return assign(self.indices(anchors, boxes, labels), anchors, boxes, labels)

    def indices(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Index (B, A) of each anchor's object, or NOTHING."""
        cells = cells_of(anchors)
        centres = centres_and_sizes(boxes)[0][:, :, None]  # (B, M, 1, 2)
        inside = ((cells[:, :2] <= centres) & (centres < cells[:, 2:])).all(dim=-1)  # (B, M, A)
        inside &= (labels >= 0)[..., None]
        objects = torch.arange(labels.shape[1], device=labels.device)
        return torch.where(inside, objects[:, None], NOTHING).amax(dim=1)


Match = CellMatch | CenterSampling | GridMatch | IoUMatch

KINDS: dict[str, type[Match]] = {
    "CellMatch": CellMatch,
    "CenterSampling": CenterSampling,
    "GridMatch": GridMatch,
    "IoUMatch": IoUMatch,
}
