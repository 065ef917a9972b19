"""The first stages of an EfficientNet.

Emitted by specc from inverted_bottlenecks/spec.yaml: change the spec, not this file.

    images (N, 3, 64, 64) -> out (N, 40, 8, 8)
    129,866 parameters, 0.013 G multiply-adds
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


class ConvNorm(nn.Module):
    """Module `ConvNorm` of the spec."""

    def __init__(
        self, in_channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = Conv2dSame(
            in_channels, out, kernel_size=kernel, stride=stride, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(out, eps=0.001, momentum=0.01)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.norm(x)
        return self.act(x)


class SqueezeExcite(nn.Module):
    """Weigh the channels by what the whole map holds."""

    def __init__(self, c: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(output_size=1)
        self.reduce = nn.Conv2d(c, squeezed, kernel_size=1)
        self.act = nn.SiLU(inplace=True)
        self.expand = nn.Conv2d(squeezed, c, kernel_size=1)
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(x)
        y = self.reduce(y)
        y = self.act(y)
        y = self.expand(y)
        y = self.gate(y)
        return x * y


class ConvNormNoAct(nn.Module):
    """Module `ConvNorm` of the spec, without `act`."""

    def __init__(
        self, in_channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = Conv2dSame(
            in_channels, out, kernel_size=kernel, stride=stride, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(out, eps=0.001, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.norm(x)


class InvertedNoWidenNoTotal(nn.Module):
    """Widen, filter each channel, weigh, and narrow again, without `widen` and `total`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.filter_ = ConvNorm(48, 48, kernel=kernel, groups=48)
        self.weigh = SqueezeExcite(48, 12)
        self.narrow = ConvNormNoAct(48, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.filter_(x)  # 48x32x32
        x = self.weigh(x)  # 48x32x32
        return self.narrow(x)  # 16x32x32


class InvertedNoTotal(nn.Module):
    """Widen, filter each channel, weigh, and narrow again, without `total`."""

    def __init__(self, c: int, out: int, kernel: int) -> None:
        super().__init__()
        self.widen = ConvNorm(c, c * 6)
        self.filter_ = ConvNorm(c * 6, c * 6, kernel=kernel, stride=2, groups=c * 6)
        self.weigh = SqueezeExcite(c * 6, max(1, math.floor(c / 4)))
        self.narrow = ConvNormNoAct(c * 6, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.widen(x)
        x = self.filter_(x)
        x = self.weigh(x)
        return self.narrow(x)


class Inverted(nn.Module):
    """Widen, filter each channel, weigh, and narrow again."""

    def __init__(self, c: int, out: int, kernel: int) -> None:
        super().__init__()
        self.widen = ConvNorm(c, c * 6)
        self.filter_ = ConvNorm(c * 6, c * 6, kernel=kernel, groups=c * 6)
        self.weigh = SqueezeExcite(c * 6, max(1, math.floor(c / 4)))
        self.narrow = ConvNormNoAct(c * 6, out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.widen(x)
        y = self.filter_(y)
        y = self.weigh(y)
        y = self.narrow(y)
        return y + x


class InvertedBottlenecks(nn.Module):
    """The first stages of an EfficientNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 48, kernel=3, stride=2)
        self.stage1 = nn.Sequential(InvertedNoWidenNoTotal(3))
        self.stage2 = nn.Sequential(InvertedNoTotal(16, 24, 3), Inverted(24, 24, 3))
        self.stage3 = nn.Sequential(
            InvertedNoTotal(24, 40, 5), *(Inverted(40, 40, 5) for _ in range(3))
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)  # 48x32x32
        x = self.stage1(x)  # 16x32x32
        x = self.stage2(x)  # 24x16x16
        return self.stage3(x)  # 40x8x8


MODEL = InvertedBottlenecks
