"""Convolutions."""

from __future__ import annotations

import math

from specc.ops.arguments import (
    Pair,
    Sides,
    as_pair,
    choice,
    flag,
    inferred,
    integer,
    integer_schema,
    pair,
    pair_schemas,
    sides_schema,
)
from specc.ops.base import Entry, Helper, Op, ShapeError, Window, argument, nn, op
from specc.ops.shapes import image
from specc.ops.windows import SAME_PADDING, same_size, window_size
from specc.values.dimensions import Dim, Shape, multiply, shift
from specc.values.expression import Expression, Name

__all__ = ["Conv2d", "ConvTranspose2d"]

CONV2D_SAME = Helper(
    "Conv2dSame",
    '''\
class Conv2dSame(nn.Conv2d):
    """Convolution padded as TensorFlow's SAME, from the size that arrives."""

    def forward(self, input: Tensor) -> Tensor:
        if self.stride == (1, 1):  # torch's own is the same then, and copies nothing
            return functional.conv2d(
                input, self.weight, self.bias, 1, "same", self.dilation, self.groups
            )
        (kernel_h, kernel_w), (stride_h, stride_w) = self.kernel_size, self.stride
        dilation_h, dilation_w = self.dilation
        rows = same_padding(input.shape[2], kernel_h, stride_h, dilation_h)
        columns = same_padding(input.shape[3], kernel_w, stride_w, dilation_w)
        return super().forward(functional.pad(input, columns + rows))
''',
    ("from torch.nn import functional",),
    (SAME_PADDING,),
)

PADDED_CONV2D = Helper(
    "PaddedConv2d",
    '''\
class PaddedConv2d(nn.Conv2d):
    """Convolution whose padding differs from side to side: left, right, top, bottom."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        padding: tuple[int, int, int, int],
        **settings: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, **settings)  # pyright: ignore
        self.sides = padding

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(functional.pad(input, self.sides))
''',
    ("from typing import Any", "from torch.nn import functional"),
)


def _as_padding(value: object) -> object:
    """Write four sides that are equal at both ends as two."""
    match as_pair(value):
        case (left, right, top, bottom) if left == right and top == bottom:
            return (top, left)
        case padding:
            return padding


class _Convolution(Op):
    """What a convolution shares with its transpose."""

    in_channels: int
    out_channels: int
    kernel_size: Pair
    groups: int
    bias: bool

    may_lack = ("bias",)

    def check_groups(self) -> None:
        """Refuse groups that do not divide the channels on both ends."""
        for name, value in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if value % self.groups:
                message = f"groups={self.groups} does not divide {name}={value}"
                raise ShapeError("E0405", message, argument="groups")

    def weights(self, first: int, second: int) -> tuple[Entry, ...]:
        """Return the weight (first, second / groups, kH, kW) and the bias."""
        weight = Entry("weight", (first, second // self.groups, *self.kernel_size))
        return (weight, Entry("bias", (self.out_channels,))) if self.bias else (weight,)

    def macs_at(self, positions: Shape) -> int:
        """Return one multiply-add per weight and position."""
        count = math.prod(size for size in positions if isinstance(size, int))
        weights = self.in_channels * self.out_channels // self.groups * math.prod(self.kernel_size)
        return count * weights


@op
class Conv2d(_Convolution):
    """Two-dimensional convolution, `torch.nn.Conv2d`.

    Each side becomes ``floor((side + padding - dilation * (kernel - 1) - 1) / stride) + 1``, with
    the padding of both ends added up; with `'same'` and `'tf_same'`, ``ceil(side / stride)``.
    """

    elsewhere = ("Convolution", "DepthwiseConv2d")

    in_channels: int = inferred("Channels that arrive.")
    out_channels: int = integer("Number of filters.")
    kernel_size: Pair = pair("Side of the window.", tries=(1, 3, 5, 7))
    stride: Pair = pair("Step of the window.", default=1, tries=(1, 2, 4))
    padding: Pair | Sides | str = argument(
        "Zeros at both ends: one number, height and width, or left, right, top and bottom. `'same'`"
        " keeps the size, `'tf_same'` is TensorFlow's SAME from the size that arrives (the odd zero"
        " comes last), `'valid'` is none.",
        {
            "anyOf": [
                *pair_schemas(integer_schema(0)),
                sides_schema(),
                {"enum": ["same", "valid", "tf_same"]},
            ]
        },
        default=0,
        tries=(0, 1, 2, 3, 6),
        convert=_as_padding,
    )
    dilation: Pair = pair("Spacing of the window's taps.", default=1, tries=(1, 2, 6))
    groups: int = integer("Blocks of channels that do not see each other.", default=1)
    bias: bool = flag("Whether a bias is learned.", default=True)
    padding_mode: str = choice(
        "What the padding holds.",
        ("zeros", "reflect", "replicate", "circular"),
        default="zeros",
    )

    @property
    def helper(self) -> Helper | None:
        """The class that pads what torch's own cannot."""
        match self.padding:
            case "tf_same":
                return CONV2D_SAME
            case (_, _, _, _):
                return PADDED_CONV2D
            case _:
                return None

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, out_channels, H', W')."""
        n, _, height, width = image(inputs[0])
        self.check_groups()
        if self.padding == "same" and self.stride != (1, 1):
            message = f"padding='same' needs stride 1; this has {self.stride}"
            raise ShapeError("E0407", message, argument="padding", help="use padding='tf_same'")
        if self.helper and self.padding_mode != "zeros":
            message = f"padding={self.padding} holds zeros, not padding_mode={self.padding_mode!r}"
            raise ShapeError("E0407", message, argument="padding_mode")
        return (n, self.out_channels, self._side(height, 0), self._side(width, 1))

    def _side(self, size: Dim, along: int) -> Dim:
        if self.padding == "tf_same":
            return same_size(size, self.stride[along])
        before, after = self._ends(along)
        self._check_mode(size, max(before, after))
        return window_size(
            size,
            kernel=self.kernel_size[along],
            stride=self.stride[along],
            dilation=self.dilation[along],
            before=before,
            after=after,
        )

    def _ends(self, along: int) -> Pair:
        """Return the padding before and after, along the height or the width."""
        match self.padding:
            case "same":
                total = self.dilation[along] * (self.kernel_size[along] - 1)
                return (total // 2, total - total // 2)
            case (left, right, top, bottom):
                return ((top, bottom), (left, right))[along]
            case (height, width):
                return ((height, height), (width, width))[along]
            case _:
                return (0, 0)

    def _check_mode(self, size: Dim, padding: int) -> None:
        """Refuse padding that would have to copy more than the map holds."""
        limits = {"reflect": 1, "circular": 0}
        if self.padding_mode not in limits or not isinstance(size, int):
            return
        most = size - limits[self.padding_mode]
        if padding > most:
            message = f"{self.padding_mode} padding of {padding} beside {size}: at most {most}"
            raise ShapeError("E0407", message, argument="padding")

    def state(self) -> tuple[Entry, ...]:
        """Return the weight (out, in / groups, kH, kW) and the bias."""
        return self.weights(self.out_channels, self.in_channels)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Return one multiply-add per weight and output position."""
        del inputs
        return self.macs_at(output[2:])

    def window(self) -> Window:
        """Return the convolution's window."""
        return Window(self.kernel_size, self.stride, self.dilation)

    @property
    def layer_class(self) -> Expression:
        """Torch's class: the helpers are derived from it."""
        return nn("Conv2d")

    def constructor(self) -> Expression:
        """Return the call of torch's class, or of the helper that pads by itself."""
        known = ("padding",) if self.padding == "tf_same" else ()
        function = Name(self.helper.name) if self.helper else self.layer_class
        return self.construct(function, without=known)


@op
class ConvTranspose2d(_Convolution):
    """Transposed convolution, `torch.nn.ConvTranspose2d`: a convolution's gradient.

    Each side becomes
    ``(side - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1``.
    """

    elsewhere = ("Deconv", "Deconvolution", "Conv2DTranspose")

    in_channels: int = inferred("Channels that arrive.")
    out_channels: int = integer("Number of channels made.")
    kernel_size: Pair = pair("Side of the window.", tries=(2, 3, 4))
    stride: Pair = pair("Step of the window in the output.", default=1, tries=(1, 2))
    padding: Pair = pair("Rows cut off at each end.", minimum=0, default=0, tries=(0, 1))
    output_padding: Pair = pair("Rows added at the end.", minimum=0, default=0, tries=(0, 1))
    groups: int = integer("Blocks of channels that do not see each other.", default=1)
    bias: bool = flag("Whether a bias is learned.", default=True)
    dilation: Pair = pair("Spacing of the window's taps.", default=1)
    padding_mode: str = choice("What the padding holds.", ("zeros",), default="zeros")

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, out_channels, H', W')."""
        n, _, height, width = image(inputs[0])
        self.check_groups()
        return (n, self.out_channels, self._side(height, 0), self._side(width, 1))

    def _side(self, size: Dim, along: int) -> Dim:
        stride, padding = self.stride[along], self.padding[along]
        dilation, extra = self.dilation[along], self.output_padding[along]
        if extra >= max(stride, dilation):
            message = f"output_padding={extra} must be less than the stride or the dilation"
            raise ShapeError("E0407", message, argument="output_padding")
        span = dilation * (self.kernel_size[along] - 1) + 1
        side = shift(multiply(size, stride), span + extra - stride - 2 * padding)
        if isinstance(side, int) and side < 1:
            message = f"the map is gone: padding={padding} cuts off all that {size} rows make"
            raise ShapeError("E0402", message, argument="padding")
        return side

    def state(self) -> tuple[Entry, ...]:
        """Return the weight (in, out / groups, kH, kW) and the bias."""
        return self.weights(self.in_channels, self.out_channels)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Return one multiply-add per weight and input position."""
        del output
        return self.macs_at(inputs[0][2:])
