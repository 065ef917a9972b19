"""YOLOv3 on Darknet-53, three levels.

Redmon and Farhadi, YOLOv3: An Incremental Improvement, arXiv 1804.02767, table 1; Darknet's
yolov3.cfg, row by row in its order.

Emitted by specc from specs/yolov3.yaml: change the spec, not this file.

    images (N, 3, 416, 416) -> loc (N, 10647, 4), objectness (N, 10647, 1), conf (N, 10647, 80)
    61,949,149 parameters, 32.932 G multiply-adds, 10,647 boxes
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


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


class Residual(nn.Module):
    """A 1x1 and a 3x3 convolution beside a shortcut."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.squeeze = ConvBN(c, c // 2, 1)
        self.expand = ConvBN(c // 2, c, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.squeeze(x)
        y = self.expand(y)
        return x + y


class Darknet53(nn.Module):
    """Table 1 of the paper, without its average pool and classifier."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.stem = ConvBN(in_channels, 32, 3)
        self.down1 = ConvBN(32, 64, 3, stride=2)
        self.stage1 = Residual(64)
        self.down2 = ConvBN(64, 128, 3, stride=2)
        self.stage2 = nn.Sequential(Residual(128), Residual(128))
        self.down3 = ConvBN(128, 256, 3, stride=2)
        self.stage3 = nn.Sequential(*(Residual(256) for _ in range(8)))
        self.down4 = ConvBN(256, 512, 3, stride=2)
        self.stage4 = nn.Sequential(*(Residual(512) for _ in range(8)))
        self.down5 = ConvBN(512, 1024, 3, stride=2)
        self.stage5 = nn.Sequential(*(Residual(1024) for _ in range(4)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(x)  # 32x416x416
        x = self.down1(x)  # 64x208x208
        x = self.stage1(x)  # 64x208x208
        x = self.down2(x)  # 128x104x104
        x = self.stage2(x)  # 128x104x104
        x = self.down3(x)  # 256x52x52
        stage3 = self.stage3(x)  # 256x52x52
        x = self.down4(stage3)  # 512x26x26
        stage4 = self.stage4(x)  # 512x26x26
        x = self.down5(stage4)  # 1024x13x13
        stage5 = self.stage5(x)  # 1024x13x13
        return stage3, stage4, stage5


class Neck(nn.Sequential):
    """Five convolutions, narrow and wide in turn."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            ConvBN(in_channels, out, 1),
            ConvBN(out, out * 2, 3),
            ConvBN(out * 2, out, 1),
            ConvBN(out, out * 2, 3),
            ConvBN(out * 2, out, 1),
        )


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
        loc = x.narrow(2, 0, 4)  # 10647x4
        objectness = x.narrow(2, 4, 1)  # 10647x1
        conf = x.narrow(2, 5, self.num_classes)  # 10647x80
        return loc, objectness, conf


class Outputs(NamedTuple):
    """What `YOLOv3` returns."""

    loc: Tensor  # (N, 10647, 4)
    objectness: Tensor  # (N, 10647, 1)
    conf: Tensor  # (N, 10647, num_classes)


class YOLOv3(nn.Module):
    """YOLOv3 on Darknet-53, three levels."""

    def __init__(self, num_classes: int = 80) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.darknet = Darknet53(3)
        self.neck5 = Neck(1024, 512)
        self.p5 = Predict(512, 1024, num_classes, 3)
        self.lateral4 = ConvBN(512, 256, 1)
        self.up4 = nn.Upsample(scale_factor=2)
        self.neck4 = Neck(768, 256)
        self.p4 = Predict(256, 512, num_classes, 3)
        self.lateral3 = ConvBN(256, 128, 1)
        self.up3 = nn.Upsample(scale_factor=2)
        self.neck3 = Neck(384, 128)
        self.p3 = Predict(128, 256, num_classes, 3)
        self.boxes = Boxes(num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Outputs:
        stage3, stage4, stage5 = self.darknet(images)  # 256x52x52, 512x26x26, 1024x13x13
        neck5 = self.neck5(stage5)  # 512x13x13
        p5 = self.p5(neck5)  # 255x13x13
        x = self.lateral4(neck5)  # 256x13x13
        x = self.up4(x)  # 256x26x26
        x = torch.cat([x, stage4], dim=1)  # 768x26x26
        neck4 = self.neck4(x)  # 256x26x26
        p4 = self.p4(neck4)  # 255x26x26
        x = self.lateral3(neck4)  # 128x26x26
        x = self.up3(x)  # 128x52x52
        x = torch.cat([x, stage3], dim=1)  # 384x52x52
        x = self.neck3(x)  # 128x52x52
        p3 = self.p3(x)  # 255x52x52
        each = [per_box(x, 5 + self.num_classes) for x in [p5, p4, p3]]
        x = torch.cat(each, dim=1)  # 10647x85
        loc, objectness, conf = self.boxes(x)  # 10647x4, 10647x1, 10647x80
        return Outputs(loc, objectness, conf)


MODEL = YOLOv3

DETECTOR = {
    "format": 1,
    "name": "yolov3",
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
    "maps": [[13, 13], [26, 26], [52, 52]],
    "anchors": {
        "kind": "BoxPriors",
        "sizes": [
            [[116.0, 90.0], [156.0, 198.0], [373.0, 326.0]],
            [[30.0, 61.0], [62.0, 45.0], [59.0, 119.0]],
            [[10.0, 13.0], [16.0, 30.0], [33.0, 23.0]],
        ],
        "unit": "pixels",
    },
    "coder": {"kind": "CellCoder"},
    "match": {"kind": "CellMatch"},
    "loss": {"kind": "YOLOLoss", "ignore": 0.7},
    "select": {"kind": "NMS", "score": 0.005, "per_class": 400, "iou": 0.45, "keep": 200},
}
