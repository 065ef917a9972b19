"""VGG16.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR
2015, table 1, column D.

Emitted by specc from specs/vgg16.yaml: change the spec, not this file.

    images (N, 3, 224, 224) -> out (N, 1000)
    138,357,544 parameters, 15.470 G multiply-adds
"""

from torch import Tensor, nn


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


class Classifier(nn.Sequential):
    """Module `Classifier` of the spec."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(
            nn.Linear(25088, 4096),  # 0: 4096
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, num_classes),  # 6: 1000
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.get_parameter("bias"))


class VGG16(nn.Module):
    """VGG16."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = Features()
        self.avgpool = nn.AdaptiveAvgPool2d(output_size=7)
        self.flatten = nn.Flatten()
        self.classifier = Classifier(num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.features(images)  # 512x7x7
        x = self.avgpool(x)  # 512x7x7
        x = self.flatten(x)  # 25088
        return self.classifier(x)  # 1000


MODEL = VGG16
