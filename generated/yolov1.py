"""YOLO, a grid of 7x7 cells.

Redmon et al., You Only Look Once, CVPR 2016, figure 3; Darknet's yolov1.cfg, row by row in its
order.

Emitted by specc from specs/yolov1.yaml: change the spec, not this file.

    images (N, 3, 448, 448) -> loc (N, 147, 4), objectness (N, 147, 1), conf (N, 147, 20)
    197,301,875 parameters, 20.211 G multiply-adds, 147 boxes
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class LocallyConnected2d(nn.Module):
    """Convolution with weights of its own at every place of a map of one size.

    `weight` is (places, out_channels, in_channels * kernel area), places row by row; `bias` is
    (out_channels, places).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        bias: bool = True,
        height: int,
        width: int,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.height = (height + 2 * padding[0] - kernel_size[0]) // stride[0] + 1
        self.width = (width + 2 * padding[1] - kernel_size[1]) // stride[1] + 1
        places, reach = self.height * self.width, in_channels * kernel_size[0] * kernel_size[1]
        self.weight = nn.Parameter(torch.empty(places, out_channels, reach))
        self.bias = nn.Parameter(torch.empty(out_channels, places)) if bias else None
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(reach**-0.5), reach**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.unfold(x, self.kernel_size, padding=self.padding, stride=self.stride)
        x = torch.bmm(self.weight, x.permute(2, 1, 0)).permute(2, 1, 0)
        if self.bias is not None:
            x = x + self.bias
        return x.reshape(*x.shape[:2], self.height, self.width)


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


class Pair(nn.Sequential):
    """A 1x1 convolution and a 3x3 one, twice as wide."""

    def __init__(self, in_channels: int, narrow: int) -> None:
        super().__init__(
            ConvBN(in_channels, narrow, 1),
            ConvBN(narrow, narrow * 2, 3),
        )


class Local(nn.Module):
    """Weights of their own at each of the 7x7 places."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = LocallyConnected2d(
            in_channels, 256, kernel_size=(3, 3), padding=(1, 1), height=7, width=7
        )
        nn.init.uniform_(
            self.conv.weight,
            a=-math.sqrt(2 / (9 * in_channels)),
            b=math.sqrt(2 / (9 * in_channels)),
        )
        nn.init.zeros_(self.conv.get_parameter("bias"))
        self.act = nn.LeakyReLU(negative_slope=0.1, inplace=True)
        self.drop = nn.Dropout()
        self.flat = nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # 256x7x7
        x = self.act(x)  # 256x7x7
        x = self.drop(x)  # 256x7x7
        return self.flat(x)  # 12544


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

    loc: Tensor  # (N, 147, 4)
    objectness: Tensor  # (N, 147, 1)
    conf: Tensor  # (N, 147, num_classes)


class YOLOv1(nn.Module):
    """YOLO, a grid of 7x7 cells."""

    def __init__(self, num_classes: int = 20) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.conv1 = ConvBN(3, 64, 7, stride=2)
        self.pool1 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = ConvBN(64, 192, 3)
        self.pool2 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv3_1 = ConvBN(192, 128, 1)
        self.conv3_2 = ConvBN(128, 256, 3)
        self.conv3_3 = ConvBN(256, 256, 1)
        self.conv3_4 = ConvBN(256, 512, 3)
        self.pool3 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv4 = nn.Sequential(*(Pair(512, 256) for _ in range(4)))
        self.conv4_9 = ConvBN(512, 512, 1)
        self.conv4_10 = ConvBN(512, 1024, 3)
        self.pool4 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv5 = nn.Sequential(Pair(1024, 512), Pair(1024, 512))
        self.conv5_5 = ConvBN(1024, 1024, 3)
        self.conv5_6 = ConvBN(1024, 1024, 3, stride=2)
        self.conv6_1 = ConvBN(1024, 1024, 3)
        self.conv6_2 = ConvBN(1024, 1024, 3)
        self.top = Local(1024)
        self.predictions = nn.Linear(12544, 49 * (num_classes + 15))
        self.class_maps = Cells(0, num_classes)
        self.confidences = Cells(49 * num_classes, 3)
        self.places = Cells(49 * (num_classes + 3), 12)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        nn.init.kaiming_uniform_(self.predictions.weight, a=1.4142135623730951)
        nn.init.zeros_(self.predictions.get_parameter("bias"))

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
        x = self.top(x)  # 12544
        predictions = self.predictions(x)  # 1715
        class_maps = [self.class_maps(predictions) for _ in range(3)]
        classes = torch.cat(class_maps, dim=1)  # 60x7x7
        confidences = self.confidences(predictions)  # 3x7x7
        places = self.places(predictions)  # 12x7x7
        conf = per_box(classes, self.num_classes)  # 147x20
        objectness = per_box(confidences, 1)  # 147x1
        loc = per_box(places, 4)  # 147x4
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
    "anchors": {
        "kind": "BoxPriors",
        "sizes": [[[448.0, 448.0], [448.0, 448.0], [448.0, 448.0]]],
        "unit": "pixels",
    },
    "coder": {"kind": "RootCoder"},
    "match": {"kind": "GridMatch"},
    "loss": {"kind": "YOLOv1Loss", "box_weight": 5.0, "empty_weight": 0.5},
    "select": {"kind": "NMS", "score": 0.005, "per_class": 100, "iou": 0.5, "keep": 100},
}
