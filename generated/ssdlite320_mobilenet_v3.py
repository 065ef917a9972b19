"""SSDLite on MobileNetV3.

Sandler et al., MobileNetV2, CVPR 2018, section 6.2; Howard et al., Searching for MobileNetV3, ICCV
2019, section 6.3.

Emitted by specc from specs/ssdlite320_mobilenet_v3.yaml: change the spec, not this file.

    images (N, 3, 320, 320) -> loc (N, 3234, 4), conf (N, 3234, 91)
    3,440,060 parameters, 0.583 G multiply-adds, 3,234 boxes
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


def make_divisible(value: float, divisor: int) -> int:
    """Round to a multiple of `divisor`, never below 90 % of `value` (Howard et al., MobileNet)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


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
            nn.BatchNorm2d(out, eps=0.001, momentum=0.03),
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
            nn.BatchNorm2d(out, eps=0.001, momentum=0.03),
            nn.ReLU(inplace=True),
        )


class Project(nn.Sequential):
    """A convolution of single positions with its norm, and no activation."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, bias=False),
            nn.BatchNorm2d(out, eps=0.001, momentum=0.03),
        )


class BneckReLUNoExpandNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `expand` and `se`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.depthwise = ConvNormReLU(16, 16, kernel, groups=16)
        self.project = Project(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)  # 16x160x160
        y = self.project(y)  # 16x160x160
        return y + x  # 16x160x160


class BneckReLUNoSeNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `se` and `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(16, 64, 1)
        self.depthwise = ConvNormReLU(64, 64, kernel, stride=2, groups=64)
        self.project = Project(64, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 64x160x160
        x = self.depthwise(x)  # 64x80x80
        return self.project(x)  # 24x80x80


class BneckReLUNoSe(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`, without `se`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(24, 72, 1)
        self.depthwise = ConvNormReLU(72, 72, kernel, groups=72)
        self.project = Project(72, 24)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)  # 72x80x80
        y = self.depthwise(y)  # 72x80x80
        y = self.project(y)  # 24x80x80
        return y + x  # 24x80x80


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
        x = self.expand(x)  # 72x80x80
        x = self.depthwise(x)  # 72x40x40
        x = self.se(x)  # 72x40x40
        return self.project(x)  # 40x40x40


class BneckReLU(nn.Module):
    """The paper's bottleneck (figure 4), with `ReLU`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.expand = ConvNormReLU(40, 120, 1)
        self.depthwise = ConvNormReLU(120, 120, kernel, groups=120)
        self.se = SqueezeExcite(120, 32)
        self.project = Project(120, 40)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(x)  # 120x40x40
        y = self.depthwise(y)  # 120x40x40
        y = self.se(y)  # 120x40x40
        y = self.project(y)  # 40x40x40
        return y + x  # 40x40x40


class BneckHardswishNoSeNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `se` and `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(40, 240, 1)
        self.depthwise = ConvNormHardswish(240, 240, kernel, stride=2, groups=240)
        self.project = Project(240, out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 240x40x40
        x = self.depthwise(x)  # 240x20x20
        return self.project(x)  # 80x20x20


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
        y = self.project(y)  # 80x20x20
        return y + x  # 80x20x20


class BneckHardswishNoAdd(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `add`."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(80, 480, 1)
        self.depthwise = ConvNormHardswish(480, 480, kernel, groups=480)
        self.se = SqueezeExcite(480, 120)
        self.project = Project(480, 112)

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand(x)  # 480x20x20
        x = self.depthwise(x)  # 480x20x20
        x = self.se(x)  # 480x20x20
        return self.project(x)  # 112x20x20


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


class BneckHardswishNoAdd2(nn.Module):
    """The paper's bottleneck (figure 4), with `Hardswish`, without `add`."""

    def __init__(self, kernel: int, out: int) -> None:
        super().__init__()
        self.expand = ConvNormHardswish(112, 672, 1)
        self.depthwise = ConvNormHardswish(672, 672, kernel, stride=2, groups=672)
        self.se = SqueezeExcite(672, 168)
        self.project = Project(672, out)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        expand = self.expand(x)  # 672x20x20
        x = self.depthwise(expand)  # 672x10x10
        x = self.se(x)  # 672x10x10
        project = self.project(x)  # 80x10x10
        return expand, project


class Large(nn.ModuleList):
    """Table 1 of the paper, without its last two rows."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            [
                ConvNormHardswish(in_channels, 16, 3, stride=2),  # 0: 16x160x160
                BneckReLUNoExpandNoSe(3),
                BneckReLUNoSeNoAdd(3, 24),  # 2: 24x80x80
                BneckReLUNoSe(3),
                BneckReLUNoAdd(5, 40),  # 4: 40x40x40
                BneckReLU(5),
                BneckReLU(5),
                BneckHardswishNoSeNoAdd(3, 80),  # 7: 80x20x20
                BneckHardswishNoSe(3, 200),
                BneckHardswishNoSe(3, 184),
                BneckHardswishNoSe(3, 184),
                BneckHardswishNoAdd(3),  # 11: 112x20x20
                BneckHardswish(112, 3, 672, 112),
                BneckHardswishNoAdd2(5, 80),  # 13: c4, 80x10x10
                BneckHardswish(80, 5, 480, 80),
                BneckHardswish(80, 5, 480, 80),
                ConvNormHardswish(80, 480, 1),  # 16: 480x10x10
            ]
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self[0](x)  # 16x160x160
        x = self[1](x)  # 16x160x160
        x = self[2](x)  # 24x80x80
        x = self[3](x)  # 24x80x80
        x = self[4](x)  # 40x40x40
        x = self[5](x)  # 40x40x40
        x = self[6](x)  # 40x40x40
        x = self[7](x)  # 80x20x20
        x = self[8](x)  # 80x20x20
        x = self[9](x)  # 80x20x20
        x = self[10](x)  # 80x20x20
        x = self[11](x)  # 112x20x20
        x = self[12](x)  # 112x20x20
        expand, project = self[13](x)  # 672x20x20, 80x10x10
        x = self[14](project)  # 80x10x10
        x = self[15](x)  # 80x10x10
        row16 = self[16](x)  # 480x10x10
        return expand, row16


class MobileNetV3(nn.Module):
    """MobileNetV3, large and small."""

    def __init__(self) -> None:
        super().__init__()
        self.features = Large(3)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.03)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        expand, row16 = self.features(images)  # 672x20x20, 480x10x10
        return expand, row16


class ConvNorm(nn.Sequential):
    """Module `ConvNorm` of the spec."""

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
            nn.BatchNorm2d(out, eps=0.001, momentum=0.03),
            nn.ReLU6(inplace=True),
        )


class Extra(nn.Sequential):
    """Half the size, at little cost."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            ConvNorm(in_channels, out // 2, 1),
            ConvNorm(out // 2, out // 2, 3, stride=2, groups=out // 2),
            ConvNorm(out // 2, out, 1),
        )


class Extras(nn.Module):
    """Four more scales, down to one position."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.map3 = Extra(in_channels, 512)
        self.map4 = Extra(512, 256)
        self.map5 = Extra(256, 256)
        self.map6 = Extra(256, 128)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.03)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        map3 = self.map3(x)  # 512x5x5
        map4 = self.map4(map3)  # 256x3x3
        map5 = self.map5(map4)  # 256x2x2
        map6 = self.map6(map5)  # 128x1x1
        return map3, map4, map5, map6


class Predict(nn.Sequential):
    """A 3x3 convolution in two steps, depthwise and 1x1."""

    def __init__(self, c: int, out: int) -> None:
        super().__init__(
            ConvNorm(c, c, 3, groups=c),
            nn.Conv2d(c, out, kernel_size=1),
        )


class Heads(nn.Module):
    """For each map, a prediction of the boxes and one of the classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loc = nn.ModuleList(
            [
                Predict(672, 24),
                Predict(480, 24),
                Predict(512, 24),
                Predict(256, 24),
                Predict(256, 24),
                Predict(128, 24),
            ]
        )
        self.conf = nn.ModuleList(
            [
                Predict(672, 6 * num_classes),
                Predict(480, 6 * num_classes),
                Predict(512, 6 * num_classes),
                Predict(256, 6 * num_classes),
                Predict(256, 6 * num_classes),
                Predict(128, 6 * num_classes),
            ]
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.03)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        loc = [layer(x) for layer, x in zip(self.loc, maps, strict=True)]
        conf = [layer(x) for layer, x in zip(self.conf, maps, strict=True)]
        boxes = [per_box(x, 4) for x in loc]
        scores = [per_box(x, self.num_classes) for x in conf]
        all_boxes = torch.cat(boxes, dim=1)  # 3234x4
        all_scores = torch.cat(scores, dim=1)  # 3234x91
        return all_boxes, all_scores


class Outputs(NamedTuple):
    """What `SSDLite320` returns."""

    loc: Tensor  # (N, 3234, 4)
    conf: Tensor  # (N, 3234, num_classes)


class SSDLite320(nn.Module):
    """SSDLite on MobileNetV3."""

    def __init__(self, num_classes: int = 91) -> None:
        super().__init__()
        self.backbone = MobileNetV3()
        self.extras = Extras(480)
        self.head = Heads(num_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        expand, features = self.backbone(images)  # 672x20x20, 480x10x10
        map3, map4, map5, map6 = self.extras(features)  # 512x5x5, 256x3x3, 256x2x2, 128x1x1
        return [expand, features, map3, map4, map5, map6]

    def heads(self, sources: list[Tensor]) -> Outputs:
        loc, conf = self.head(sources)  # 3234x4, 3234x91
        return Outputs(loc, conf)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = SSDLite320

DETECTOR = {
    "format": 1,
    "name": "ssdlite320_mobilenet_v3",
    "num_classes": 91,
    "input": {
        "size": [320, 320],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf"},
    "maps": [[20, 20], [10, 10], [5, 5], [3, 3], [2, 2], [1, 1]],
    "anchors": {
        "kind": "DefaultBoxes",
        "sizes": [64.0, 112.0, 160.0, 208.0, 256.0, 304.0, 320.0],
        "ratios": [[2.0, 3.0], [2.0, 3.0], [2.0, 3.0], [2.0, 3.0], [2.0, 3.0], [2.0, 3.0]],
        "strides": [16.0, 32.0, 64.0, 106.66666666666667, 160.0, 320.0],
        "clip": True,
    },
    "coder": {"kind": "BoxCoder", "weights": [10.0, 10.0, 5.0, 5.0], "clamp": None},
    "match": {
        "kind": "IoUMatch",
        "foreground": 0.5,
        "background": 0.5,
        "best_for_each_object": True,
        "allow_low_quality_matches": False,
    },
    "loss": {"kind": "MultiBoxLoss", "negatives_per_positive": 3.0},
    "select": {"kind": "NMS", "score": 0.001, "per_class": 300, "iou": 0.55, "keep": 300},
}
