"""Convolutions whose weights differ from place to place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from specc.ops.arguments import Pair, flag, inferred, integer, integer_schema, pair
from specc.ops.base import Entry, Helper, Op, Window, argument, call, op
from specc.ops.shapes import image
from specc.ops.windows import window_size
from specc.values.expression import Expression, Name
from specc.values.traced import formula

if TYPE_CHECKING:
    from specc.values.dimensions import Dim, Shape

__all__ = ["LocallyConnected2d"]

LOCALLY_CONNECTED2D = Helper(
    "LocallyConnected2d",
    '''\
class LocallyConnected2d(nn.Module):
    """Convolution with weights of its own at every place of a map of one size.

    `weight` is (places, out_channels, in_channels * kernel area), places row by row; `bias` is
    (out_channels, places).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        bias: bool = True,
        height: int,
        width: int,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.height = (height + 2 * padding[0] - kernel_size[0]) // stride[0] + 1
        self.width = (width + 2 * padding[1] - kernel_size[1]) // stride[1] + 1
        places, reach = self.height * self.width, in_channels * kernel_size[0] * kernel_size[1]
        self.weight = nn.Parameter(torch.empty(places, out_channels, reach))
        self.bias = nn.Parameter(torch.empty(out_channels, places)) if bias else None
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(reach**-0.5), reach**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.unfold(x, self.kernel_size, padding=self.padding, stride=self.stride)
        x = torch.bmm(self.weight, x.permute(2, 1, 0)).permute(2, 1, 0)
        if self.bias is not None:
            x = x + self.bias
        return x.reshape(*x.shape[:2], self.height, self.width)
''',
    ("import torch", "from torch.nn import functional"),
)


@op
class LocallyConnected2d(Op):
    """Convolution with weights of its own at every place, Darknet's ``[local]``.

    Each side becomes ``floor((side + 2 * padding - kernel) / stride) + 1``. The weights are those
    of one size of map, which `height` and `width` say. Taigman et al., DeepFace, 2014.
    """

    in_channels: int = inferred("Channels that arrive.")
    out_channels: int = integer("Number of filters at each place.")
    kernel_size: Pair = pair("Side of the window.", tries=(1, 3, 5))
    stride: Pair = pair("Step of the window.", default=1, tries=(1, 2))
    padding: Pair = pair("Zeros at both ends.", minimum=0, default=0, tries=(0, 1, 2))
    bias: bool = flag("Whether a bias is learned, one for each number.", default=True)
    height: int = argument("Height that arrives.", integer_schema(1), inferred=2)
    width: int = argument("Width that arrives.", integer_schema(1), inferred=3)

    may_lack = ("bias",)

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return LOCALLY_CONNECTED2D

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, out_channels, H', W')."""
        image(inputs[0])
        return (inputs[0][0], self.out_channels, *self._places())

    def _places(self) -> tuple[int, int]:
        rows, columns = self._windows(self.height, 0), self._windows(self.width, 1)
        assert isinstance(rows, int)
        assert isinstance(columns, int)
        return rows, columns

    def _windows(self, side: int, along: int) -> Dim:
        return window_size(
            side,
            kernel=self.kernel_size[along],
            stride=self.stride[along],
            dilation=1,
            before=self.padding[along],
            after=self.padding[along],
        )

    def state(self) -> tuple[Entry, ...]:
        """Return the weight (places, out, in * kernel area) and the bias (out, places)."""
        places, reach = math.prod(self._places()), self.in_channels * math.prod(self.kernel_size)
        weight = Entry("weight", (places, self.out_channels, reach))
        return (weight, Entry("bias", (self.out_channels, places))) if self.bias else (weight,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Return one multiply-add per weight."""
        del output, inputs
        return math.prod(self.state()[0].shape)

    def constructor(self) -> Expression:
        """Return the call of the helper, which takes pairs only."""
        given = {"kernel_size": formula(self.kernel_size)}
        if self.stride != (1, 1):
            given["stride"] = formula(self.stride)
        if self.padding != (0, 0):
            given["padding"] = formula(self.padding)
        if not self.bias:
            given["bias"] = formula(self.bias)
        given |= {"height": formula(self.height), "width": formula(self.width)}
        channels = formula(self.in_channels), formula(self.out_channels)
        return call(Name(self.helper.name), *channels, **given)

    def window(self) -> Window:
        """Return the window."""
        return Window(self.kernel_size, self.stride)
