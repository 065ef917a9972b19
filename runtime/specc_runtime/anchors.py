"""Anchors: the boxes that a detector starts from, one set for all pictures of a size."""

from dataclasses import dataclass

import torch
from torch import Tensor

from specc_runtime.boxes import from_centres
from specc_runtime.contract import ContractError

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
                from_centres(*self._grid(cells, stride, self._shapes(k, size))).reshape(-1, 4)
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

    @staticmethod
    def _grid(cells: Size, stride: float, shapes: Tensor) -> tuple[Tensor, Tensor]:
        """Centres and sizes (H, W, boxes a cell, 2) of every box of one map."""
        y, x = (torch.arange(n, dtype=torch.float64).add(0.5).mul(stride) for n in cells)
        centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        shape = (*cells, len(shapes), 2)
        return centres[:, :, None].expand(shape), shapes.expand(shape)


KINDS = {"DefaultBoxes": DefaultBoxes}
