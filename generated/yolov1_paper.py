"""YOLO, a grid of 7x7 cells.

Redmon et al., You Only Look Once, CVPR 2016, figure 3; Darknet's yolov1.cfg, row by row in its
order.

Emitted by specc from specs/yolov1.yaml: change the spec, not this file.

    images (N, 3, 448, 448) -> loc (N, 98, 4), objectness (N, 98, 1), conf (N, 98, 20)
    271,703,550 parameters, 20.285 G multiply-adds, 98 boxes
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)


class ConvLeaky(nn.Module):
    """A convolution and its leaky ReLU."""

    def __init__(self, in_channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out, kernel_size=kernel, stride=stride, padding=kernel // 2
        )
        self.act = nn.LeakyReLU(negative_slope=0.1, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.act(x)


class Pair(nn.Sequential):
    """A 1x1 convolution and a 3x3 one, twice as wide."""

    def __init__(self, in_channels: int, narrow: int) -> None:
        super().__init__(
            ConvLeaky(in_channels, narrow, 1),
            ConvLeaky(narrow, narrow * 2, 3),
        )


class Connected(nn.Module):
    """The paper's own first fully connected layer."""

    def __init__(self) -> None:
        super().__init__()
        self.flat = nn.Flatten()
        self.full = nn.Linear(50176, 4096)
        self.act = nn.LeakyReLU(negative_slope=0.1, inplace=True)
        self.drop = nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        x = self.flat(x)  # 50176
        x = self.full(x)  # 4096
        x = self.act(x)  # 4096
        return self.drop(x)  # 4096


class Cells(nn.Module):
    """`channels` of the last layer's numbers for each cell, from `start` on, as a map."""

    def __init__(self, start: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.start = start

    def forward(self, x: Tensor) -> Tensor:
        x = x.narrow(1, self.start, 49 * self.channels)
        x = x.reshape(x.shape[0], 7, 7, self.channels)
        return x.permute(0, 3, 1, 2)


class Outputs(NamedTuple):
    """What `YOLOv1` returns."""

    loc: Tensor  # (N, 98, 4)
    objectness: Tensor  # (N, 98, 1)
    conf: Tensor  # (N, 98, num_classes)


class YOLOv1(nn.Module):
    """YOLO, a grid of 7x7 cells."""

    def __init__(self, num_classes: int = 20) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.conv1 = ConvLeaky(3, 64, 7, stride=2)
        self.pool1 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = ConvLeaky(64, 192, 3)
        self.pool2 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv3_1 = ConvLeaky(192, 128, 1)
        self.conv3_2 = ConvLeaky(128, 256, 3)
        self.conv3_3 = ConvLeaky(256, 256, 1)
        self.conv3_4 = ConvLeaky(256, 512, 3)
        self.pool3 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv4 = nn.Sequential(*(Pair(512, 256) for _ in range(4)))
        self.conv4_9 = ConvLeaky(512, 512, 1)
        self.conv4_10 = ConvLeaky(512, 1024, 3)
        self.pool4 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv5 = nn.Sequential(Pair(1024, 512), Pair(1024, 512))
        self.conv5_5 = ConvLeaky(1024, 1024, 3)
        self.conv5_6 = ConvLeaky(1024, 1024, 3, stride=2)
        self.conv6_1 = ConvLeaky(1024, 1024, 3)
        self.conv6_2 = ConvLeaky(1024, 1024, 3)
        self.top = Connected()
        self.predictions = nn.Linear(4096, 49 * (num_classes + 10))
        self.class_maps = Cells(0, num_classes)
        self.confidences = Cells(49 * num_classes, 2)
        self.places = Cells(49 * (num_classes + 2), 8)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))
            elif isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, a=1.4142135623730951)
                nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, images: Tensor) -> Outputs:
        x = self.conv1(images)  # 64x224x224
        x = self.pool1(x)  # 64x112x112
        x = self.conv2(x)  # 192x112x112
        x = self.pool2(x)  # 192x56x56
        x = self.conv3_1(x)  # 128x56x56
        x = self.conv3_2(x)  # 256x56x56
        x = self.conv3_3(x)  # 256x56x56
        x = self.conv3_4(x)  # 512x56x56
        x = self.pool3(x)  # 512x28x28
        x = self.conv4(x)  # 512x28x28
        x = self.conv4_9(x)  # 512x28x28
        x = self.conv4_10(x)  # 1024x28x28
        x = self.pool4(x)  # 1024x14x14
        x = self.conv5(x)  # 1024x14x14
        x = self.conv5_5(x)  # 1024x14x14
        x = self.conv5_6(x)  # 1024x7x7
        x = self.conv6_1(x)  # 1024x7x7
        x = self.conv6_2(x)  # 1024x7x7
        x = self.top(x)  # 4096
        predictions = self.predictions(x)  # 1470
        class_maps = [self.class_maps(predictions) for _ in range(2)]
        classes = torch.cat(class_maps, dim=1)  # 40x7x7
        confidences = self.confidences(predictions)  # 2x7x7
        places = self.places(predictions)  # 8x7x7
        conf = per_box(classes, self.num_classes)  # 98x20
        objectness = per_box(confidences, 1)  # 98x1
        loc = per_box(places, 4)  # 98x4
        return Outputs(loc, objectness, conf)


MODEL = YOLOv1

DETECTOR = {
    "format": 1,
    "name": "yolov1",
    "num_classes": 20,
    "input": {
        "size": [448, 448],
        "channels": "RGB",
        "scale": 1.0,
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "resize": "stretch",
    },
    "outputs": {"boxes": "loc", "classes": "conf", "objectness": "objectness"},
    "maps": [[7, 7]],
    "anchors": {"kind": "BoxPriors", "sizes": [[[448.0, 448.0], [448.0, 448.0]]], "unit": "pixels"},
    "coder": {"kind": "RootCoder"},
    "match": {"kind": "GridMatch"},
    "loss": {"kind": "YOLOv1Loss", "box_weight": 5.0, "empty_weight": 0.5},
    "select": {"kind": "NMS", "score": 0.005, "per_class": 100, "iou": 0.5, "keep": 100},
}
