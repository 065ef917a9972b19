"""EfficientDet, P3 to P7 of EfficientNet fused by BiFPN.

Tan, Pang and Le, EfficientDet: Scalable and Efficient Object Detection, CVPR 2020, table 1.

Emitted by specc from specs/efficientdet.yaml: change the spec, not this file.

    images (N, 3, 1536, 1536) -> loc (N, 442260, 4), conf (N, 442260, 90)
    77,147,166 parameters, 407.628 G multiply-adds, 442,260 boxes
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


class MaxPool2dSame(nn.Module):
    """Max pool padded as TensorFlow's SAME, with -inf, from the size that arrives."""

    def __init__(
        self,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel_size, self.stride
        dilation_h, dilation_w = self.dilation
        rows = same_padding(x.shape[2], kernel_h, stride_h, dilation_h)
        columns = same_padding(x.shape[3], kernel_w, stride_w, dilation_w)
        x = functional.pad(x, columns + rows, value=float("-inf"))
        return functional.max_pool2d(x, self.kernel_size, self.stride, dilation=self.dilation)


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
        self.depthwise = Spatial(64, 64, kernel, groups=64)
        self.se = SqueezeExcite(64, 16)
        self.project = Project(64, 32)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)  # 64x768x768
        x = self.se(x)  # 64x768x768
        return self.project(x)  # 32x768x768


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
        self.depthwise = Spatial(32, 32, kernel, groups=32)
        self.se = SqueezeExcite(32, 8)
        self.project = Project(32, 32)
        self.shortcut = Shortcut(drop)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x)  # 32x768x768
        y = self.se(y)  # 32x768x768
        y = self.project(y)  # 32x768x768
        return self.shortcut(y, x)  # 32x768x768


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
        self.stem = Spatial(3, 64, 3, stride=2)
        self.stage1 = nn.Sequential(
            MBConvNoExpandNoShortcut(3),
            *(MBConvNoExpand(3, drop_connect * i / 55) for i in range(1, 4)),
        )
        self.stage2 = nn.Sequential(
            MBConvNoShortcut(32, 48, 3, stride=2),
            *(MBConv(48, 48, 3, drop_connect * (4 + i) / 55) for i in range(1, 7)),
        )
        self.stage3 = nn.Sequential(
            MBConvNoShortcut(48, 80, 5, stride=2),
            *(MBConv(80, 80, 5, drop_connect * (11 + i) / 55) for i in range(1, 7)),
        )
        self.stage4 = nn.Sequential(
            MBConvNoShortcut(80, 160, 3, stride=2),
            *(MBConv(160, 160, 3, drop_connect * (18 + i) / 55) for i in range(1, 10)),
        )
        self.stage5 = nn.Sequential(
            MBConvNoShortcut(160, 224, 5),
            *(MBConv(224, 224, 5, drop_connect * (28 + i) / 55) for i in range(1, 10)),
        )
        self.stage6 = nn.Sequential(
            MBConvNoShortcut(224, 384, 5, stride=2),
            *(MBConv(384, 384, 5, drop_connect * (38 + i) / 55) for i in range(1, 13)),
        )
        self.stage7 = nn.Sequential(
            MBConvNoShortcut(384, 640, 3),
            *(MBConv(640, 640, 3, drop_connect * (51 + i) / 55) for i in range(1, 4)),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(images)  # 64x768x768
        x = self.stage1(x)  # 32x768x768
        x = self.stage2(x)  # 48x384x384
        stage3 = self.stage3(x)  # 80x192x192
        x = self.stage4(stage3)  # 160x96x96
        stage5 = self.stage5(x)  # 224x96x96
        x = self.stage6(stage5)  # 384x48x48
        stage7 = self.stage7(x)  # 640x48x48
        return stage3, stage5, stage7


class Lateral(nn.Module):
    """Another width, without an activation."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, kernel_size=1)
        nn.init.xavier_uniform_(self.conv.weight)
        nn.init.zeros_(self.conv.get_parameter("bias"))
        self.norm = nn.BatchNorm2d(width, eps=0.001, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.norm(x)


class Node(nn.Module):
    """An activation, a convolution of each channel and one of single positions, and a norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.silu = nn.SiLU(inplace=True)
        self.depthwise = Conv2dSame(width, width, kernel_size=3, groups=width, bias=False)
        nn.init.kaiming_uniform_(self.depthwise.weight, nonlinearity="linear")
        self.pointwise = nn.Conv2d(width, width, kernel_size=1)
        nn.init.kaiming_uniform_(self.pointwise.weight, nonlinearity="linear")
        nn.init.zeros_(self.pointwise.get_parameter("bias"))
        self.norm = nn.BatchNorm2d(width, eps=0.001, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = self.silu(x)
        x = self.depthwise(x)
        x = self.pointwise(x)
        return self.norm(x)


class DownNoLateral(nn.Module):
    """A level's own map and the coarser one, enlarged, without `lateral`."""

    def __init__(self) -> None:
        super().__init__()
        self.node = Node(384)

    def forward(self, own: Tensor, coarser: Tensor) -> Tensor:
        x = functional.interpolate(coarser, size=own.shape[-2:], mode="nearest")
        x = own + x
        return self.node(x)


class Down(nn.Module):
    """A level's own map and the coarser one, enlarged."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.lateral = Lateral(c, 384)
        self.node = Node(384)

    def forward(self, own: Tensor, coarser: Tensor) -> Tensor:
        lateral = self.lateral(own)
        x = functional.interpolate(coarser, size=lateral.shape[-2:], mode="nearest")
        x = lateral + x
        return self.node(x)


class Up(nn.Module):
    """A level's own map, that of the way down, and the finer one, shrunk."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.lateral = Lateral(c, 384)
        self.smaller = MaxPool2dSame(kernel_size=(3, 3), stride=(2, 2))
        self.node = Node(384)

    def forward(self, own: Tensor, middle: Tensor, finer: Tensor) -> Tensor:
        lateral = self.lateral(own)
        x = self.smaller(finer)
        x = lateral + middle + x
        return self.node(x)


class UpNoLateral(nn.Module):
    """A level's own map, that of the way down, and the finer one, shrunk, without `lateral`."""

    def __init__(self) -> None:
        super().__init__()
        self.smaller = MaxPool2dSame(kernel_size=(3, 3), stride=(2, 2))
        self.node = Node(384)

    def forward(self, own: Tensor, middle: Tensor, finer: Tensor) -> Tensor:
        x = self.smaller(finer)
        x = own + middle + x
        return self.node(x)


class Top(nn.Module):
    """The coarsest map and the finer one, shrunk."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.smaller = MaxPool2dSame(kernel_size=(3, 3), stride=(2, 2))
        self.node = Node(width)

    def forward(self, own: Tensor, finer: Tensor) -> Tensor:
        x = self.smaller(finer)  # 384x6x6
        x = own + x  # 384x6x6
        return self.node(x)  # 384x6x6


class BiFPN(nn.Module):
    """Down the levels, then up again (figure 2d)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [DownNoLateral(), DownNoLateral(), Down(640), Down(224), Down(80)]
        )
        self.up = nn.ModuleList([Up(224), Up(640), UpNoLateral(), UpNoLateral()])
        self.top = Top(384)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        down0 = self.down[0](maps[4], maps[5])  # 384x12x12
        down1 = self.down[1](maps[3], down0)  # 384x24x24
        down2 = self.down[2](maps[2], down1)  # 384x48x48
        down3 = self.down[3](maps[1], down2)  # 384x96x96
        down4 = self.down[4](maps[0], down3)  # 384x192x192
        up0 = self.up[0](maps[1], down3, down4)  # 384x96x96
        up1 = self.up[1](maps[2], down2, up0)  # 384x48x48
        up2 = self.up[2](maps[3], down1, up1)  # 384x24x24
        up3 = self.up[3](maps[4], down0, up2)  # 384x12x12
        top = self.top(maps[5], up3)  # 384x6x6
        return [down4, up0, up1, up2, up3, top]


class BiFPN2(nn.Module):
    """Down the levels, then up again (figure 2d), with another `down` and `up`."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(DownNoLateral() for _ in range(5))
        self.up = nn.ModuleList(UpNoLateral() for _ in range(4))
        self.top = Top(384)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        down0 = self.down[0](maps[4], maps[5])  # 384x12x12
        down1 = self.down[1](maps[3], down0)  # 384x24x24
        down2 = self.down[2](maps[2], down1)  # 384x48x48
        down3 = self.down[3](maps[1], down2)  # 384x96x96
        down4 = self.down[4](maps[0], down3)  # 384x192x192
        up0 = self.up[0](maps[1], down3, down4)  # 384x96x96
        up1 = self.up[1](maps[2], down2, up0)  # 384x48x48
        up2 = self.up[2](maps[3], down1, up1)  # 384x24x24
        up3 = self.up[3](maps[4], down0, up2)  # 384x12x12
        top = self.top(maps[5], up3)  # 384x6x6
        return [down4, up0, up1, up2, up3, top]


class Separable(nn.Module):
    """A convolution of each channel, and one of single positions, which begins at `bias`."""

    def __init__(self, c: int, out: int, bias: float = 0.0) -> None:
        super().__init__()
        self.depthwise = Conv2dSame(c, c, kernel_size=3, groups=c, bias=False)
        nn.init.kaiming_normal_(self.depthwise.weight, nonlinearity="linear")
        self.pointwise = nn.Conv2d(c, out, kernel_size=1)
        nn.init.kaiming_normal_(self.pointwise.weight, nonlinearity="linear")
        nn.init.constant_(self.pointwise.get_parameter("bias"), bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        return self.pointwise(x)


class Round(nn.Module):
    """A convolution that the levels share, and a norm for each level."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Separable(384, 384)
        self.norm = nn.ModuleList(nn.BatchNorm2d(384, eps=0.001, momentum=0.01) for _ in range(6))
        self.silu = nn.SiLU(inplace=True)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        conv = [self.conv(x) for x in maps]
        norm = [layer(x) for layer, x in zip(self.norm, conv, strict=True)]
        return [self.silu(x) for x in norm]


class Head(nn.Module):
    """The same layers on every level, and numbers for each anchor of each cell."""

    def __init__(self, columns: int, anchors: int, bias: float) -> None:
        super().__init__()
        self.columns = columns
        self.tower = nn.Sequential(*(Round() for _ in range(5)))
        self.predict = Separable(384, columns * anchors, bias=bias)

    def forward(self, maps: list[Tensor]) -> Tensor:
        tower = self.tower(maps)  # 384x192x192, 384x96x96, 384x48x48, 384x24x24, 384x12x12, 384x6x6
        predict = [self.predict(level) for level in tower]
        each = [per_box(level, self.columns) for level in predict]
        return torch.cat(each, dim=1)


class Outputs(NamedTuple):
    """What `EfficientDet` returns."""

    loc: Tensor  # (N, 442260, 4)
    conf: Tensor  # (N, 442260, num_classes)


class EfficientDet(nn.Module):
    """EfficientDet, P3 to P7 of EfficientNet fused by BiFPN."""

    def __init__(self, num_classes: int = 90, prior: float = 0.01) -> None:
        super().__init__()
        self.backbone = EfficientNet()
        self.resized = Lateral(640, 384)
        self.coarser = MaxPool2dSame(kernel_size=(3, 3), stride=(2, 2))
        self.bifpn = nn.Sequential(BiFPN(), *(BiFPN2() for _ in range(7)))
        self.classification = Head(num_classes, 9, -math.log((1 - prior) / prior))
        self.regression = Head(4, 9, 0.0)

    def features(self, images: Tensor) -> list[Tensor]:
        stage3, stage5, stage7 = self.backbone(images)  # 80x192x192, 224x96x96, 640x48x48
        resized = self.resized(stage7)  # 384x48x48
        coarser0 = self.coarser(resized)  # 384x24x24
        coarser1 = self.coarser(coarser0)  # 384x12x12
        coarser2 = self.coarser(coarser1)  # 384x6x6
        levels = [stage3, stage5, stage7, coarser0, coarser1, coarser2]
        # 384x192x192, 384x96x96, 384x48x48, 384x24x24, 384x12x12, 384x6x6
        return self.bifpn(levels)

    def heads(self, bifpn: list[Tensor]) -> Outputs:
        classification = self.classification(bifpn)  # 442260x90
        regression = self.regression(bifpn)  # 442260x4
        return Outputs(regression, classification)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = EfficientDet

DETECTOR = {
    "format": 1,
    "name": "efficientdet",
    "num_classes": 90,
    "input": {
        "size": [1536, 1536],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf"},
    "maps": [[192, 192], [96, 96], [48, 48], [24, 24], [12, 12], [6, 6]],
    "anchors": {
        "kind": "CellAnchors",
        "scales": [4.0, 5.039684199579493, 6.3496042078727974],
        "aspects": [[1.0, 1.0], [1.4, 0.7], [0.7, 1.4]],
        "strides": [8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
    },
    "coder": {"kind": "BoxCoder", "weights": [1.0, 1.0, 1.0, 1.0], "clamp": None},
    "match": {
        "kind": "IoUMatch",
        "foreground": 0.5,
        "background": 0.5,
        "best_for_each_object": True,
        "allow_low_quality_matches": False,
    },
    "loss": {
        "kind": "EfficientDetLoss",
        "alpha": 0.25,
        "gamma": 1.5,
        "delta": 0.1,
        "box_weight": 50.0,
    },
    "select": {"kind": "TopNMS", "score": 0.0, "best": 5000, "iou": 0.5, "keep": 100},
}
