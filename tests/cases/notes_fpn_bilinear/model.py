"""notes_fpn_bilinear.

Emitted by specc from notes_fpn_bilinear/spec.yaml: change the spec, not this file.

    c2 (N, 256, 75, 75), c3 (N, 512, 38, 38), c4 (N, 1024, 19, 19), c5 (N, 2048, 10, 10) ->
    p2 (N, 256, 75, 75), p3 (N, 256, 38, 38), p4 (N, 256, 19, 19), p5 (N, 256, 10, 10),
    p6 (N, 256, 5, 5)
    2,754,304 parameters, 5.087 G multiply-adds
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class UpsampleAdd(nn.Module):
    """Module `UpsampleAdd` of the spec."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        z = functional.interpolate(x, size=y.shape[-2:], mode="bilinear")
        return z + y


class Outputs(NamedTuple):
    """What `NotesFpnBilinear` returns."""

    p2: Tensor  # (N, 256, 75, 75)
    p3: Tensor  # (N, 256, 38, 38)
    p4: Tensor  # (N, 256, 19, 19)
    p5: Tensor  # (N, 256, 10, 10)
    p6: Tensor  # (N, 256, 5, 5)


class NotesFpnBilinear(nn.Module):
    """notes_fpn_bilinear."""

    def __init__(self) -> None:
        super().__init__()
        self.p5 = nn.Conv2d(2048, 256, kernel_size=1)
        self.latlayer1 = nn.Conv2d(1024, 256, kernel_size=1)
        self.up4 = UpsampleAdd()
        self.p4 = nn.Conv2d(256, 256, kernel_size=3, padding=1)
        self.latlayer2 = nn.Conv2d(512, 256, kernel_size=1)
        self.up3 = UpsampleAdd()
        self.p3 = nn.Conv2d(256, 256, kernel_size=3, padding=1)
        self.latlayer3 = nn.Conv2d(256, 256, kernel_size=1)
        self.up2 = UpsampleAdd()
        self.p2 = nn.Conv2d(256, 256, kernel_size=3, padding=1)
        self.p6 = nn.MaxPool2d(kernel_size=1, stride=2)

    def forward(self, c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor) -> Outputs:
        p5 = self.p5(c5)  # 256x10x10
        x = self.latlayer1(c4)  # 256x19x19
        x = self.up4(p5, x)  # 256x19x19
        p4 = self.p4(x)  # 256x19x19
        x = self.latlayer2(c3)  # 256x38x38
        x = self.up3(p4, x)  # 256x38x38
        p3 = self.p3(x)  # 256x38x38
        x = self.latlayer3(c2)  # 256x75x75
        x = self.up2(p3, x)  # 256x75x75
        p2 = self.p2(x)  # 256x75x75
        p6 = self.p6(p5)  # 256x5x5
        return Outputs(p2, p3, p4, p5, p6)


MODEL = NotesFpnBilinear
