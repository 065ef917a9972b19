"""A feature pyramid on ResNet, P2 to P6.

Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017, section 3 and footnote 4.

Emitted by specc from specs/fpn_resnet.yaml: change the spec, not this file.

    images (N, 3, H, W) -> pyramid [(N, 256, ceil(H/4), ceil(W/4)), (N, 256, ceil(H/8), ceil(W/8)),
    (N, 256, ceil(H/16), ceil(W/16)), (N, 256, ceil(H/32), ceil(W/32)),
    (N, 256, ceil(H/64), ceil(W/64))]
    26,852,416 parameters
"""

from torch import Tensor, nn
from torch.nn import functional


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

    def __init__(self, eps: float = 1e-05) -> None:
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

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.conv1(images)  # 64xceil(H/2)xceil(W/2)
        x = self.bn1(x)  # 64xceil(H/2)xceil(W/2)
        x = self.relu(x)  # 64xceil(H/2)xceil(W/2)
        x = self.maxpool(x)  # 64xceil(H/4)xceil(W/4)
        layer1 = self.layer1(x)  # 256xceil(H/4)xceil(W/4)
        layer2 = self.layer2(layer1)  # 512xceil(H/8)xceil(W/8)
        layer3 = self.layer3(layer2)  # 1024xceil(H/16)xceil(W/16)
        layer4 = self.layer4(layer3)  # 2048xceil(H/32)xceil(W/32)
        return layer1, layer2, layer3, layer4


class TopDown(nn.Module):
    """Add the coarser map, brought to this one's size. What is added is not smoothed yet."""

    def forward(self, lateral: Tensor, coarser: Tensor) -> Tensor:
        x = functional.interpolate(coarser, size=lateral.shape[-2:], mode="nearest")
        return lateral + x


class FPN(nn.Module):
    """Maps of one width; what a map lacks in context comes from the next coarser one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            [
                nn.Conv2d(256, width, kernel_size=1),
                nn.Conv2d(512, width, kernel_size=1),
                nn.Conv2d(1024, width, kernel_size=1),
                nn.Conv2d(2048, width, kernel_size=1),
            ]
        )
        for layer in self.lateral:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))
        self.merged = nn.ModuleList(TopDown() for _ in range(3))
        self.smooth = nn.ModuleList(
            nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in range(4)
        )
        for layer in self.smooth:
            nn.init.kaiming_uniform_(layer.get_parameter("weight"), a=1)
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        lateral = [layer(x) for layer, x in zip(self.lateral, maps, strict=True)]
        merged0 = self.merged[0](lateral[2], lateral[3])  # 256xceil(H/16)xceil(W/16)
        merged1 = self.merged[1](lateral[1], merged0)  # 256xceil(H/8)xceil(W/8)
        merged2 = self.merged[2](lateral[0], merged1)  # 256xceil(H/4)xceil(W/4)
        return [
            layer(x)
            for layer, x in zip(self.smooth, [merged2, merged1, merged0, lateral[3]], strict=True)
        ]


class FPNResNet(nn.Module):
    """A feature pyramid on ResNet, P2 to P6."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.body = ResNet()
        self.fpn = FPN(width)
        self.p6 = nn.MaxPool2d(kernel_size=1, stride=2)

    def forward(self, images: Tensor) -> list[Tensor]:
        layer1, layer2, layer3, layer4 = self.body(images)
        fpn = self.fpn([layer1, layer2, layer3, layer4])
        p6 = self.p6(fpn[3])  # 256xceil(H/64)xceil(W/64)
        return [*fpn, p6]


MODEL = FPNResNet
