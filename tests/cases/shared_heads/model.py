"""A small residual network with a feature pyramid and heads that all levels share.

Emitted by specc from shared_heads/spec.yaml: change the spec, not this file.

    images (N, 3, H, W) -> scores [(N, 6, ceil(H/4), ceil(W/4)), (N, 6, ceil(H/8), ceil(W/8)),
    (N, 6, ceil(H/16), ceil(W/16)), (N, 6, ceil(H/32), ceil(W/32))],
    deltas [(N, 8, ceil(H/4), ceil(W/4)), (N, 8, ceil(H/8), ceil(W/8)),
    (N, 8, ceil(H/16), ceil(W/16)), (N, 8, ceil(H/32), ceil(W/32))]
    160,462 parameters
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional


class ConvNorm(nn.Sequential):
    """Module `ConvNorm` of the spec."""

    def __init__(self, in_channels: int, out: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out),
        )


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, c: int, out: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(c, out, stride=2)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = ConvNorm(out, out)
        self.shortcut = nn.Conv2d(c, out, kernel_size=1, stride=2)
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.relu1(y)
        conv2 = self.conv2(y)
        y = self.shortcut(x)
        y = conv2 + y
        return self.relu2(y)


class ResidualNoShortcut(nn.Module):
    """Two convolutions beside a shortcut, without `shortcut`."""

    def __init__(self, c: int, out: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(c, out)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = ConvNorm(out, out)
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.relu1(y)
        y = self.conv2(y)
        y = y + x
        return self.relu2(y)


class Body(nn.Module):
    """Module `Body` of the spec."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1, bias=False)
        self.c3 = nn.Sequential(Residual(16, 16), ResidualNoShortcut(16, 16))
        self.c4 = nn.Sequential(
            Residual(16, 32), ResidualNoShortcut(32, 32), ResidualNoShortcut(32, 32)
        )
        self.c5 = nn.Sequential(Residual(32, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(x)  # 16xceil(H/2)xceil(W/2)
        c3 = self.c3(x)  # 16xceil(H/4)xceil(W/4)
        c4 = self.c4(c3)  # 32xceil(H/8)xceil(W/8)
        c5 = self.c5(c4)  # 64xceil(H/16)xceil(W/16)
        return c3, c4, c5


class TopDown(nn.Module):
    """Module `TopDown` of the spec."""

    def forward(self, lateral: Tensor, above: Tensor) -> Tensor:
        x = functional.interpolate(above, size=lateral.shape[-2:], mode="nearest")
        return lateral + x


class Pyramid(nn.Module):
    """Lin et al., Feature Pyramid Networks, for any number of maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.ModuleList(
            [
                nn.Conv2d(16, width, kernel_size=1),
                nn.Conv2d(32, width, kernel_size=1),
                nn.Conv2d(64, width, kernel_size=1),
            ]
        )
        self.merged = nn.ModuleList([nn.Identity(), TopDown(), TopDown()])
        self.outer = nn.ModuleList(
            nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in range(3)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        inner = [layer(level) for layer, level in zip(self.inner, maps, strict=True)]
        merged1 = self.merged[1](inner[1], inner[2])  # 32xceil(H/8)xceil(W/8)
        merged2 = self.merged[2](inner[0], merged1)  # 32xceil(H/4)xceil(W/4)
        return [
            layer(level)
            for layer, level in zip(self.outer, [merged2, merged1, inner[2]], strict=True)
        ]


class Head(nn.Module):
    """Module `Head` of the spec."""

    def __init__(self, c: int, anchors: int, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, c, kernel_size=3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.scores = nn.Conv2d(c, anchors * num_classes, kernel_size=1)
        self.deltas = nn.Conv2d(c, anchors * 4, kernel_size=1)

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv(level)
        relu = self.relu(x)
        scores = self.scores(relu)
        deltas = self.deltas(relu)
        return scores, deltas


class Outputs(NamedTuple):
    """What `SharedHeads` returns."""

    scores: list[Tensor]
    deltas: list[Tensor]


class SharedHeads(nn.Module):
    """A small residual network with a feature pyramid and heads that all levels share."""

    def __init__(self, num_classes: int = 3) -> None:
        super().__init__()
        self.body = Body()
        self.pyramid = Pyramid(32)
        self.extra = nn.MaxPool2d(kernel_size=1, stride=2)
        self.head = Head(32, 2, num_classes)

    def forward(self, images: Tensor) -> Outputs:
        # 16xceil(H/4)xceil(W/4), 32xceil(H/8)xceil(W/8), 64xceil(H/16)xceil(W/16)
        c3, c4, c5 = self.body(images)
        # 32xceil(H/4)xceil(W/4), 32xceil(H/8)xceil(W/8), 32xceil(H/16)xceil(W/16)
        pyramid = self.pyramid([c3, c4, c5])
        extra = self.extra(pyramid[2])  # 32xceil(H/32)xceil(W/32)
        head = [self.head(level) for level in [*pyramid, extra]]
        scores = [each[0] for each in head]
        deltas = [each[1] for each in head]
        return Outputs(scores, deltas)


MODEL = SharedHeads
