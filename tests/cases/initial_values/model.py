"""Values for all layers, for those of a module, and for a row.

Emitted by specc from initial_values/spec.yaml: change the spec, not this file.

    images (N, 3, 32, 32) -> out (N, 7)
    17,175 parameters, 0.001 G multiply-adds
"""

from torch import Tensor, nn


class ConvNormReLU(nn.Sequential):
    """Module `ConvNormReLU` of the spec."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            # 0: 16x16x16
            nn.Conv2d(in_channels, out, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
        )
        nn.init.normal_(self.get_parameter("0.weight"), std=0.02)


class ConvNormReLU2(nn.Sequential):
    """Module `ConvNormReLU` of the spec."""

    def __init__(self, in_channels: int, out: int) -> None:
        super().__init__(
            # 0: 32x8x8
            nn.Conv2d(in_channels, out, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out, affine=False),
            nn.ReLU(),
        )


class Body(nn.Sequential):
    """A module with values of its own for its convolutions, and one row with others again."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            ConvNormReLU2(in_channels, 32),  # 0: 32x8x8
            nn.Conv2d(32, 32, kernel_size=3, padding=1),
            nn.Conv2d(32, 32, kernel_size=1),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.get_parameter("2.weight"))
        nn.init.ones_(self.get_parameter("2.bias"))


class Gate(nn.Module):
    """Weigh each channel by what all of its positions say."""

    def __init__(self, c: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(output_size=1)
        self.reduce = nn.Conv2d(c, squeezed, kernel_size=1, bias=False)
        self.expand = nn.Conv2d(squeezed, c, kernel_size=1)
        self.gate = nn.Sigmoid()
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(x)  # 32x1x1
        y = self.reduce(y)  # 8x1x1
        y = self.expand(y)  # 32x1x1
        y = self.gate(y)  # 32x1x1
        return x * y  # 32x8x8


class InitialValues(nn.Module):
    """Values for all layers, for those of a module, and for a row."""

    def __init__(self, num_classes: int = 7) -> None:
        super().__init__()
        self.stem = ConvNormReLU(3, 16)
        self.body = Body(16)
        self.gate = Gate(32, 8)
        self.pool = nn.AdaptiveAvgPool2d(output_size=1)
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(32, 32, bias=False)
        self.relu = nn.ReLU()
        self.logits = nn.Linear(32, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
                if layer.bias is not None:  # pyright: ignore
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.BatchNorm2d) and layer.bias is not None:  # pyright: ignore
                nn.init.constant_(layer.bias, 0.02)
        nn.init.constant_(self.logits.get_parameter("bias"), -4.6)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)  # 16x16x16
        x = self.body(x)  # 32x8x8
        x = self.gate(x)  # 32x8x8
        x = self.pool(x)  # 32x1x1
        x = self.flatten(x)  # 32
        x = self.hidden(x)  # 32
        x = self.relu(x)  # 32
        return self.logits(x)  # 7


MODEL = InitialValues
