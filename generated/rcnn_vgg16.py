"""R-CNN on VGG16, whose regions come from elsewhere.

Girshick et al., Rich feature hierarchies for accurate object detection and semantic segmentation,
CVPR 2014; VGG16 is the O-Net of the extended version, section 3.3.

Emitted by specc from specs/rcnn_vgg16.yaml: change the spec, not this file.

    images (N, 3, H, W), regions (N, R, 4) -> scores (N, R, 20), deltas (N, R, 80)
    136,349,604 parameters
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align  # pyright: ignore  # has no types


def roi_rows(regions: Tensor) -> Tensor:
    """Put the number of its image before each region: (N, R, 4) -> (N * R, 5)."""
    images = torch.arange(len(regions), dtype=regions.dtype, device=regions.device)
    images = images[:, None, None].expand(-1, regions.shape[1], 1)
    return torch.cat([images, regions], dim=2).flatten(0, 1)


class RoIAlign(nn.Module):
    """Regions of a map, each sampled to one size: (N, R, 4) -> (N, R, C, *output_size)."""

    def __init__(
        self,
        output_size: int | tuple[int, int],
        *,
        spatial_scale: float,
        sampling_ratio: int = -1,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        samples = roi_align(
            x,
            roi_rows(regions),
            self.output_size,
            self.spatial_scale,
            self.sampling_ratio,
            self.aligned,
        )
        return torch.unflatten(samples, 0, regions.shape[:2])


class Features(nn.Sequential):
    """Module `Features` of the spec."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 64, kernel_size=3, padding=1),  # 0: 64x224x224
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 64, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 3: conv1_2, 64x224x224
            nn.MaxPool2d(kernel_size=2, stride=2),  # 4: 64x112x112
            nn.Conv2d(64, 128, kernel_size=3, padding=1),  # 5: 128x112x112
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 128, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 8: conv2_2, 128x112x112
            nn.MaxPool2d(kernel_size=2, stride=2),  # 9: 128x56x56
            nn.Conv2d(128, 256, kernel_size=3, padding=1),  # 10: 256x56x56
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 15: conv3_3, 256x56x56
            nn.MaxPool2d(kernel_size=2, stride=2),  # 16: 256x28x28
            nn.Conv2d(256, 512, kernel_size=3, padding=1),  # 17: 512x28x28
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 22: conv4_3, 512x28x28
            nn.MaxPool2d(kernel_size=2, stride=2),  # 23: 512x14x14
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),  # 29: conv5_3, 512x14x14
            nn.MaxPool2d(kernel_size=2, stride=2),  # 30: 512x7x7
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
                nn.init.zeros_(layer.get_parameter("bias"))


class Outputs(NamedTuple):
    """What `RCNN` returns."""

    scores: Tensor  # (N, R, num_classes)
    deltas: Tensor  # (N, R, 4 * num_classes)


class RCNN(nn.Module):
    """R-CNN on VGG16, whose regions come from elsewhere."""

    def __init__(self, num_classes: int = 20) -> None:
        super().__init__()
        self.warp = RoIAlign(output_size=224, spatial_scale=1, sampling_ratio=1)
        self.vgg = Features()
        self.pool5 = nn.Flatten()
        self.fc6 = nn.Linear(25088, 4096)
        self.relu6 = nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout()
        self.fc7 = nn.Linear(4096, 4096)
        self.relu7 = nn.ReLU(inplace=True)
        self.drop7 = nn.Dropout()
        self.svm = nn.Linear(4096, num_classes)
        self.ridge = nn.Linear(25088, 4 * num_classes)

    def forward(self, images: Tensor, regions: Tensor) -> Outputs:
        x = self.warp(images, regions)  # Rx3x224x224
        x = x.flatten(0, 1)  # 3x224x224
        x = self.vgg(x)  # 512x7x7
        pool5 = self.pool5(x)  # 25088
        x = self.fc6(pool5)  # 4096
        x = self.relu6(x)  # 4096
        x = self.drop6(x)  # 4096
        x = self.fc7(x)  # 4096
        x = self.relu7(x)  # 4096
        x = self.drop7(x)  # 4096
        svm = self.svm(x)  # 20
        ridge = self.ridge(pool5)  # 80
        scores = torch.unflatten(svm, 0, regions.shape[:2])  # Rx20
        deltas = torch.unflatten(ridge, 0, regions.shape[:2])  # Rx80
        return Outputs(scores, deltas)


MODEL = RCNN
