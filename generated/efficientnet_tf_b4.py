"""EfficientNet, with P1 to P5 at stage1, stage2, stage3, stage5 and stage7.

Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019,
table 1.

Emitted by specc from specs/efficientnet.yaml: change the spec, not this file.

    images (N, 3, 380, 380) -> out (N, 1000)
    19,341,616 parameters, 4.394 G multiply-adds
"""

import math

from torch import Tensor, nn
from torch.nn import functional


def same_padding(side: int, kernel: int, stride: int, dilation: int) -> list[int]:
    """TensorFlow's SAME: padding before and after for ceil(side / stride) windows."""
    missing = (-(-side // stride) - 1) * stride + dilation * (kernel - 1) + 1 - side
    before = max(missing, 0) // 2
    return [before, max(missing, 0) - before]


class Conv2dSame(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME, from the size that arrives."""

    def forward(self, input: Tensor) -> Tensor:
        if self.stride == (1, 1):  # torch's own is the same then, and copies nothing
            return functional.conv2d(
                input, self.weight, self.bias, 1, "same", self.dilation, self.groups
            )
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel_size, self.stride
        dilation_h, dilation_w = self.dilation
        rows = same_padding(input.shape[2], kernel_h, stride_h, dilation_h)
        columns = same_padding(input.shape[3], kernel_w, stride_w, dilation_w)
        return super().forward(functional.pad(input, columns + rows))


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
            Conv2dSame(
                in_channels, out, kernel_size=kernel, stride=stride, groups=groups, bias=False
            ),
            nn.BatchNorm2d(out, eps=0.001, momentum=0.01),
            nn.SiLU(inplace=True),
        )
        nn.init.normal_(
            self.get_parameter("0.weight"), std=math.sqrt(2 * groups / (kernel**2 * out))
        )


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
            nn.BatchNorm2d(out, eps=0.001, momentum=0.01),
        )
        nn.init.kaiming_normal_(self.get_parameter("0.weight"), mode="fan_out")


class MBConvNoExpandNoShortcut(nn.Module):
    """Widen, filter each channel, weigh the channels, narrow, without `expand` and `shortcut`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.depthwise = Spatial(48, 48, kernel, groups=48)
        self.se = SqueezeExcite(48, 12)
        self.project = Project(48, 24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)  # 48x190x190
        x = self.se(x)  # 48x190x190
        return self.project(x)  # 24x190x190


class Shortcut(nn.Module):
    """Add what a block was given; in training, drop the rest now and then."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.drop = StochasticDepth(p=p)

    def forward(self, branch: Tensor, x: Tensor) -> Tensor:
        y = self.drop(branch)
        return y + x


class MBConvNoExpand(nn.Module):
    """Widen, filter each channel, weigh the channels, narrow, without `expand`."""

    def __init__(self, kernel: int, drop: float) -> None:
        super().__init__()
        self.depthwise = Spatial(24, 24, kernel, groups=24)
        self.se = SqueezeExcite(24, 6)
        self.project = Project(24, 24)
        self.shortcut = Shortcut(drop)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)  # 24x190x190
        y = self.se(y)  # 24x190x190
        y = self.project(y)  # 24x190x190
        return self.shortcut(y, x)  # 24x190x190


class Pointwise(nn.Sequential):
    """A convolution of single positions with its norm and SiLU."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, bias=False),
            nn.BatchNorm2d(out, eps=0.001, momentum=0.01),
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
        x = self.conv(x)  # 1792x12x12
        x = self.pool(x)  # 1792x1x1
        x = self.flatten(x)  # 1792
        x = self.dropout(x)  # 1792
        return self.fc(x)  # 1000


class EfficientNet(nn.Module):
    """EfficientNet, with P1 to P5 at stage1, stage2, stage3, stage5 and stage7."""

    def __init__(self, drop_connect: float = 0.2, num_classes: int = 1000) -> None:
        super().__init__()
        self.stem = Spatial(3, 48, 3, stride=2)
        self.stage1 = nn.Sequential(
            MBConvNoExpandNoShortcut(3), MBConvNoExpand(3, drop_connect / 32)
        )
        self.stage2 = nn.Sequential(
            MBConvNoShortcut(24, 32, 3, stride=2),
            *(MBConv(32, 32, 3, drop_connect * (2 + i) / 32) for i in range(1, 4)),
        )
        self.stage3 = nn.Sequential(
            MBConvNoShortcut(32, 56, 5, stride=2),
            *(MBConv(56, 56, 5, drop_connect * (6 + i) / 32) for i in range(1, 4)),
        )
        self.stage4 = nn.Sequential(
            MBConvNoShortcut(56, 112, 3, stride=2),
            *(MBConv(112, 112, 3, drop_connect * (10 + i) / 32) for i in range(1, 6)),
        )
        self.stage5 = nn.Sequential(
            MBConvNoShortcut(112, 160, 5),
            *(MBConv(160, 160, 5, drop_connect * (16 + i) / 32) for i in range(1, 6)),
        )
        self.stage6 = nn.Sequential(
            MBConvNoShortcut(160, 272, 5, stride=2),
            *(MBConv(272, 272, 5, drop_connect * (22 + i) / 32) for i in range(1, 8)),
        )
        self.stage7 = nn.Sequential(
            MBConvNoShortcut(272, 448, 3), MBConv(448, 448, 3, drop_connect * 31 / 32)
        )
        self.head = Head(448, 1792, 0.4, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)  # 48x190x190
        x = self.stage1(x)  # 24x190x190
        x = self.stage2(x)  # 32x95x95
        x = self.stage3(x)  # 56x48x48
        x = self.stage4(x)  # 112x24x24
        x = self.stage5(x)  # 160x24x24
        x = self.stage6(x)  # 272x12x12
        x = self.stage7(x)  # 448x12x12
        return self.head(x)  # 1000


MODEL = EfficientNet
