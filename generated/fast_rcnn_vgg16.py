"""Fast R-CNN on VGG16, whose regions come from elsewhere.

Girshick, Fast R-CNN, ICCV 2015.

Emitted by specc from specs/fast_rcnn_vgg16.yaml: change the spec, not this file.

    images (N, 3, H, W), regions (N, R, 4) -> logits (N, R, 21), deltas (N, R, 84)
    134,690,729 parameters
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import roi_pool  # pyright: ignore  # has no types


def roi_rows(regions: Tensor) -> Tensor:
    """Put the number of its image before each region: (N, R, 4) -> (N * R, 5)."""
    images = torch.arange(len(regions), dtype=regions.dtype, device=regions.device)
    images = images[:, None, None].expand(-1, regions.shape[1], 1)
    return torch.cat([images, regions], dim=2).flatten(0, 1)


class RoIPool(nn.Module):
    """Regions of a map, each pooled to one size: (N, R, 4) -> (N, R, C, *output_size)."""

    def __init__(self, output_size: int | tuple[int, int], *, spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        pooled = roi_pool(x, roi_rows(regions), self.output_size, self.spatial_scale)
        return torch.unflatten(pooled, 0, regions.shape[:2])


class Features(nn.Sequential):
    """Module `Features` of the spec."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 64, kernel_size=3, padding=1),  # 0: 64xHxW
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 64, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 3: conv1_2, 64xHxW
            nn.MaxPool2d(kernel_size=2, stride=2),  # 4: 64xfloor(H/2)xfloor(W/2)
            nn.Conv2d(64, 128, kernel_size=3, padding=1),  # 5: 128xfloor(H/2)xfloor(W/2)
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 128, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 8: conv2_2, 128xfloor(H/2)xfloor(W/2)
            nn.MaxPool2d(kernel_size=2, stride=2),  # 9: 128xfloor(H/4)xfloor(W/4)
            nn.Conv2d(128, 256, kernel_size=3, padding=1),  # 10: 256xfloor(H/4)xfloor(W/4)
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 15: conv3_3, 256xfloor(H/4)xfloor(W/4)
            nn.MaxPool2d(kernel_size=2, stride=2),  # 16: 256xfloor(H/8)xfloor(W/8)
            nn.Conv2d(256, 512, kernel_size=3, padding=1),  # 17: 512xfloor(H/8)xfloor(W/8)
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 22: conv4_3, 512xfloor(H/8)xfloor(W/8)
            nn.MaxPool2d(kernel_size=2, stride=2),  # 23: 512xfloor(H/16)xfloor(W/16)
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 29: conv5_3, 512xfloor(H/16)xfloor(W/16)
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
                nn.init.zeros_(layer.get_parameter("bias"))


class BoxHead(nn.Module):
    """VGG16's fc6 and fc7, then for each region a softmax and four numbers for each class."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten(start_dim=2)
        self.fc6 = nn.Linear(25088, 4096)
        self.relu6 = nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout()
        self.fc7 = nn.Linear(4096, 4096)
        self.relu7 = nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout()
        self.logits = nn.Linear(4096, num_classes)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.zeros_(self.logits.get_parameter("bias"))
        self.deltas = nn.Linear(4096, 4 * num_classes)
        nn.init.normal_(self.deltas.weight, std=0.001)
        nn.init.zeros_(self.deltas.get_parameter("bias"))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.flatten(x)  # Rx25088
        x = self.fc6(x)  # Rx4096
        x = self.relu6(x)  # Rx4096
        x = self.drop6(x)  # Rx4096
        x = self.fc7(x)  # Rx4096
        x = self.relu7(x)  # Rx4096
        drop7 = self.drop7(x)  # Rx4096
        logits = self.logits(drop7)  # Rx21
        deltas = self.deltas(drop7)  # Rx84
        return logits, deltas


class Outputs(NamedTuple):
    """What `FastRCNN` returns."""

    logits: Tensor  # (N, R, num_classes)
    deltas: Tensor  # (N, R, 4 * num_classes)


class FastRCNN(nn.Module):
    """Fast R-CNN on VGG16, whose regions come from elsewhere."""

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        self.vgg = Features()
        self.pool = RoIPool(output_size=7, spatial_scale=0.0625)
        self.box = BoxHead(num_classes)

    def features(self, images: Tensor) -> Tensor:
        return self.vgg(images)  # 512xfloor(H/16)xfloor(W/16)

    def roi(self, regions: Tensor, vgg: Tensor) -> Outputs:
        x = self.pool(vgg, regions)  # Rx512x7x7
        logits, deltas = self.box(x)  # Rx21, Rx84
        return Outputs(logits, deltas)

    def forward(self, images: Tensor, regions: Tensor) -> Outputs:
        vgg = self.features(images)
        return self.roi(regions, vgg)


MODEL = FastRCNN
