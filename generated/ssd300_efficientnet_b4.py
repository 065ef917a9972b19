"""SSD300 on EfficientNet-B4.

Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016; Tan and Le, EfficientNet, ICML 2019.

Emitted by specc from specs/ssd300_efficientnet_b4.yaml: change the spec, not this file.

    images (N, 3, 300, 300) -> loc (N, 8732, 4), conf (N, 8732, 21)
    19,429,334 parameters, 3.020 G multiply-adds, 8,732 boxes
"""

import math
from typing import NamedTuple

import torch
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


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


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
        x = self.depthwise(x)  # 48x150x150
        x = self.se(x)  # 48x150x150
        return self.project(x)  # 24x150x150


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
        y = self.depthwise(x)  # 24x150x150
        y = self.se(y)  # 24x150x150
        y = self.project(y)  # 24x150x150
        return self.shortcut(y, x)  # 24x150x150


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


class EfficientNet(nn.Module):
    """EfficientNet, with P1 to P5 at stage1, stage2, stage3, stage5 and stage7."""

    def __init__(self, drop_connect: float = 0.2) -> None:
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

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(images)  # 48x150x150
        x = self.stage1(x)  # 24x150x150
        x = self.stage2(x)  # 32x75x75
        stage3 = self.stage3(x)  # 56x38x38
        x = self.stage4(stage3)  # 112x19x19
        stage5 = self.stage5(x)  # 160x19x19
        x = self.stage6(stage5)  # 272x10x10
        stage7 = self.stage7(x)  # 448x10x10
        return stage3, stage5, stage7


class BlockOutputs(nn.Module):
    """P3 to P5 where the blocks of a size end, as in EfficientDet."""

    def __init__(self) -> None:
        super().__init__()
        self.b4 = EfficientNet()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stage3, stage5, stage7 = self.b4(x)  # 56x38x38, 160x19x19, 448x10x10
        return stage3, stage5, stage7


class ConvReLU(nn.Sequential):
    """Module `ConvReLU` of the spec."""

    def __init__(
        self, in_channels: int, out: int, kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=kernel, stride=stride, padding=padding),
            nn.ReLU(inplace=True),
        )


class Extras(nn.Module):
    """Three more scales, down to one position; SSD300's last six rows."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv9_1 = ConvReLU(in_channels, 128, 1)
        self.conv9_2 = ConvReLU(128, 256, 3, stride=2, padding=1)
        self.conv10_1 = ConvReLU(256, 128, 1)
        self.conv10_2 = ConvReLU(128, 256, 3)
        self.conv11_1 = ConvReLU(256, 128, 1)
        self.conv11_2 = ConvReLU(128, 256, 3)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.conv9_1(x)  # 128x10x10
        conv9_2 = self.conv9_2(x)  # 256x5x5
        x = self.conv10_1(conv9_2)  # 128x5x5
        conv10_2 = self.conv10_2(x)  # 256x3x3
        x = self.conv11_1(conv10_2)  # 128x3x3
        conv11_2 = self.conv11_2(x)  # 256x1x1
        return conv9_2, conv10_2, conv11_2


class Heads(nn.Module):
    """For each map, a 3x3 convolution for the boxes and one for the classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loc = nn.ModuleList(
            [
                nn.Conv2d(56, 16, kernel_size=3, padding=1),
                nn.Conv2d(160, 24, kernel_size=3, padding=1),
                nn.Conv2d(448, 24, kernel_size=3, padding=1),
                nn.Conv2d(256, 24, kernel_size=3, padding=1),
                nn.Conv2d(256, 16, kernel_size=3, padding=1),
                nn.Conv2d(256, 16, kernel_size=3, padding=1),
            ]
        )
        self.conf = nn.ModuleList(
            [
                nn.Conv2d(56, 4 * num_classes, kernel_size=3, padding=1),
                nn.Conv2d(160, 6 * num_classes, kernel_size=3, padding=1),
                nn.Conv2d(448, 6 * num_classes, kernel_size=3, padding=1),
                nn.Conv2d(256, 6 * num_classes, kernel_size=3, padding=1),
                nn.Conv2d(256, 4 * num_classes, kernel_size=3, padding=1),
                nn.Conv2d(256, 4 * num_classes, kernel_size=3, padding=1),
            ]
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        loc = [layer(x) for layer, x in zip(self.loc, maps, strict=True)]
        conf = [layer(x) for layer, x in zip(self.conf, maps, strict=True)]
        boxes = [per_box(x, 4) for x in loc]
        scores = [per_box(x, self.num_classes) for x in conf]
        all_boxes = torch.cat(boxes, dim=1)  # 8732x4
        all_scores = torch.cat(scores, dim=1)  # 8732x21
        return all_boxes, all_scores


class Outputs(NamedTuple):
    """What `SSD300EfficientNetB4` returns."""

    loc: Tensor  # (N, 8732, 4)
    conf: Tensor  # (N, 8732, num_classes)


class SSD300EfficientNetB4(nn.Module):
    """SSD300 on EfficientNet-B4."""

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        self.backbone = BlockOutputs()
        self.extras = Extras(448)
        self.head = Heads(num_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        stage3, stage5, b4 = self.backbone(images)  # 56x38x38, 160x19x19, 448x10x10
        conv9_2, conv10_2, conv11_2 = self.extras(b4)  # 256x5x5, 256x3x3, 256x1x1
        return [stage3, stage5, b4, conv9_2, conv10_2, conv11_2]

    def heads(self, sources: list[Tensor]) -> Outputs:
        loc, conf = self.head(sources)  # 8732x4, 8732x21
        return Outputs(loc, conf)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = SSD300EfficientNetB4

DETECTOR = {
    "format": 1,
    "name": "ssd300_efficientnet_b4",
    "num_classes": 21,
    "input": {
        "size": [300, 300],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf"},
    "maps": [[38, 38], [19, 19], [10, 10], [5, 5], [3, 3], [1, 1]],
    "anchors": {
        "kind": "DefaultBoxes",
        "sizes": [30.0, 60.0, 111.0, 162.0, 213.0, 264.0, 315.0],
        "ratios": [[2.0], [2.0, 3.0], [2.0, 3.0], [2.0, 3.0], [2.0], [2.0]],
        "strides": [8.0, 16.0, 32.0, 64.0, 100.0, 300.0],
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
    "select": {"kind": "NMS", "score": 0.01, "per_class": 400, "iou": 0.45, "keep": 200},
}
