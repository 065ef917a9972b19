"""SPPNet for detection on VGG16, whose regions come from elsewhere.

He et al., Spatial Pyramid Pooling in Deep Convolutional Networks, ECCV 2014, section 4; there on
other trunks.

Emitted by specc from specs/sppnet_vgg16.yaml: change the spec, not this file.

    images (N, 3, H, W), regions (N, R, 4) -> scores (N, R, 20), deltas (N, R, 80)
    138,487,716 parameters
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


class SpatialPyramid(nn.Module):
    """The maximum of each bin of a region, the region being divided in several ways."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.ModuleList(
            [
                RoIPool(output_size=6, spatial_scale=0.0625),
                RoIPool(output_size=3, spatial_scale=0.0625),
                RoIPool(output_size=2, spatial_scale=0.0625),
                RoIPool(output_size=1, spatial_scale=0.0625),
            ]
        )
        self.flat = nn.Flatten(start_dim=2)

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        pool = [layer(x, regions) for layer in self.pool]
        flat = [self.flat(p) for p in pool]
        return torch.cat(flat, dim=2)  # Rx25600


class Outputs(NamedTuple):
    """What `SPPNet` returns."""

    scores: Tensor  # (N, R, num_classes)
    deltas: Tensor  # (N, R, 4 * num_classes)


class SPPNet(nn.Module):
    """SPPNet for detection on VGG16, whose regions come from elsewhere."""

    def __init__(self, num_classes: int = 20) -> None:
        super().__init__()
        self.vgg = Features()
        self.spp = SpatialPyramid()
        self.fc6 = nn.Linear(25600, 4096)
        self.relu6 = nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout()
        self.fc7 = nn.Linear(4096, 4096)
        self.relu7 = nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout()
        self.scores = nn.Linear(4096, num_classes)
        self.deltas = nn.Linear(25600, 4 * num_classes)

    def features(self, images: Tensor) -> Tensor:
        return self.vgg(images)  # 512xfloor(H/16)xfloor(W/16)

    def roi(self, regions: Tensor, vgg: Tensor) -> Outputs:
        spp = self.spp(vgg, regions)  # Rx25600
        x = self.fc6(spp)  # Rx4096
        x = self.relu6(x)  # Rx4096
        x = self.drop6(x)  # Rx4096
        x = self.fc7(x)  # Rx4096
        x = self.relu7(x)  # Rx4096
        x = self.drop7(x)  # Rx4096
        scores = self.scores(x)  # Rx20
        deltas = self.deltas(spp)  # Rx80
        return Outputs(scores, deltas)

    def forward(self, images: Tensor, regions: Tensor) -> Outputs:
        vgg = self.features(images)
        return self.roi(regions, vgg)


MODEL = SPPNet
