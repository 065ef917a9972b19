"""YOLOv2 on Darknet-19, one level with a passthrough.

Redmon and Farhadi, YOLO9000: Better, Faster, Stronger, CVPR 2017, table 6 and section 2; Darknet's
yolov2.cfg, row by row in its order.

Emitted by specc from specs/yolov2.yaml: change the spec, not this file.

    images (N, 3, 416, 416) -> loc (N, 845, 4), objectness (N, 845, 1), conf (N, 845, 80)
    50,962,889 parameters, 14.732 G multiply-adds, 845 boxes
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Reorg(nn.Module):
    """Positions to channels in Darknet's order: first the channels are spread over a larger map."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        s = self.stride
        x = x.reshape(n, c // s**2, h, s, w, s).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(n, c * s**2, h // s, w // s)


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class ConvBN(nn.Module):
    """A convolution with its norm and a leaky ReLU."""

    def __init__(self, in_channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out, kernel_size=kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.bn = nn.BatchNorm2d(out, momentum=0.01)
        self.act = nn.LeakyReLU(negative_slope=0.1, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = self.bn(x)
        return self.act(x)


class Darknet19(nn.Module):
    """Table 6 of the paper, without its classifier."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvBN(in_channels, 32, 3)
        self.pool1 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = ConvBN(32, 64, 3)
        self.pool2 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv3_1 = ConvBN(64, 128, 3)
        self.conv3_2 = ConvBN(128, 64, 1)
        self.conv3_3 = ConvBN(64, 128, 3)
        self.pool3 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv4_1 = ConvBN(128, 256, 3)
        self.conv4_2 = ConvBN(256, 128, 1)
        self.conv4_3 = ConvBN(128, 256, 3)
        self.pool4 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv5_1 = ConvBN(256, 512, 3)
        self.conv5_2 = ConvBN(512, 256, 1)
        self.conv5_3 = ConvBN(256, 512, 3)
        self.conv5_4 = ConvBN(512, 256, 1)
        self.conv5_5 = ConvBN(256, 512, 3)
        self.pool5 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv6_1 = ConvBN(512, 1024, 3)
        self.conv6_2 = ConvBN(1024, 512, 1)
        self.conv6_3 = ConvBN(512, 1024, 3)
        self.conv6_4 = ConvBN(1024, 512, 1)
        self.conv6_5 = ConvBN(512, 1024, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv1(x)  # 32x416x416
        x = self.pool1(x)  # 32x208x208
        x = self.conv2(x)  # 64x208x208
        x = self.pool2(x)  # 64x104x104
        x = self.conv3_1(x)  # 128x104x104
        x = self.conv3_2(x)  # 64x104x104
        x = self.conv3_3(x)  # 128x104x104
        x = self.pool3(x)  # 128x52x52
        x = self.conv4_1(x)  # 256x52x52
        x = self.conv4_2(x)  # 128x52x52
        x = self.conv4_3(x)  # 256x52x52
        x = self.pool4(x)  # 256x26x26
        x = self.conv5_1(x)  # 512x26x26
        x = self.conv5_2(x)  # 256x26x26
        x = self.conv5_3(x)  # 512x26x26
        x = self.conv5_4(x)  # 256x26x26
        conv5_5 = self.conv5_5(x)  # 512x26x26
        x = self.pool5(conv5_5)  # 512x13x13
        x = self.conv6_1(x)  # 1024x13x13
        x = self.conv6_2(x)  # 512x13x13
        x = self.conv6_3(x)  # 1024x13x13
        x = self.conv6_4(x)  # 512x13x13
        conv6_5 = self.conv6_5(x)  # 1024x13x13
        return conv5_5, conv6_5


class Boxes(nn.Module):
    """What is said of each box, its offsets, whether it holds an object, and of what class."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loc = x.narrow(2, 0, 4)  # 845x4
        objectness = x.narrow(2, 4, 1)  # 845x1
        conf = x.narrow(2, 5, self.num_classes)  # 845x80
        return loc, objectness, conf


class Outputs(NamedTuple):
    """What `YOLOv2` returns."""

    loc: Tensor  # (N, 845, 4)
    objectness: Tensor  # (N, 845, 1)
    conf: Tensor  # (N, 845, num_classes)


class YOLOv2(nn.Module):
    """YOLOv2 on Darknet-19, one level with a passthrough."""

    def __init__(self, num_classes: int = 80) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.darknet = Darknet19(3)
        self.conv6_6 = ConvBN(1024, 1024, 3)
        self.conv6_7 = ConvBN(1024, 1024, 3)
        self.passthrough = ConvBN(512, 64, 1)
        self.reorg = Reorg(2)
        self.conv7 = ConvBN(1280, 1024, 3)
        self.p5 = nn.Conv2d(1024, 5 * (5 + num_classes), kernel_size=1)
        self.boxes = Boxes(num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Outputs:
        conv5_5, conv6_5 = self.darknet(images)  # 512x26x26, 1024x13x13
        x = self.conv6_6(conv6_5)  # 1024x13x13
        conv6_7 = self.conv6_7(x)  # 1024x13x13
        x = self.passthrough(conv5_5)  # 64x26x26
        x = self.reorg(x)  # 256x13x13
        x = torch.cat([x, conv6_7], dim=1)  # 1280x13x13
        x = self.conv7(x)  # 1024x13x13
        x = self.p5(x)  # 425x13x13
        x = per_box(x, 5 + self.num_classes)  # 845x85
        loc, objectness, conf = self.boxes(x)  # 845x4, 845x1, 845x80
        return Outputs(loc, objectness, conf)


MODEL = YOLOv2

DETECTOR = {
    "format": 1,
    "name": "yolov2",
    "num_classes": 80,
    "input": {
        "size": [416, 416],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf", "objectness": "objectness"},
    "maps": [[13, 13]],
    "anchors": {
        "kind": "BoxPriors",
        "sizes": [
            [
                [0.57273, 0.677385],
                [1.87446, 2.06253],
                [3.33843, 5.47434],
                [7.88282, 3.52778],
                [9.77052, 9.16828],
            ],
        ],
        "unit": "cells",
    },
    "coder": {"kind": "CellCoder"},
    "match": {"kind": "CellMatch"},
    "loss": {"kind": "YOLOv2Loss", "ignore": 0.6, "objects": 5.0},
    "select": {"kind": "NMS", "score": 0.005, "per_class": 400, "iou": 0.45, "keep": 200},
}
