"""SSD300 on VGG16.

Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016.

Emitted by specc from specs/ssd300_vgg.yaml: change the spec, not this file.

    images (N, 3, 300, 300) -> loc (N, 8732, 4), conf (N, 8732, 21)
    26,285,486 parameters, 31.374 G multiply-adds, 8,732 boxes
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class L2Norm(nn.Module):
    """Scale each position's channels to length one, then each channel by a learned gain."""

    def __init__(self, num_features: int, scale: float = 1.0, eps: float = 1e-12) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.full((num_features,), float(scale)))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.normalize(x, dim=1, eps=self.eps) * self.weight[:, None, None]
        return y.to(x.dtype)


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class VGG16Reduced(nn.ModuleList):
    """VGG16 without its classifier; fc6 and fc7 are convolutions."""

    def __init__(self) -> None:
        super().__init__(
            [
                nn.Conv2d(3, 64, kernel_size=3, padding=1),  # 0: 64x300x300
                nn.ReLU(inplace=True),
                nn.Conv2d(64, 64, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=2, stride=2),  # 4: 64x150x150
                nn.Conv2d(64, 128, kernel_size=3, padding=1),  # 5: 128x150x150
                nn.ReLU(inplace=True),
                nn.Conv2d(128, 128, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=2, stride=2),  # 9: 128x75x75
                nn.Conv2d(128, 256, kernel_size=3, padding=1),  # 10: 256x75x75
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 256, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 256, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=True),  # 16: 256x38x38
                nn.Conv2d(256, 512, kernel_size=3, padding=1),  # 17: 512x38x38
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),  # 22: conv4_3, 512x38x38
                nn.MaxPool2d(kernel_size=2, stride=2),  # 23: 512x19x19
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
                nn.Conv2d(512, 1024, kernel_size=3, padding=6, dilation=6),  # 31: 1024x19x19
                nn.ReLU(inplace=True),
                nn.Conv2d(1024, 1024, kernel_size=1),
                nn.ReLU(inplace=True),  # 34: fc7, 1024x19x19
            ]
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
                nn.init.zeros_(layer.get_parameter("bias"))
        nn.init.xavier_uniform_(self.get_parameter("31.weight"))
        nn.init.xavier_uniform_(self.get_parameter("33.weight"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows = list(self)
        for row in rows[:23]:
            x = row(x)
        conv4_3 = x  # 512x38x38
        for row in rows[23:]:
            x = row(x)
        return conv4_3, x


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
    """Six more scales, down to one position."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv8_1 = ConvReLU(in_channels, 256, 1)
        self.conv8_2 = ConvReLU(256, 512, 3, stride=2, padding=1)
        self.conv9_1 = ConvReLU(512, 128, 1)
        self.conv9_2 = ConvReLU(128, 256, 3, stride=2, padding=1)
        self.conv10_1 = ConvReLU(256, 128, 1)
        self.conv10_2 = ConvReLU(128, 256, 3)
        self.conv11_1 = ConvReLU(256, 128, 1)
        self.conv11_2 = ConvReLU(128, 256, 3)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.conv8_1(x)  # 256x19x19
        conv8_2 = self.conv8_2(x)  # 512x10x10
        x = self.conv9_1(conv8_2)  # 128x10x10
        conv9_2 = self.conv9_2(x)  # 256x5x5
        x = self.conv10_1(conv9_2)  # 128x5x5
        conv10_2 = self.conv10_2(x)  # 256x3x3
        x = self.conv11_1(conv10_2)  # 128x3x3
        conv11_2 = self.conv11_2(x)  # 256x1x1
        return conv8_2, conv9_2, conv10_2, conv11_2


class Heads(nn.Module):
    """For each map, a 3x3 convolution for the boxes and one for the classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.loc = nn.ModuleList(
            [
                nn.Conv2d(512, 16, kernel_size=3, padding=1),
                nn.Conv2d(1024, 24, kernel_size=3, padding=1),
                nn.Conv2d(512, 24, kernel_size=3, padding=1),
                nn.Conv2d(256, 24, kernel_size=3, padding=1),
                nn.Conv2d(256, 16, kernel_size=3, padding=1),
                nn.Conv2d(256, 16, kernel_size=3, padding=1),
            ]
        )
        self.conf = nn.ModuleList(
            [
                nn.Conv2d(512, 4 * num_classes, kernel_size=3, padding=1),
                nn.Conv2d(1024, 6 * num_classes, kernel_size=3, padding=1),
                nn.Conv2d(512, 6 * num_classes, kernel_size=3, padding=1),
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
    """What `SSD300` returns."""

    loc: Tensor  # (N, 8732, 4)
    conf: Tensor  # (N, 8732, num_classes)


class SSD300(nn.Module):
    """SSD300 on VGG16."""

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        self.vgg = VGG16Reduced()
        self.l2norm = L2Norm(512, scale=20)
        self.extras = Extras(1024)
        self.head = Heads(num_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        conv4_3, fc7 = self.vgg(images)  # 512x38x38, 1024x19x19
        l2norm = self.l2norm(conv4_3)  # 512x38x38
        # 512x10x10, 256x5x5, 256x3x3, 256x1x1
        conv8_2, conv9_2, conv10_2, conv11_2 = self.extras(fc7)
        return [l2norm, fc7, conv8_2, conv9_2, conv10_2, conv11_2]

    def heads(self, sources: list[Tensor]) -> Outputs:
        loc, conf = self.head(sources)  # 8732x4, 8732x21
        return Outputs(loc, conf)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = SSD300

DETECTOR = {
    "format": 1,
    "name": "ssd300_vgg",
    "num_classes": 21,
    "input": {
        "size": [300, 300],
        "channels": "RGB",
        "scale": 255.0,
        "mean": [123.0, 117.0, 104.0],
        "std": [1.0, 1.0, 1.0],
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
