"""Matching: the object, if any, that each anchor is assigned to.

All pictures of a batch are matched at once, on targets padded to the same number of objects, so
that shapes never depend on the data and the host never waits for the device.

Labels are classes counted from 0; `NOTHING` pads targets and marks background anchors, `UNDECIDED`
marks anchors that count neither as an object nor as background.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import area, cells_of, centres_and_sizes, iou
from specc_runtime.fusion import stored

NOTHING = -1
UNDECIDED = -2


class Assigned(NamedTuple):
    """The target of each anchor."""

    found: Tensor  # (B, A), index of its object, NOTHING or UNDECIDED
    labels: Tensor  # (B, A), class, NOTHING or UNDECIDED
    objects: Tensor  # (B, M, 4), all objects of a picture, padded with boxes without area
    anchors: Tensor  # (A, 4) or (B, A, 4)

    @property
    def boxes(self) -> Tensor:
        """Boxes (B, A, 4): the object's, or the anchor's own if it has no object."""
        return torch.where(self.found[..., None] >= 0, self.each(self.objects), self.anchors)

    def each(self, values: Tensor) -> Tensor:
        """Values (B, A, N) of each anchor's object, from values (B, M, N); arbitrary without an object."""
        pictures, objects = values.shape[:2]
        first = objects * torch.arange(pictures, device=values.device)
        return values.flatten(0, 1)[first[:, None] + self.found.clamp(min=0)]


def present(boxes: Tensor, labels: Tensor) -> Tensor:
    """Boxes (B, M, 4) of labels (B, M), without area for padding."""
    return torch.where(labels[..., None] >= 0, boxes, 0.0)


class _Matcher(ABC):
    """A rule that gives each anchor the index of an object."""

    @abstractmethod
    def indices(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Index (B, A) of each anchor's object, or NOTHING or UNDECIDED."""

    def __call__(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Assigned:
        """Match anchors (A, 4), or (A, 8) with their cells, to boxes (B, M, 4), labels (B, M), M >= 1."""
        found = stored(self.indices(anchors, boxes, labels))
        of_object = torch.where(found >= 0, labels.gather(1, found.clamp(min=0)), found)
        return Assigned(found, stored(of_object), present(boxes, labels), anchors[..., :4])


@dataclass(frozen=True)
class IoUMatch(_Matcher):
    """Match by overlap: SSD, section 2.2; Faster R-CNN, section 3.1.2; RetinaNet, section 4.

    An anchor takes the object that it overlaps most if their IoU is at least `foreground`; below
    `background` it is background. With `best_for_each_object` the anchor that overlaps an object
    most takes it however small the overlap; of objects that share that anchor the last wins. With
    `allow_low_quality_matches` every anchor with the greatest overlap of some object, if above 0, takes
    the object that it overlaps most itself: torchvision's `Matcher` with that setting. Anchors may
    differ by picture (B, A, 4).
    """

    foreground: float = 0.5
    background: float = 0.5
    best_for_each_object: bool = True
    allow_low_quality_matches: bool = False

    def indices(self, anchors: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Index (B, A) of each anchor's object, or NOTHING or UNDECIDED."""
        overlap = iou(present(boxes, labels), anchors)  # (B, M, A)
        best, own = first_max(overlap, dim=1)
        index = torch.where(best >= self.background, UNDECIDED, NOTHING)
        index = torch.where(best >= self.foreground, own, index)
        if self.allow_low_quality_matches:
            most = overlap.amax(dim=2, keepdim=True)
            index = torch.where(((overlap == most) & (most > 0)).any(dim=1), own, index)
        if not self.best_for_each_object:
            return index
        _, anchor = first_max(overlap, dim=2)
        winner = claims(anchor, labels >= 0, anchors.shape[-2])
        return torch.where(winner >= 0, winner, index)


def first_max(values: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The maximum along a dimension, and the first index that has it: `values.max(dim)`.

    Compiled for a CPU, `max` carries 64-bit indices along with 32-bit values; there, looking
    the maximum up a second time is faster.
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
    """Index (B, A) of the object that claims each anchor, the last of several, or NOTHING.

    Object m of a picture claims the anchor with index `anchor[b, m]` if `real[b, m]`.
    """
    objects = torch.arange(real.shape[1], device=real.device)
    nobody = torch.full((len(real), anchors), NOTHING, device=real.device)
    return nobody.scatter_reduce(1, anchor, torch.where(real, objects, NOTHING), "amax")


@dataclass(frozen=True)
class CenterSampling(_Matcher):
    """Match by place and scale: Tian et al., FCOS, ICCV 2019, section 3.2, and PAMI 2020.

    Anchors are squares, one per cell. An anchor takes an object if its centre lies inside the object and
    less than `radius` sides from the object's centre along both axes, and if the object's farthest side
    is more than `nearest` and less than `farthest` sides away; the smallest anchors have no
    lower limit, the largest no upper one. Of several objects the one with the smallest area wins, and
    of equal ones the first.
    """

    radius: float = 1.5
    nearest: float = 4.0
    farthest: float = 8.0

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
class CellMatch(_Matcher):
    """Match by place and shape: Redmon and Farhadi, YOLOv3, 2018, section 2.1, as Darknet does it.

    Each object takes one anchor: of the anchors of all maps whose cell contains its centre, the one with
    the greatest IoU once both are moved to a common centre. Of objects that share an anchor the last
    wins.
    """

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
class GridMatch(_Matcher):
    """Match by place: Redmon et al., YOLO, CVPR 2016, section 2.

    All anchors of the cell that contains an object's centre take it, and the loss chooses among them. Of
    objects that share a cell the last wins.
    """

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
