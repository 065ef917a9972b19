"""EfficientNet, with P1 to P5 at stage1, stage2, stage3, stage5 and stage7.

Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019,
table 1.

Emitted by specc from specs/efficientnet.yaml: change the spec, not this file.

    images (N, 3, 224, 224) -> out (N, 1000)
    5,288,548 parameters, 0.386 G multiply-adds
"""

import math

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Zero images of a branch at random in training, divide the rest by ``1 - p``."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = x.new_empty(len(x), *(1 for _ in x.shape[1:])).bernoulli_(1 - self.p)
        return x * (kept / (1 - self.p) if self.p < 1 else kept)


class Spatial(nn.Sequential):
    """A convolution with its norm and SiLU."""

    def __init__(
        self, in_channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out,
                kernel_size=kernel,
                stride=stride,
                padding=kernel // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out),
            nn.SiLU(inplace=True),
        )
        nn.init.normal_(self.get_parameter("0.weight"), std=math.sqrt(2 / (kernel**2 * out)))


class SqueezeExcite(nn.Module):
    """Weigh the channels by what the whole map holds."""

    def __init__(self, c: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(output_size=1)
        self.reduce = nn.Conv2d(c, squeezed, kernel_size=1)
        nn.init.kaiming_normal_(self.reduce.weight, mode="fan_out")
        nn.init.zeros_(self.reduce.get_parameter("bias"))
        self.silu = nn.SiLU(inplace=True)
        self.expand = nn.Conv2d(squeezed, c, kernel_size=1)
        nn.init.kaiming_normal_(self.expand.weight, mode="fan_out")
        nn.init.zeros_(self.expand.get_parameter("bias"))
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(x)
        y = self.reduce(y)
        y = self.silu(y)
        y = self.expand(y)
        y = self.gate(y)
        return x * y


class Project(nn.Sequential):
    """A convolution of single positions with its norm, and no SiLU."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, bias=False),
            nn.BatchNorm2d(out),
        )
        nn.init.kaiming_normal_(self.get_parameter("0.weight"), mode="fan_out")


class MBConvNoExpandNoShortcut(nn.Module):
    """Widen, filter each channel, weigh the channels, narrow, without `expand` and `shortcut`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.depthwise = Spatial(32, 32, kernel, groups=32)
        self.se = SqueezeExcite(32, 8)
        self.project = Project(32, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)  # 32x112x112
        x = self.se(x)  # 32x112x112
        return self.project(x)  # 16x112x112


class Pointwise(nn.Sequential):
    """A convolution of single positions with its norm and SiLU."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, bias=False),
            nn.BatchNorm2d(out),
            nn.SiLU(inplace=True),
        )
        nn.init.kaiming_normal_(self.get_parameter("0.weight"), mode="fan_out")


class MBConvNoShortcut(nn.Module):
    """Widen, filter each channel, weigh the channels, narrow, without `shortcut`."""

    def __init__(self, cin: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.expand = Pointwise(cin, cin * 6)
        self.depthwise = Spatial(cin * 6, cin * 6, kernel, stride=stride, groups=cin * 6)
        self.se = SqueezeExcite(cin * 6, cin // 4)
        self.project = Project(cin * 6, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)
        x = self.depthwise(x)
        x = self.se(x)
        return self.project(x)


class Shortcut(nn.Module):
    """Add what a block was given; in training, drop the rest now and then."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.drop = StochasticDepth(p=p)

    def forward(self, branch: Tensor, x: Tensor) -> Tensor:
        y = self.drop(branch)
        return y + x


class MBConv(nn.Module):
    """Widen, filter each channel, weigh the channels, narrow."""

    def __init__(self, cin: int, out: int, kernel: int, drop: float) -> None:
        super().__init__()
        self.expand = Pointwise(cin, cin * 6)
        self.depthwise = Spatial(cin * 6, cin * 6, kernel, groups=cin * 6)
        self.se = SqueezeExcite(cin * 6, cin // 4)
        self.project = Project(cin * 6, out)
        self.shortcut = Shortcut(drop)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)
        y = self.depthwise(y)
        y = self.se(y)
        y = self.project(y)
        return self.shortcut(y, x)


class Head(nn.Module):
    """One more convolution, and a class for the whole image."""

    def __init__(self, in_channels: int, features: int, p: float, num_classes: int) -> None:
        super().__init__()
        self.conv = Pointwise(in_channels, features)
        self.pool = nn.AdaptiveAvgPool2d(output_size=1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(p=p)
        self.fc = nn.Linear(features, num_classes)
        nn.init.uniform_(
            self.fc.weight, a=-1 / math.sqrt(num_classes), b=1 / math.sqrt(num_classes)
        )
        nn.init.zeros_(self.fc.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # 1280x7x7
        x = self.pool(x)  # 1280x1x1
        x = self.flatten(x)  # 1280
        x = self.dropout(x)  # 1280
        return self.fc(x)  # 1000


class EfficientNet(nn.Module):
    """EfficientNet, with P1 to P5 at stage1, stage2, stage3, stage5 and stage7."""

    def __init__(self, drop_connect: float = 0.2, num_classes: int = 1000) -> None:
        super().__init__()
        self.stem = Spatial(3, 32, 3, stride=2)
        self.stage1 = nn.Sequential(MBConvNoExpandNoShortcut(3))
        self.stage2 = nn.Sequential(
            MBConvNoShortcut(16, 24, 3, stride=2), MBConv(24, 24, 3, drop_connect * 2 / 16)
        )
        self.stage3 = nn.Sequential(
            MBConvNoShortcut(24, 40, 5, stride=2), MBConv(40, 40, 5, drop_connect * 4 / 16)
        )
        self.stage4 = nn.Sequential(
            MBConvNoShortcut(40, 80, 3, stride=2),
            MBConv(80, 80, 3, drop_connect * 6 / 16),
            MBConv(80, 80, 3, drop_connect * 7 / 16),
        )
        self.stage5 = nn.Sequential(
            MBConvNoShortcut(80, 112, 5),
            MBConv(112, 112, 5, drop_connect * 9 / 16),
            MBConv(112, 112, 5, drop_connect * 10 / 16),
        )
        self.stage6 = nn.Sequential(
            MBConvNoShortcut(112, 192, 5, stride=2),
            *(MBConv(192, 192, 5, drop_connect * (11 + i) / 16) for i in range(1, 4)),
        )
        self.stage7 = nn.Sequential(MBConvNoShortcut(192, 320, 3))
        self.head = Head(320, 1280, 0.2, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)  # 32x112x112
        x = self.stage1(x)  # 16x112x112
        x = self.stage2(x)  # 24x56x56
        x = self.stage3(x)  # 40x28x28
        x = self.stage4(x)  # 80x14x14
        x = self.stage5(x)  # 112x14x14
        x = self.stage6(x)  # 192x7x7
        x = self.stage7(x)  # 320x7x7
        return self.head(x)  # 1000


MODEL = EfficientNet
