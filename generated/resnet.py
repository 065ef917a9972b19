"""ResNet, with C2 to C5 at layer1 to layer4.

He et al., Deep Residual Learning for Image Recognition, CVPR 2016; the stride of a bottleneck at
its 3x3.

Emitted by specc from specs/resnet.yaml: change the spec, not this file.

    images (N, 3, H, W) -> out (N, 1000)
    25,557,032 parameters
"""

from torch import Tensor, nn


class Projection(nn.Sequential):
    """The shortcut where size or width change."""

    def __init__(self, in_channels: int, out: int, eps: float, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(out, eps=eps),
        )
        nn.init.kaiming_normal_(self.get_parameter("0.weight"), mode="fan_out")


class Bottleneck(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut."""

    def __init__(self, cin: int, width: int, eps: float, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out")
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, width * 4, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv3.weight, mode="fan_out")
        self.bn3 = nn.BatchNorm2d(width * 4, eps=eps)
        self.downsample = Projection(cin, width * 4, eps, stride)
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        y = self.relu2(y)
        y = self.conv3(y)
        bn3 = self.bn3(y)
        y = self.downsample(x)
        y = bn3 + y
        return self.relu3(y)


class BottleneckNoDownsample(nn.Module):
    """Convolutions of 1x1, 3x3 and 1x1 beside a shortcut, without `downsample`."""

    def __init__(self, cin: int, width: int, eps: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, width, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(width, eps=eps)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv2.weight, mode="fan_out")
        self.bn2 = nn.BatchNorm2d(width, eps=eps)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(width, width * 4, kernel_size=1, bias=False)
        nn.init.kaiming_normal_(self.conv3.weight, mode="fan_out")
        self.bn3 = nn.BatchNorm2d(width * 4, eps=eps)
        self.relu3 = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        y = self.relu2(y)
        y = self.conv3(y)
        y = self.bn3(y)
        y = y + x
        return self.relu3(y)


class ResNet(nn.Module):
    """ResNet, with C2 to C5 at layer1 to layer4."""

    def __init__(self, eps: float = 1e-05, num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out")
        self.bn1 = nn.BatchNorm2d(64, eps=eps)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            Bottleneck(64, 64, eps),
            BottleneckNoDownsample(256, 64, eps),
            BottleneckNoDownsample(256, 64, eps),
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, eps, stride=2),
            *(BottleneckNoDownsample(512, 128, eps) for _ in range(3)),
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256, eps, stride=2),
            *(BottleneckNoDownsample(1024, 256, eps) for _ in range(5)),
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, eps, stride=2),
            BottleneckNoDownsample(2048, 512, eps),
            BottleneckNoDownsample(2048, 512, eps),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(output_size=1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv1(images)  # 64xceil(H/2)xceil(W/2)
        x = self.bn1(x)  # 64xceil(H/2)xceil(W/2)
        x = self.relu(x)  # 64xceil(H/2)xceil(W/2)
        x = self.maxpool(x)  # 64xceil(H/4)xceil(W/4)
        x = self.layer1(x)  # 256xceil(H/4)xceil(W/4)
        x = self.layer2(x)  # 512xceil(H/8)xceil(W/8)
        x = self.layer3(x)  # 1024xceil(H/16)xceil(W/16)
        x = self.layer4(x)  # 2048xceil(H/32)xceil(W/32)
        x = self.avgpool(x)  # 2048x1x1
        x = self.flatten(x)  # 2048
        return self.fc(x)  # 1000


MODEL = ResNet
