"""A light SSD that trains on two CPU cores.

Emitted by specc from specs/ssd_light.yaml: change the spec, not this file.

    images (N, 3, 256, 256) -> loc (N, 5440, 4), conf (N, 5440, 4)
    863,952 parameters, 0.229 G multiply-adds, 5,440 boxes
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


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


class Heads(nn.Module):
    """For each map, a 3x3 convolution for the boxes and one for the classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loc = nn.ModuleList(
            [
                nn.Conv2d(64, 16, kernel_size=3, padding=1),
                *(nn.Conv2d(128, 16, kernel_size=3, padding=1) for _ in range(3)),
            ]
        )
        self.conf = nn.ModuleList(
            [
                nn.Conv2d(64, 4 * num_classes, kernel_size=3, padding=1),
                *(nn.Conv2d(128, 4 * num_classes, kernel_size=3, padding=1) for _ in range(3)),
            ]
        )

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        loc = [layer(x) for layer, x in zip(self.loc, maps, strict=True)]
        conf = [layer(x) for layer, x in zip(self.conf, maps, strict=True)]
        boxes = [per_box(x, 4) for x in loc]
        scores = [per_box(x, self.num_classes) for x in conf]
        all_boxes = torch.cat(boxes, dim=1)  # 5440x4
        all_scores = torch.cat(scores, dim=1)  # 5440x4
        return all_boxes, all_scores


class Outputs(NamedTuple):
    """What `LightSSD` returns."""

    loc: Tensor  # (N, 5440, 4)
    conf: Tensor  # (N, 5440, num_classes)


class LightSSD(nn.Module):
    """A light SSD that trains on two CPU cores."""

    def __init__(self, num_classes: int = 4) -> None:
        super().__init__()
        self.stem = Stage(3, 16)
        self.stage2 = Stage2(16, 32)
        self.stage3 = Stage2(32, 64)
        self.stage4 = Stage2(64, 128)
        self.stage5 = Stage2(128, 128)
        self.stage6 = Stage(128, 128)
        self.head = Heads(num_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)  # 16x128x128
        x = self.stage2(x)  # 32x64x64
        stage3 = self.stage3(x)  # 64x32x32
        stage4 = self.stage4(stage3)  # 128x16x16
        stage5 = self.stage5(stage4)  # 128x8x8
        stage6 = self.stage6(stage5)  # 128x4x4
        return [stage3, stage4, stage5, stage6]

    def heads(self, sources: list[Tensor]) -> Outputs:
        loc, conf = self.head(sources)  # 5440x4, 5440x4
        return Outputs(loc, conf)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = LightSSD

DETECTOR = {
    "format": 1,
    "name": "ssd_light",
    "num_classes": 4,
    "input": {
        "size": [256, 256],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf"},
    "maps": [[32, 32], [16, 16], [8, 8], [4, 4]],
    "anchors": {
        "kind": "DefaultBoxes",
        "sizes": [16.0, 36.0, 72.0, 140.0, 230.0],
        "ratios": [[2.0], [2.0], [2.0], [2.0]],
        "strides": [8.0, 16.0, 32.0, 64.0],
        "clip": False,
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
    "select": {"kind": "NMS", "score": 0.01, "per_class": 200, "iou": 0.45, "keep": 100},
}
