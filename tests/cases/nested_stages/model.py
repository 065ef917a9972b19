"""A residual pyramid with a head for each level.

Emitted by specc from nested_stages/spec.yaml: change the spec, not this file.

    images (N, 3, 256, 256) -> levels [(N, 36, 32, 32), (N, 36, 16, 16), (N, 36, 8, 8)]
    5,512,972 parameters, 1.166 G multiply-adds
"""

from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """Module `ConvNormAct` of the spec."""

    def __init__(self, in_channels: int, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                width,
                kernel_size=kernel,
                stride=stride,
                padding=kernel // 2,
                bias=False,
            ),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )


class Block(nn.Module):
    """Module `Block` of the spec."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.first = ConvNormAct(in_channels, width, 3, stride=2)
        self.second = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.shortcut = nn.Conv2d(in_channels, width, kernel_size=1, stride=2)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        y = self.second(y)
        norm = self.norm(y)
        y = self.shortcut(x)
        y = norm + y
        return self.relu(y)


class BlockNoShortcut(nn.Module):
    """Module `Block` of the spec, without `shortcut`."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.first = ConvNormAct(in_channels, width, 3)
        self.second = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        y = self.second(y)
        y = self.norm(y)
        y = y + x
        return self.relu(y)


class Stage(nn.Module):
    """A block that halves the map, and then more that keep it."""

    def __init__(self, in_channels: int, width: int, count: int) -> None:
        super().__init__()
        self.down = Block(in_channels, width)
        self.more = nn.Sequential(*(BlockNoShortcut(width, width) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return self.more(x)


class Backbone(nn.Module):
    """Module `Backbone` of the spec."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.stem = ConvNormAct(in_channels, 32, 7, stride=2)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.c3 = Stage(32, 64, 3)
        self.c4 = Stage(64, 128, 4)
        self.c5 = Stage(128, 256, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(x)  # 32x128x128
        x = self.pool(x)  # 32x64x64
        c3 = self.c3(x)  # 64x32x32
        c4 = self.c4(c3)  # 128x16x16
        c5 = self.c5(c4)  # 256x8x8
        return c3, c4, c5


class Pyramid(nn.Module):
    """Module `Pyramid` of the spec."""

    def __init__(self, c3_channels: int, c4_channels: int, c5_channels: int, width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            [
                nn.Conv2d(c3_channels, width, kernel_size=1),
                nn.Conv2d(c4_channels, width, kernel_size=1),
                nn.Conv2d(c5_channels, width, kernel_size=1),
            ]
        )
        self.up4 = nn.Upsample(scale_factor=2)
        self.up3 = nn.Upsample(scale_factor=2)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lateral = [layer(c) for layer, c in zip(self.lateral, [c3, c4, c5], strict=True)]
        x = self.up4(lateral[2])  # 64x16x16
        p4 = lateral[1] + x  # 64x16x16
        x = self.up3(p4)  # 64x32x32
        p3 = lateral[0] + x  # 64x32x32
        return p3, p4, lateral[2]


class Head(nn.Module):
    """Module `Head` of the spec."""

    def __init__(self, in_channels: int, anchors: int) -> None:
        super().__init__()
        self.tower = nn.Sequential(
            ConvNormAct(in_channels, 64, 3), *(ConvNormAct(64, 64, 3) for _ in range(3))
        )
        self.predict = nn.Conv2d(64, anchors * 4, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.tower(x)
        return self.predict(x)


class NestedStages(nn.Module):
    """A residual pyramid with a head for each level."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone(3)
        self.neck = Pyramid(64, 128, 256, 64)
        self.head = nn.ModuleList(Head(64, 9) for _ in range(3))

    def forward(self, images: Tensor) -> list[Tensor]:
        c3, c4, c5 = self.backbone(images)  # 64x32x32, 128x16x16, 256x8x8
        p3, p4, p5 = self.neck(c3, c4, c5)  # 64x32x32, 64x16x16, 64x8x8
        return [layer(x) for layer, x in zip(self.head, [p3, p4, p5], strict=True)]


MODEL = NestedStages
