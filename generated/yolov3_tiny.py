"""YOLOv3-tiny, two levels.

Redmon and Farhadi, YOLOv3: An Incremental Improvement, arXiv 1804.02767; Darknet's yolov3-tiny.cfg,
row by row in its order.

Emitted by specc from specs/yolov3_tiny.yaml: change the spec, not this file.

    images (N, 3, 416, 416) -> loc (N, 2535, 4), objectness (N, 2535, 1), conf (N, 2535, 80)
    8,852,366 parameters, 2.782 G multiply-adds, 2,535 boxes
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


def same_padding(side: int, kernel: int, stride: int, dilation: int) -> list[int]:
    """TensorFlow's SAME: padding before and after for ceil(side / stride) windows."""
    missing = (-(-side // stride) - 1) * stride + dilation * (kernel - 1) + 1 - side
    before = max(missing, 0) // 2
    return [before, max(missing, 0) - before]


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


class Predict(nn.Module):
    """For each box of a cell 4 numbers, whether it holds an object, and the classes."""

    def __init__(self, in_channels: int, hidden: int, num_classes: int, boxes: int) -> None:
        super().__init__()
        self.conv = ConvBN(in_channels, hidden, 3)
        self.out = nn.Conv2d(hidden, boxes * (5 + num_classes), kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.out(x)


class Boxes(nn.Module):
    """What is said of each box, its offsets, whether it holds an object, and of what class."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loc = x.narrow(2, 0, 4)  # 2535x4
        objectness = x.narrow(2, 4, 1)  # 2535x1
        conf = x.narrow(2, 5, self.num_classes)  # 2535x80
        return loc, objectness, conf


class Outputs(NamedTuple):
    """What `YOLOv3Tiny` returns."""

    loc: Tensor  # (N, 2535, 4)
    objectness: Tensor  # (N, 2535, 1)
    conf: Tensor  # (N, 2535, num_classes)


class YOLOv3Tiny(nn.Module):
    """YOLOv3-tiny, two levels."""

    def __init__(self, num_classes: int = 80) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.conv1 = ConvBN(3, 16, 3)
        self.pool1 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = ConvBN(16, 32, 3)
        self.pool2 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv3 = ConvBN(32, 64, 3)
        self.pool3 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv4 = ConvBN(64, 128, 3)
        self.pool4 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv5 = ConvBN(128, 256, 3)
        self.pool5 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv6 = ConvBN(256, 512, 3)
        self.pool6 = MaxPool2dSame(kernel_size=(2, 2), stride=(1, 1))
        self.conv7 = ConvBN(512, 1024, 3)
        self.conv8 = ConvBN(1024, 256, 1)
        self.p5 = Predict(256, 512, num_classes, 3)
        self.lateral4 = ConvBN(256, 128, 1)
        self.up4 = nn.Upsample(scale_factor=2)
        self.p4 = Predict(384, 256, num_classes, 3)
        self.boxes = Boxes(num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Outputs:
        x = self.conv1(images)  # 16x416x416
        x = self.pool1(x)  # 16x208x208
        x = self.conv2(x)  # 32x208x208
        x = self.pool2(x)  # 32x104x104
        x = self.conv3(x)  # 64x104x104
        x = self.pool3(x)  # 64x52x52
        x = self.conv4(x)  # 128x52x52
        x = self.pool4(x)  # 128x26x26
        conv5 = self.conv5(x)  # 256x26x26
        x = self.pool5(conv5)  # 256x13x13
        x = self.conv6(x)  # 512x13x13
        x = self.pool6(x)  # 512x13x13
        x = self.conv7(x)  # 1024x13x13
        conv8 = self.conv8(x)  # 256x13x13
        p5 = self.p5(conv8)  # 255x13x13
        x = self.lateral4(conv8)  # 128x13x13
        x = self.up4(x)  # 128x26x26
        x = torch.cat([x, conv5], dim=1)  # 384x26x26
        p4 = self.p4(x)  # 255x26x26
        each = [per_box(x, 5 + self.num_classes) for x in [p5, p4]]
        x = torch.cat(each, dim=1)  # 2535x85
        loc, objectness, conf = self.boxes(x)  # 2535x4, 2535x1, 2535x80
        return Outputs(loc, objectness, conf)


MODEL = YOLOv3Tiny

DETECTOR = {
    "format": 1,
    "name": "yolov3_tiny",
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
    "maps": [[13, 13], [26, 26]],
    "anchors": {
        "kind": "BoxPriors",
        "sizes": [
            [[81.0, 82.0], [135.0, 169.0], [344.0, 319.0]],
            [[10.0, 14.0], [23.0, 27.0], [37.0, 58.0]],
        ],
        "unit": "pixels",
    },
    "coder": {"kind": "CellCoder"},
    "match": {"kind": "CellMatch"},
    "loss": {"kind": "YOLOLoss", "ignore": 0.7},
    "select": {"kind": "NMS", "score": 0.005, "per_class": 400, "iou": 0.45, "keep": 200},
}
