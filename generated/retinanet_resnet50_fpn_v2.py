"""RetinaNet on ResNet-50 with a feature pyramid, P3 to P7.

Lin et al., Focal Loss for Dense Object Detection, ICCV 2017; v2 is torchvision's, with GroupNorm in
the heads.

Emitted by specc from specs/retinanet_resnet50_fpn.yaml: change the spec, not this file.

    images (N, 3, 800, 800) -> loc (N, 120087, 4), conf (N, 120087, 91)
    38,198,935 parameters, 152.238 G multiply-adds, 120,087 boxes
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class Projection(nn.Sequential):
    """The shortcut where size or width change."""

    def __init__(self, in_channels: int, out: int, eps: float, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(out, eps=eps),
        )
        nn.init.kaiming_normal_(self.get_parameter("0.weight"), mode="fan_out")


class Bottleneck(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut."""

    def __init__(self, cin: int, width: int, eps: float, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out")
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, width * 4, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv3.weight, mode="fan_out")
        self.bn3 = nn.BatchNorm2d(width * 4, eps=eps)
        self.downsample = Projection(cin, width * 4, eps, stride)
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        y = self.relu2(y)
        y = self.conv3(y)
        bn3 = self.bn3(y)
        y = self.downsample(x)
        y = bn3 + y
        return self.relu3(y)


class BottleneckNoDownsample(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut, without `downsample`."""

    def __init__(self, cin: int, width: int, eps: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out")
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, width * 4, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv3.weight, mode="fan_out")
        self.bn3 = nn.BatchNorm2d(width * 4, eps=eps)
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        y = self.relu2(y)
        y = self.conv3(y)
        y = self.bn3(y)
        y = y + x
        return self.relu3(y)


class ResNet(nn.Module):
    """ResNet, with C2 to C5 at layer1 to layer4."""

    def __init__(self, eps: float = 1e-05) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(64, eps=eps)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            Bottleneck(64, 64, eps),
            BottleneckNoDownsample(256, 64, eps),
            BottleneckNoDownsample(256, 64, eps),
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, eps, stride=2),
            *(BottleneckNoDownsample(512, 128, eps) for _ in range(3)),
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256, eps, stride=2),
            *(BottleneckNoDownsample(1024, 256, eps) for _ in range(5)),
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, eps, stride=2),
            BottleneckNoDownsample(2048, 512, eps),
            BottleneckNoDownsample(2048, 512, eps),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.conv1(images)  # 64x400x400
        x = self.bn1(x)  # 64x400x400
        x = self.relu(x)  # 64x400x400
        x = self.maxpool(x)  # 64x200x200
        x = self.layer1(x)  # 256x200x200
        layer2 = self.layer2(x)  # 512x100x100
        layer3 = self.layer3(layer2)  # 1024x50x50
        layer4 = self.layer4(layer3)  # 2048x25x25
        return layer2, layer3, layer4


class TopDown(nn.Module):
    """Add the coarser map, brought to this one's size. What is added is not smoothed yet."""

    def forward(self, lateral: Tensor, coarser: Tensor) -> Tensor:
        x = functional.interpolate(coarser, size=lateral.shape[-2:], mode="nearest")
        return lateral + x


class FPN(nn.Module):
    """Maps of one width; what a map lacks in context comes from the next coarser one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            [
                nn.Conv2d(512, width, kernel_size=1),
                nn.Conv2d(1024, width, kernel_size=1),
                nn.Conv2d(2048, width, kernel_size=1),
            ]
        )
        for layer in self.lateral:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))
        self.merged = nn.ModuleList([TopDown(), TopDown()])
        self.smooth = nn.ModuleList(
            nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in range(3)
        )
        for layer in self.smooth:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        lateral = [layer(x) for layer, x in zip(self.lateral, maps, strict=True)]
        merged0 = self.merged[0](lateral[1], lateral[2])  # 256x50x50
        merged1 = self.merged[1](lateral[0], merged0)  # 256x100x100
        return [
            layer(x) for layer, x in zip(self.smooth, [merged1, merged0, lateral[2]], strict=True)
        ]


class ConvNormReLU(nn.Sequential):
    """Module `ConvNormReLU` of the spec."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, 256, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(32, 256),
            nn.ReLU(inplace=True),
        )
        nn.init.normal_(self.get_parameter("0.weight"), std=0.01)


class Tower(nn.Module):
    """Some layers and a prediction, which begins at `bias`."""

    def __init__(self, in_channels: int, out: int, bias: float) -> None:
        super().__init__()
        self.conv = nn.Sequential(ConvNormReLU(in_channels), *(ConvNormReLU(256) for _ in range(3)))
        self.predict = nn.Conv2d(256, out, kernel_size=3, padding=1)
        nn.init.normal_(self.predict.weight, std=0.01)
        nn.init.constant_(self.predict.get_parameter("bias"), bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.predict(x)


class Head(nn.Module):
    """The same layers on every map; numbers for each anchor of each cell."""

    def __init__(self, columns: int, anchors: int, bias: float) -> None:
        super().__init__()
        self.columns = columns
        self.tower = Tower(256, columns * anchors, bias)

    def forward(self, maps: list[Tensor]) -> Tensor:
        tower = [self.tower(x) for x in maps]
        each = [per_box(x, self.columns) for x in tower]
        return torch.cat(each, dim=1)


class Outputs(NamedTuple):
    """What `RetinaNet` returns."""

    loc: Tensor  # (N, 120087, 4)
    conf: Tensor  # (N, 120087, num_classes)


class RetinaNet(nn.Module):
    """RetinaNet on ResNet-50 with a feature pyramid, P3 to P7."""

    def __init__(self, num_classes: int = 91, prior: float = 0.01) -> None:
        super().__init__()
        self.body = ResNet()
        self.fpn = FPN(256)
        self.p6 = nn.Conv2d(2048, 256, kernel_size=3, stride=2, padding=1)
        nn.init.kaiming_uniform_(self.p6.weight, a=1)
        nn.init.zeros_(self.p6.get_parameter("bias"))
        self.p6_relu = nn.ReLU()
        self.p7 = nn.Conv2d(256, 256, kernel_size=3, stride=2, padding=1)
        nn.init.kaiming_uniform_(self.p7.weight, a=1)
        nn.init.zeros_(self.p7.get_parameter("bias"))
        self.classification = Head(num_classes, 9, -math.log((1 - prior) / prior))
        self.regression = Head(4, 9, 0.0)

    def features(self, images: Tensor) -> list[Tensor]:
        layer2, layer3, layer4 = self.body(images)  # 512x100x100, 1024x50x50, 2048x25x25
        fpn = self.fpn([layer2, layer3, layer4])  # 256x100x100, 256x50x50, 256x25x25
        p6 = self.p6(layer4)  # 256x13x13
        x = self.p6_relu(p6)  # 256x13x13
        p7 = self.p7(x)  # 256x7x7
        return [*fpn, p6, p7]

    def heads(self, pyramid: list[Tensor]) -> Outputs:
        classification = self.classification(pyramid)  # 120087x91
        regression = self.regression(pyramid)  # 120087x4
        return Outputs(regression, classification)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = RetinaNet

DETECTOR = {
    "format": 1,
    "name": "retinanet_resnet50_fpn",
    "num_classes": 91,
    "input": {
        "size": [800, 800],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf"},
    "maps": [[100, 100], [50, 50], [25, 25], [13, 13], [7, 7]],
    "anchors": {
        "kind": "AnchorGrid",
        "sizes": [
            [32.0, 40.0, 50.0],
            [64.0, 80.0, 101.0],
            [128.0, 161.0, 203.0],
            [256.0, 322.0, 406.0],
            [512.0, 645.0, 812.0],
        ],
        "ratios": [0.5, 1.0, 2.0],
    },
    "coder": {"kind": "BoxCoder", "weights": [1.0, 1.0, 1.0, 1.0], "clamp": 4.135166556742356},
    "match": {
        "kind": "IoUMatch",
        "foreground": 0.5,
        "background": 0.4,
        "best_for_each_object": False,
        "allow_low_quality_matches": True,
    },
    "loss": {"kind": "FocalLoss", "alpha": 0.25, "gamma": 2.0, "boxes": "giou"},
    "select": {"kind": "LevelNMS", "score": 0.05, "per_map": 1000, "iou": 0.5, "keep": 300},
}
