"""Three levels that are fused down and up again, several times.

Emitted by specc from fusion_cells/spec.yaml: change the spec, not this file.

    images (N, 8, 32, 32) -> boxes (N, 5376, 4)
    33,648 parameters, 0.013 G multiply-adds
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class Down(nn.Module):
    """A level and the coarser one, enlarged."""

    def __init__(self, own_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(own_channels, width, kernel_size=3, padding=1)

    def forward(self, own: Tensor, coarser: Tensor) -> Tensor:
        x = functional.interpolate(coarser, size=own.shape[-2:], mode="nearest")
        x = own + x
        return self.conv(x)


class Up(nn.Module):
    """A level twice, and the finer one, shrunk."""

    def __init__(self, own_channels: int, width: int) -> None:
        super().__init__()
        self.smaller = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.conv = nn.Conv2d(own_channels, width, kernel_size=3, padding=1)

    def forward(self, own: Tensor, down: Tensor, finer: Tensor) -> Tensor:
        x = self.smaller(finer)
        x = own + down + x
        return self.conv(x)


class Cell(nn.ModuleList):
    """Module `Cell` of the spec."""

    def __init__(
        self, fine_channels: int, middle_channels: int, coarse_channels: int, width: int
    ) -> None:
        super().__init__(
            [
                Down(middle_channels, width),  # 0: down, 16x16x16
                Down(fine_channels, width),  # 1: out_fine, 16x32x32
                Up(middle_channels, width),  # 2: out_middle, 16x16x16
                Up(coarse_channels, width),  # 3: out_coarse, 16x8x8
            ]
        )

    def forward(
        self, fine: Tensor, middle: Tensor, coarse: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        down = self[0](middle, coarse)  # 16x16x16
        out_fine = self[1](fine, down)  # 16x32x32
        out_middle = self[2](middle, down, out_fine)  # 16x16x16
        out_coarse = self[3](coarse, coarse, out_middle)  # 16x8x8
        return out_fine, out_middle, out_coarse


class FusionCells(nn.Module):
    """Three levels that are fused down and up again, several times."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.fine = nn.Conv2d(8, width, kernel_size=3, padding=1)
        self.middle = nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1)
        self.coarse = nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1)
        self.cells = nn.ModuleList(Cell(width, width, width, width) for _ in range(3))

    def forward(self, images: Tensor) -> Tensor:
        fine = self.fine(images)  # 16x32x32
        middle = self.middle(fine)  # 16x16x16
        coarse = self.coarse(middle)  # 16x8x8
        cells = (fine, middle, coarse)
        for layer in self.cells:
            cells = layer(*cells)  # 16x32x32, 16x16x16, 16x8x8
        tables = [per_box(level, 4) for level in cells]
        return torch.cat(tables, dim=1)  # 5376x4


MODEL = FusionCells
