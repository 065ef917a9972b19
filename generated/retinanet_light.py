"""A light RetinaNet that trains on two CPU cores.

The backbone is that of ssd_light; Lin et al., Focal Loss for Dense Object Detection, ICCV 2017;
GroupNorm in the heads as in torchvision's v2.

Emitted by specc from specs/retinanet_light.yaml: change the spec, not this file.

    images (N, 3, 192, 192) -> loc (N, 6885, 4), conf (N, 6885, 3)
    1,095,759 parameters, 0.284 G multiply-adds, 6,885 boxes
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class ConvNormReLU(nn.Sequential):
    """Module `ConvNormReLU` of the spec."""

    def __init__(self, in_channels: int, out: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )


class Stage(nn.Module):
    """Halve the map, then look again."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(ConvNormReLU(in_channels, out, stride=2))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Stage2(nn.Module):
    """Halve the map, then look again, with another `conv`."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(ConvNormReLU(in_channels, out, stride=2), ConvNormReLU(out, out))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


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
                nn.Conv2d(64, width, kernel_size=1),
                *(nn.Conv2d(128, width, kernel_size=1) for _ in range(3)),
            ]
        )
        for layer in self.lateral:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))
        self.merged = nn.ModuleList(TopDown() for _ in range(3))
        self.smooth = nn.ModuleList(
            nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in range(4)
        )
        for layer in self.smooth:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        lateral = [layer(x) for layer, x in zip(self.lateral, maps, strict=True)]
        merged0 = self.merged[0](lateral[2], lateral[3])  # 64x6x6
        merged1 = self.merged[1](lateral[1], merged0)  # 64x12x12
        merged2 = self.merged[2](lateral[0], merged1)  # 64x24x24
        return [
            layer(x)
            for layer, x in zip(self.smooth, [merged2, merged1, merged0, lateral[3]], strict=True)
        ]


class Layer2(nn.Sequential):
    """Module `Layer` of the spec."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, 64, kernel_size=3, padding=1, bias=False),
            nn.GroupNorm(8, 64),
            nn.ReLU(inplace=True),
        )


class Tower(nn.Module):
    """Some layers and a prediction, which begins at `bias`."""

    def __init__(self, in_channels: int, out: int, bias: float) -> None:
        super().__init__()
        self.conv = nn.Sequential(Layer2(in_channels), Layer2(64))
        self.predict = nn.Conv2d(64, out, kernel_size=3, padding=1)
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
        self.tower = Tower(64, columns * anchors, bias)

    def forward(self, maps: list[Tensor]) -> Tensor:
        tower = [self.tower(x) for x in maps]
        each = [per_box(x, self.columns) for x in tower]
        return torch.cat(each, dim=1)


class Outputs(NamedTuple):
    """What `LightRetinaNet` returns."""

    loc: Tensor  # (N, 6885, 4)
    conf: Tensor  # (N, 6885, num_classes)


class LightRetinaNet(nn.Module):
    """A light RetinaNet that trains on two CPU cores."""

    def __init__(self, num_classes: int = 3, prior: float = 0.01) -> None:
        super().__init__()
        self.stem = Stage(3, 16)
        self.stage2 = Stage2(16, 32)
        self.stage3 = Stage2(32, 64)
        self.stage4 = Stage2(64, 128)
        self.stage5 = Stage2(128, 128)
        self.stage6 = Stage(128, 128)
        self.fpn = FPN(64)
        self.classification = Head(num_classes, 9, -math.log((1 - prior) / prior))
        self.regression = Head(4, 9, 0.0)

    def features(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)  # 16x96x96
        x = self.stage2(x)  # 32x48x48
        stage3 = self.stage3(x)  # 64x24x24
        stage4 = self.stage4(stage3)  # 128x12x12
        stage5 = self.stage5(stage4)  # 128x6x6
        x = self.stage6(stage5)  # 128x3x3
        return self.fpn([stage3, stage4, stage5, x])  # 64x24x24, 64x12x12, 64x6x6, 64x3x3

    def heads(self, fpn: list[Tensor]) -> Outputs:
        classification = self.classification(fpn)  # 6885x3
        regression = self.regression(fpn)  # 6885x4
        return Outputs(regression, classification)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = LightRetinaNet

DETECTOR = {
    "format": 1,
    "name": "retinanet_light",
    "num_classes": 3,
    "input": {
        "size": [192, 192],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf"},
    "maps": [[24, 24], [12, 12], [6, 6], [3, 3]],
    "anchors": {
        "kind": "AnchorGrid",
        "sizes": [[12.0, 15.0, 19.0], [24.0, 30.0, 38.0], [48.0, 60.0, 76.0], [96.0, 121.0, 152.0]],
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
    "loss": {"kind": "FocalLoss", "alpha": 0.25, "gamma": 2.0, "boxes": "smooth_l1"},
    "select": {"kind": "LevelNMS", "score": 0.05, "per_map": 1000, "iou": 0.5, "keep": 300},
}
