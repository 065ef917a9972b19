"""SSD512 on VGG16.

Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016.

Emitted by specc from specs/ssd512_vgg.yaml: change the spec, not this file.

    images (N, 3, 512, 512) -> loc (N, 24564, 4), conf (N, 24564, 21)
    27,188,676 parameters, 90.208 G multiply-adds, 24,564 boxes
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
                nn.Conv2d(3, 64, kernel_size=3, padding=1),  # 0: 64x512x512
                nn.ReLU(inplace=True),
                nn.Conv2d(64, 64, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=2, stride=2),  # 4: 64x256x256
                nn.Conv2d(64, 128, kernel_size=3, padding=1),  # 5: 128x256x256
                nn.ReLU(inplace=True),
                nn.Conv2d(128, 128, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=2, stride=2),  # 9: 128x128x128
                nn.Conv2d(128, 256, kernel_size=3, padding=1),  # 10: 256x128x128
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 256, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(256, 256, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=True),  # 16: 256x64x64
                nn.Conv2d(256, 512, kernel_size=3, padding=1),  # 17: 512x64x64
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),  # 22: conv4_3, 512x64x64
                nn.MaxPool2d(kernel_size=2, stride=2),  # 23: 512x32x32
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(512, 512, kernel_size=3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
                nn.Conv2d(512, 1024, kernel_size=3, padding=6, dilation=6),  # 31: 1024x32x32
                nn.ReLU(inplace=True),
                nn.Conv2d(1024, 1024, kernel_size=1),
                nn.ReLU(inplace=True),  # 34: fc7, 1024x32x32
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
        conv4_3 = x  # 512x64x64
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
    """Seven more scales; Caffe's model calls these rows conv6_1 to conv10_2."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv8_1 = ConvReLU(in_channels, 256, 1)
        self.conv8_2 = ConvReLU(256, 512, 3, stride=2, padding=1)
        self.conv9_1 = ConvReLU(512, 128, 1)
        self.conv9_2 = ConvReLU(128, 256, 3, stride=2, padding=1)
        self.conv10_1 = ConvReLU(256, 128, 1)
        self.conv10_2 = ConvReLU(128, 256, 3, stride=2, padding=1)
        self.conv11_1 = ConvReLU(256, 128, 1)
        self.conv11_2 = ConvReLU(128, 256, 3, stride=2, padding=1)
        self.conv12_1 = ConvReLU(256, 128, 1)
        self.conv12_2 = ConvReLU(128, 256, 4, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        x = self.conv8_1(x)  # 256x32x32
        conv8_2 = self.conv8_2(x)  # 512x16x16
        x = self.conv9_1(conv8_2)  # 128x16x16
        conv9_2 = self.conv9_2(x)  # 256x8x8
        x = self.conv10_1(conv9_2)  # 128x8x8
        conv10_2 = self.conv10_2(x)  # 256x4x4
        x = self.conv11_1(conv10_2)  # 128x4x4
        conv11_2 = self.conv11_2(x)  # 256x2x2
        x = self.conv12_1(conv11_2)  # 128x2x2
        conv12_2 = self.conv12_2(x)  # 256x1x1
        return conv8_2, conv9_2, conv10_2, conv11_2, conv12_2


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
        all_boxes = torch.cat(boxes, dim=1)  # 24564x4
        all_scores = torch.cat(scores, dim=1)  # 24564x21
        return all_boxes, all_scores


class Outputs(NamedTuple):
    """What `SSD512` returns."""

    loc: Tensor  # (N, 24564, 4)
    conf: Tensor  # (N, 24564, num_classes)


class SSD512(nn.Module):
    """SSD512 on VGG16."""

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        self.vgg = VGG16Reduced()
        self.l2norm = L2Norm(512, scale=20)
        self.extras = Extras(1024)
        self.head = Heads(num_classes)

    def features(self, images: Tensor) -> list[Tensor]:
        conv4_3, fc7 = self.vgg(images)  # 512x64x64, 1024x32x32
        l2norm = self.l2norm(conv4_3)  # 512x64x64
        # 512x16x16, 256x8x8, 256x4x4, 256x2x2, 256x1x1
        conv8_2, conv9_2, conv10_2, conv11_2, conv12_2 = self.extras(fc7)
        return [l2norm, fc7, conv8_2, conv9_2, conv10_2, conv11_2, conv12_2]

    def heads(self, sources: list[Tensor]) -> Outputs:
        loc, conf = self.head(sources)  # 24564x4, 24564x21
        return Outputs(loc, conf)

    def forward(self, images: Tensor) -> Outputs:
        return self.heads(self.features(images))


MODEL = SSD512

DETECTOR = {
    "format": 1,
    "name": "ssd512_vgg",
    "num_classes": 21,
    "input": {
        "size": [512, 512],
        "channels": "RGB",
        "scale": 255.0,
        "mean": [123.0, 117.0, 104.0],
        "std": [1.0, 1.0, 1.0],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf"},
    "maps": [[64, 64], [32, 32], [16, 16], [8, 8], [4, 4], [2, 2], [1, 1]],
    "anchors": {
        "kind": "DefaultBoxes",
        "sizes": [35.84, 76.8, 153.6, 230.4, 307.2, 384.0, 460.8, 537.6],
        "ratios": [[2.0], [2.0, 3.0], [2.0, 3.0], [2.0, 3.0], [2.0, 3.0], [2.0], [2.0]],
        "strides": [8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
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
    "select": {"kind": "NMS", "score": 0.01, "per_class": 400, "iou": 0.45, "keep": 200},
}
