"""Ops that enlarge or shrink a map."""

from __future__ import annotations

import math

from specc.ops.arguments import (
    LARGEST,
    Pair,
    as_pair,
    choice,
    flag,
    integer,
    or_none,
    pair,
    pair_schemas,
)
from specc.ops.base import Helper, Op, ShapeError, Window, argument, call, nn, op
from specc.ops.shapes import image
from specc.values.dimensions import Dim, Shape, floor_divide, multiply
from specc.values.expression import Attribute, Expression, Index, Literal, Name, Slice
from specc.values.traced import formula

__all__ = ["PixelShuffle", "PixelUnshuffle", "Reorg", "Upsample"]

REORG = Helper(
    "Reorg",
    '''\
class Reorg(nn.Module):
    """Positions to channels in Darknet's order: first the channels are spread over a larger map."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        s = self.stride
        x = x.reshape(n, c // s**2, h, s, w, s).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(n, c * s**2, h // s, w // s)
''',
)

FACTOR = {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST}


@op
class Upsample(Op):
    """Resample a map to a size, by a factor or to the size of another, `torch.nn.Upsample`.

    Each side becomes ``floor(side * scale_factor)``, or `size`, or that of the second input `like`:
    ``Upsample(mode='nearest')(coarser, like=lateral)``.
    """

    elsewhere = ("Interpolate", "Resize", "UpsamplingNearest2d", "UpsamplingBilinear2d")

    inputs = ("x", "like")
    optional = 1

    size: Pair | None = pair("Height and width of the output.", default=None)
    scale_factor: tuple[float, float] | None = argument(
        "What the height and the width are multiplied by.",
        or_none({"anyOf": pair_schemas(FACTOR)}),
        default=None,
        tries=(2, 0.5),
        convert=as_pair,
    )
    mode: str = choice(
        "How values between the positions are made.",
        ("nearest", "nearest-exact", "bilinear", "bicubic"),
        default="nearest",
    )
    align_corners: bool | None = flag(
        "Whether the corners' centres stay where they are; not for `'nearest'`.", default=None
    )

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C, H', W')."""
        n, c, height, width = image(inputs[0])
        self._check(len(inputs))
        if len(inputs) == 2:
            return (n, c, *image(inputs[1], 1)[2:])
        if self.size is not None:
            return (n, c, *self.size)
        rows, columns = self.scale_factor or (1, 1)
        return (n, c, _scaled(height, rows), _scaled(width, columns))

    def _check(self, count: int) -> None:
        """Refuse anything but one way to say the size."""
        ways = (self.size is not None) + (self.scale_factor is not None) + (count == 2)
        if ways != 1:
            message = f"needs one of size, scale_factor and a second input `like`; this has {ways}"
            raise ShapeError("E0408", message)
        if self.align_corners is not None and self.mode.startswith("nearest"):
            message = f"mode={self.mode!r} has no corners to align"
            raise ShapeError("E0407", message, argument="align_corners")

    def constructor(self) -> Expression | None:
        """Return the layer, unless another input's size is to be taken."""
        alone = self.size is not None or self.scale_factor is not None
        return self.construct(nn("Upsample")) if alone else None

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``functional.interpolate(x, size=like.shape[-2:], mode="nearest")``."""
        x, like = inputs
        size = Index(Attribute(like, "shape"), Slice(Literal(-2), None))
        keywords = {"size": size, "mode": formula(self.mode)}
        if self.align_corners is not None:
            keywords["align_corners"] = formula(self.align_corners)
        return call(Attribute(Name("functional"), "interpolate"), x, **keywords)


def _scaled(size: Dim, factor: float) -> Dim:
    """Return ``floor(size * factor)``."""
    if isinstance(size, int):
        scaled = math.floor(size * factor)
        if scaled < 1:
            message = f"the map is gone: {factor} times a side of {size}"
            raise ShapeError("E0402", message, argument="scale_factor")
        return scaled
    if float(factor).is_integer():
        return multiply(size, int(factor))
    if math.frexp(factor)[0] == 0.5:
        return floor_divide(size, round(1 / factor))
    message = f"{factor} times a side that is only known as {size}"
    raise ShapeError("E0408", message, argument="scale_factor", inputs=(0,))


@op
class PixelShuffle(Op):
    """Channels to positions, `torch.nn.PixelShuffle`.

    (N, C * r * r, H, W) becomes (N, C, H * r, W * r). Shi et al., 2016.
    """

    upscale_factor: int = integer("What height and width are multiplied by, r.")

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C / r / r, H * r, W * r)."""
        n, channels, height, width = image(inputs[0])
        factor = self.upscale_factor
        if not isinstance(channels, int) or channels % factor**2:
            message = f"{channels} channels do not make squares of {factor} by {factor}"
            raise ShapeError("E0405", message, argument="upscale_factor", inputs=(0,))
        return (n, channels // factor**2, multiply(height, factor), multiply(width, factor))


@op
class PixelUnshuffle(Op):
    """Positions to channels, `torch.nn.PixelUnshuffle`; YOLOv5's Focus up to the order of channels.

    (N, C, H * r, W * r) becomes (N, C * r * r, H, W).
    """

    elsewhere = ("SpaceToDepth", "Focus")

    downscale_factor: int = integer("What height and width are divided by, r.")

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C * r * r, H / r, W / r)."""
        return _unshuffled(inputs[0], self.downscale_factor, "downscale_factor")

    def window(self) -> Window:
        """A square of positions becomes one."""
        square = (self.downscale_factor, self.downscale_factor)
        return Window(square, square)


@op
class Reorg(Op):
    """Positions to channels in Darknet's order, which is not that of `torch.nn.PixelUnshuffle`.

    (N, C, H, W) becomes (N, C * s * s, H / s, W / s). Darknet reads the numbers of a map as one of
    (C / s / s, H * s, W * s), takes every s-th row and column of that, first those of the first
    row, and reads what results as the output. `yolov2.weights` is trained on this order. Redmon and
    Farhadi, YOLO9000, 2017, section 2, the passthrough layer.
    """

    stride: int = integer("What height and width are divided by, s.")

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return REORG

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C * s * s, H / s, W / s)."""
        channels, s = image(inputs[0])[1], self.stride
        if not isinstance(channels, int) or channels % s**2:
            message = f"{channels} channels do not make squares of {s} by {s}"
            raise ShapeError("E0405", message, argument="stride", inputs=(0,))
        return _unshuffled(inputs[0], s, "stride")


def _unshuffled(x: Shape, step: int, argument: str) -> Shape:
    """Return (N, C * s * s, H / s, W / s)."""
    n, channels, height, width = image(x)
    for side in (height, width):
        if isinstance(side, int) and side % step:
            message = f"a side of {side} does not divide into steps of {step}"
            help = f"write a divisor of {side}, or change what stands before"
            raise ShapeError("E0405", message, argument=argument, help=help, inputs=(0,))
    sides = (floor_divide(side, step) for side in (height, width))
    return (n, multiply(channels, step**2), *sides)
