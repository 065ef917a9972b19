"""MobileNetV3, large and small.

Howard et al., Searching for MobileNetV3, ICCV 2019, tables 1 and 2.

Emitted by specc from specs/mobilenet_v3.yaml: change the spec, not this file.

    images (N, 3, H, W) -> out (N, 1000)
    5,483,032 parameters
"""

from torch import Tensor, nn


def make_divisible(value: float, divisor: int) -> int:
    """Round to a multiple of `divisor`, never below 90 % of `value` (Howard et al., MobileNet)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class ConvNormHardswish(nn.Sequential):
    """Module `ConvNorm` of the spec, with `Hardswish`."""

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
            nn.BatchNorm2d(out, eps=0.001, momentum=0.01),
            nn.Hardswish(inplace=True),
        )


class ConvNormReLU(nn.Sequential):
    """Module `ConvNorm` of the spec, with `ReLU`."""

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
            nn.BatchNorm2d(out, eps=0.001, momentum=0.01),
            nn.ReLU(inplace=True),
        )


class Project(nn.Sequential):
    """A convolution of single positions with its norm, and no activation."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, bias=False),
            nn.BatchNorm2d(out, eps=0.001, momentum=0.01),
        )


class BneckReLUNoExpandNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `expand` and `se`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.depthwise = ConvNormReLU(16, 16, kernel, groups=16)
        self.project = Project(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)  # 16xceil(H/2)xceil(W/2)
        y = self.project(y)  # 16xceil(H/2)xceil(W/2)
        return y + x  # 16xceil(H/2)xceil(W/2)


class BneckReLUNoSeNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `se` and `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(16, 64, 1)
        self.depthwise = ConvNormReLU(64, 64, kernel, stride=2, groups=64)
        self.project = Project(64, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 64xceil(H/2)xceil(W/2)
        x = self.depthwise(x)  # 64xceil(H/4)xceil(W/4)
        return self.project(x)  # 24xceil(H/4)xceil(W/4)


class BneckReLUNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `se`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(24, 72, 1)
        self.depthwise = ConvNormReLU(72, 72, kernel, groups=72)
        self.project = Project(72, 24)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)  # 72xceil(H/4)xceil(W/4)
        y = self.depthwise(y)  # 72xceil(H/4)xceil(W/4)
        y = self.project(y)  # 24xceil(H/4)xceil(W/4)
        return y + x  # 24xceil(H/4)xceil(W/4)


class SqueezeExcite(nn.Module):
    """Weigh each channel by what all of its positions say (section 5.3)."""

    def __init__(self, c: int, squeezed: int) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(output_size=1)
        self.fc1 = nn.Conv2d(c, squeezed, kernel_size=1)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(squeezed, c, kernel_size=1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        y = self.avgpool(x)
        y = self.fc1(y)
        y = self.relu(y)
        y = self.fc2(y)
        y = self.gate(y)
        return x * y


class BneckReLUNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(24, 72, 1)
        self.depthwise = ConvNormReLU(72, 72, kernel, stride=2, groups=72)
        self.se = SqueezeExcite(72, 24)
        self.project = Project(72, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 72xceil(H/4)xceil(W/4)
        x = self.depthwise(x)  # 72xceil(H/8)xceil(W/8)
        x = self.se(x)  # 72xceil(H/8)xceil(W/8)
        return self.project(x)  # 40xceil(H/8)xceil(W/8)


class BneckReLU(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(40, 120, 1)
        self.depthwise = ConvNormReLU(120, 120, kernel, groups=120)
        self.se = SqueezeExcite(120, 32)
        self.project = Project(120, 40)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)  # 120xceil(H/8)xceil(W/8)
        y = self.depthwise(y)  # 120xceil(H/8)xceil(W/8)
        y = self.se(y)  # 120xceil(H/8)xceil(W/8)
        y = self.project(y)  # 40xceil(H/8)xceil(W/8)
        return y + x  # 40xceil(H/8)xceil(W/8)


class BneckHardswishNoSeNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `se` and `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(40, 240, 1)
        self.depthwise = ConvNormHardswish(240, 240, kernel, stride=2, groups=240)
        self.project = Project(240, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 240xceil(H/8)xceil(W/8)
        x = self.depthwise(x)  # 240xceil(H/16)xceil(W/16)
        return self.project(x)  # 80xceil(H/16)xceil(W/16)


class BneckHardswishNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `se`."""

    def __init__(self, kernel: int, hidden: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(80, hidden, 1)
        self.depthwise = ConvNormHardswish(hidden, hidden, kernel, groups=hidden)
        self.project = Project(hidden, 80)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)
        y = self.depthwise(y)
        y = self.project(y)  # 80xceil(H/16)xceil(W/16)
        return y + x  # 80xceil(H/16)xceil(W/16)


class BneckHardswishNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `add`."""

    def __init__(self, c: int, kernel: int, hidden: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(c, hidden, 1)
        self.depthwise = ConvNormHardswish(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.se = SqueezeExcite(hidden, make_divisible(hidden // 4, 8))
        self.project = Project(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)
        x = self.depthwise(x)
        x = self.se(x)
        return self.project(x)


class BneckHardswish(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`."""

    def __init__(self, c: int, kernel: int, hidden: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(c, hidden, 1)
        self.depthwise = ConvNormHardswish(hidden, hidden, kernel, groups=hidden)
        self.se = SqueezeExcite(hidden, make_divisible(hidden // 4, 8))
        self.project = Project(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)
        y = self.depthwise(y)
        y = self.se(y)
        y = self.project(y)
        return y + x


class Large(nn.Sequential):
    """Table 1 of the paper, without its last two rows."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            ConvNormHardswish(in_channels, 16, 3, stride=2),  # 0: 16xceil(H/2)xceil(W/2)
            BneckReLUNoExpandNoSe(3),
            BneckReLUNoSeNoAdd(3, 24),  # 2: 24xceil(H/4)xceil(W/4)
            BneckReLUNoSe(3),
            BneckReLUNoAdd(5, 40),  # 4: 40xceil(H/8)xceil(W/8)
            BneckReLU(5),
            BneckReLU(5),
            BneckHardswishNoSeNoAdd(3, 80),  # 7: 80xceil(H/16)xceil(W/16)
            BneckHardswishNoSe(3, 200),
            BneckHardswishNoSe(3, 184),
            BneckHardswishNoSe(3, 184),
            BneckHardswishNoAdd(80, 3, 480, 112),  # 11: 112xceil(H/16)xceil(W/16)
            BneckHardswish(112, 3, 672, 112),
            BneckHardswishNoAdd(112, 5, 672, 160, stride=2),  # 13: c4, 160xceil(H/32)xceil(W/32)
            BneckHardswish(160, 5, 960, 160),
            BneckHardswish(160, 5, 960, 160),
            ConvNormHardswish(160, 960, 1),  # 16: 960xceil(H/32)xceil(W/32)
        )


class Classifier(nn.Sequential):
    """Module `Classifier` of the spec."""

    def __init__(self, in_channels: int, hidden: int, num_classes: int) -> None:
        super().__init__(
            nn.Linear(in_channels, hidden),  # 0: 1280
            nn.Hardswish(),
            nn.Dropout(p=0.2),
            nn.Linear(hidden, num_classes),  # 3: 1000
        )


class MobileNetV3(nn.Module):
    """MobileNetV3, large and small."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = Large(3)
        self.avgpool = nn.AdaptiveAvgPool2d(output_size=1)
        self.flatten = nn.Flatten()
        self.classifier = Classifier(960, 1280, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, images: Tensor) -> Tensor:
        x = self.features(images)  # 960xceil(H/32)xceil(W/32)
        x = self.avgpool(x)  # 960x1x1
        x = self.flatten(x)  # 960
        return self.classifier(x)  # 1000


MODEL = MobileNetV3
