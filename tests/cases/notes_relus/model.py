"""notes_relus.

Emitted by specc from notes_relus/spec.yaml: change the spec, not this file.

    fc7 (N, 1024, 19, 19) -> out (N, 256, 1, 1)
    2,459,520 parameters, 0.231 G multiply-adds
"""

from torch import Tensor, nn


class NotesRelus(nn.Module):
    """notes_relus."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv8_1 = nn.Conv2d(1024, 256, kernel_size=1)
        self.Conv8_2 = nn.Conv2d(256, 512, kernel_size=3, stride=2, padding=1)
        self.Conv9_1 = nn.Conv2d(512, 128, kernel_size=1)
        self.Conv9_2 = nn.Conv2d(128, 256, kernel_size=3, stride=2, padding=1)
        self.Conv10_1 = nn.Conv2d(256, 128, kernel_size=1)
        self.Conv10_2 = nn.Conv2d(128, 256, kernel_size=3)
        self.Conv11_1 = nn.Conv2d(256, 128, kernel_size=1)
        self.Conv11_2 = nn.Conv2d(128, 256, kernel_size=3)

    def forward(self, fc7: Tensor) -> Tensor:
        x = self.Conv8_1(fc7)  # 256x19x19
        x = self.Conv8_2(x)  # 512x10x10
        x = self.Conv9_1(x)  # 128x10x10
        x = self.Conv9_2(x)  # 256x5x5
        x = self.Conv10_1(x)  # 128x5x5
        x = self.Conv10_2(x)  # 256x3x3
        x = self.Conv11_1(x)  # 128x3x3
        return self.Conv11_2(x)  # 256x1x1


MODEL = NotesRelus
