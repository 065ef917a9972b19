"""YOLO, a grid of 7x7 cells.

Redmon et al., You Only Look Once, CVPR 2016, figure 3; Darknet's yolov1.cfg, row by row in its
order.

Emitted by specc from specs/yolov1.yaml: change the spec, not this file.

    images (N, 3, 448, 448) -> predictions (N, 1470)
    271,703,550 parameters, 20.285 G multiply-adds
"""

from torch import Tensor, nn


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


class YOLOv1(nn.Module):
    """YOLO, a grid of 7x7 cells."""

    def __init__(self, num_classes: int = 20) -> None:
        super().__init__()
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

    def forward(self, images: Tensor) -> Tensor:
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
        return self.predictions(x)  # 1470


MODEL = YOLOv1
