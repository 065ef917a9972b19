"""Anchors: the boxes that a detector starts from, the same for all pictures of a size."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from specc_runtime.boxes import centres_and_sizes, from_centres
from specc_runtime.contract import ContractError, require

Size = tuple[int, int]


@dataclass(frozen=True)
class DefaultBoxes:
    """SSD's default boxes: Liu et al., SSD: Single Shot MultiBox Detector, section 2.2.

    Map k has a square box of side `sizes[k]`, one of side sqrt(sizes[k] * sizes[k + 1]), and for
    each of its `ratios` r a box of width `sizes[k]` * sqrt(r) and height `sizes[k]` / sqrt(r), then
    the same upright. Cells are `strides[k]` apart; a box stands at the middle of its cell. All
    are in pixels of the network input. `clip` bounds widths and heights by the picture's and
    leaves centres where they are, as in torchvision.
    """

    sizes: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]
    strides: tuple[float, ...]
    clip: bool

    @property
    def per_cell(self) -> tuple[int, ...]:
        """Boxes at each cell of each map."""
        return tuple(2 + 2 * len(ratios) for ratios in self.ratios)

    def __call__(self, maps: tuple[Size, ...], size: Size) -> Tensor:
        """Boxes (A, 4) for maps of the given (height, width): map by map, row by row."""
        expected = (len(self.ratios) + 1, len(self.ratios), len(self.ratios))
        if (len(self.sizes), len(self.strides), len(maps)) != expected:
            raise ContractError(
                f"DETECTOR: anchors has {len(self.sizes)} sizes, {len(self.ratios)} ratios and "
                f"{len(self.strides)} strides for {len(maps)} maps; DefaultBoxes takes one of each "
                "a map, and one size more"
            )
        return torch.cat(
            [
                around_cells(cells, stride, self._shapes(k, size))
                for k, (cells, stride) in enumerate(zip(maps, self.strides, strict=True))
            ]
        ).float()

    def _shapes(self, k: int, size: Size) -> Tensor:
        """Widths and heights (boxes a cell, 2) of map k."""
        side, following = self.sizes[k], self.sizes[k + 1]
        shapes = [(side, side), ((side * following) ** 0.5,) * 2]
        for ratio in self.ratios[k]:
            long, short = side * ratio**0.5, side / ratio**0.5
            shapes += [(long, short), (short, long)]
        wh = torch.tensor(shapes, dtype=torch.float64)
        return wh.clamp(max=torch.tensor(size[::-1], dtype=torch.float64)) if self.clip else wh


@dataclass(frozen=True)
class AnchorGrid:
    """Anchors of Faster R-CNN and RetinaNet, as torchvision's `AnchorGenerator` lays them.

    Each cell of map k has a box for each of its `ratios` r (height over width), and within it for
    each size s of `sizes[k]`, of width s / sqrt(r) and height s * sqrt(r). Its corners are rounded to
    whole pixels, around the cell's first corner. Cells are size // cells of the map apart.
    """

    sizes: tuple[tuple[float, ...], ...]
    ratios: tuple[float, ...]

    @property
    def per_cell(self) -> tuple[int, ...]:
        """Boxes at each cell of each map."""
        return tuple(len(self.ratios) * len(sizes) for sizes in self.sizes)

    def __call__(self, maps: tuple[Size, ...], size: Size) -> Tensor:
        """Boxes (A, 4) for maps of the given (height, width): map by map, row by row."""
        if len(self.sizes) != len(maps):
            raise ContractError(
                f"DETECTOR: anchors has {len(self.sizes)} sizes for {len(maps)} maps; AnchorGrid "
                "takes one list of them a map"
            )
        return torch.cat(
            [
                (self._corners(cells, size)[:, :, None] + self._shapes(sizes)).reshape(-1, 4)
                for cells, sizes in zip(maps, self.sizes, strict=True)
            ]
        )

    @staticmethod
    def _corners(cells: Size, size: Size) -> Tensor:
        """First corner (H, W, 4) of each cell, as a box without area."""
        y, x = (torch.arange(n) * (side // n) for n, side in zip(cells, size, strict=True))
        return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).repeat(1, 1, 2).float()

    def _shapes(self, sizes: tuple[float, ...]) -> Tensor:
        """Boxes (boxes a cell, 4) around (0, 0)."""
        roots = torch.tensor(self.ratios).sqrt()
        sides = torch.tensor(sizes)
        width, height = (1 / roots)[:, None] * sides, roots[:, None] * sides
        half = torch.stack((width, height), dim=-1).reshape(-1, 2) / 2
        return torch.cat((-half, half), dim=-1).round()


@dataclass(frozen=True)
class CellAnchors:
    """Anchors of EfficientDet: Tan et al., CVPR 2020, section 5.1, as automl/efficientdet lays them.

    Each cell of map k has a box for each of its `scales` s, and within it for each (w, h) of `aspects`,
    of width s * w * `strides[k]` and height s * h * `strides[k]`, around the cell's middle. Cells are
    `strides[k]` pixels of the network input apart.
    """

    scales: tuple[float, ...]
    aspects: tuple[tuple[float, float], ...]
    strides: tuple[float, ...]

    @property
    def per_cell(self) -> tuple[int, ...]:
        """Boxes at each cell of each map."""
        return (len(self.scales) * len(self.aspects),) * len(self.strides)

    def __call__(self, maps: tuple[Size, ...], size: Size) -> Tensor:
        """Boxes (A, 4) for maps of the given (height, width): map by map, row by row."""
        del size
        if len(self.strides) != len(maps):
            raise ContractError(
                f"DETECTOR: anchors has {len(self.strides)} strides for {len(maps)} maps; "
                "CellAnchors takes one a map"
            )
        scales = torch.tensor(self.scales, dtype=torch.float64)
        aspects = torch.tensor(self.aspects, dtype=torch.float64)
        shapes = (scales[:, None, None] * aspects).reshape(-1, 2)
        return torch.cat(
            [
                around_cells(cells, stride, stride * shapes)
                for cells, stride in zip(maps, self.strides, strict=True)
            ]
        ).float()


@dataclass(frozen=True)
class BoxPriors:
    """YOLO's priors: Redmon and Farhadi, YOLO9000, CVPR 2017, section 2, Dimension Clusters.

    Each cell of map k has a box for each (width, height) of `sizes[k]`, around the cell's middle.
    They are pixels of the network input as in YOLOv3, or with `unit` cells, sides of the map's cells
    as in YOLOv2. The cells of a map cover the input.
    """

    sizes: tuple[tuple[tuple[float, float], ...], ...]
    unit: Literal["pixels", "cells"] = "pixels"

    def __post_init__(self) -> None:
        require("anchors.unit", self.unit, ("pixels", "cells"))

    @property
    def per_cell(self) -> tuple[int, ...]:
        """Boxes at each cell of each map."""
        return tuple(len(sizes) for sizes in self.sizes)

    def __call__(self, maps: tuple[Size, ...], size: Size) -> Tensor:
        """Boxes with their cells (A, 8) for maps of the given (height, width): map by map, row by row."""
        if len(self.sizes) != len(maps):
            raise ContractError(
                f"DETECTOR: anchors has {len(self.sizes)} sizes for {len(maps)} maps; BoxPriors "
                "takes one list of them a map"
            )
        return torch.cat(
            [
                self._of_map(cells, torch.tensor(sizes, dtype=torch.float64), size)
                for cells, sizes in zip(maps, self.sizes, strict=True)
            ]
        ).float()

    def _of_map(self, cells: Size, shapes: Tensor, size: Size) -> Tensor:
        y, x = (
            torch.arange(n + 1, dtype=torch.float64) * (side / n)
            for n, side in zip(cells, size, strict=True)
        )
        corners = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        of_cells = torch.cat((corners[:-1, :-1], corners[1:, 1:]), dim=-1)[:, :, None]
        centres, sides = centres_and_sizes(of_cells)
        boxes = from_centres(centres, shapes * sides if self.unit == "cells" else shapes)
        return torch.cat((boxes, of_cells.expand_as(boxes)), dim=-1).reshape(-1, 8)


def around_cells(cells: Size, stride: float, shapes: Tensor) -> Tensor:
    """Boxes (H * W * n, 4) of widths and heights (n, 2) around the middle of each cell of a map."""
    y, x = (torch.arange(n, dtype=torch.float64).add(0.5).mul(stride) for n in cells)
    centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
    shape = (*cells, len(shapes), 2)
    return from_centres(centres[:, :, None].expand(shape), shapes.expand(shape)).reshape(-1, 4)


Anchors = AnchorGrid | BoxPriors | CellAnchors | DefaultBoxes

KINDS: dict[str, type[Anchors]] = {
    "AnchorGrid": AnchorGrid,
    "BoxPriors": BoxPriors,
    "CellAnchors": CellAnchors,
    "DefaultBoxes": DefaultBoxes,
}
