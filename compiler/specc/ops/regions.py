"""Ops over regions: boxes (N, R, 4), corners x, y, x, y in pixels of the images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from specc.ops.arguments import Pair, flag, integer, number, pair
from specc.ops.base import FunctionalOp, Helper, Op, ShapeError, call, op
from specc.ops.shapes import image, product
from specc.values.dimensions import shape_text
from specc.values.expression import Attribute, Expression, Index, Literal, Name, Slice

if TYPE_CHECKING:
    from specc.values.dimensions import Dim, Shape

__all__ = [
    "EachRegion",
    "IsBox",
    "MultiScaleRoIAlign",
    "PerImage",
    "RoIAlign",
    "RoIPool",
    "regions",
]

IS_BOX = Helper(
    "is_box",
    '''\
def is_box(regions: Tensor) -> Tensor:
    """Tell boxes (N, R, 4) from the empty ones that fill up the places: (N, R)."""
    return (regions[..., 2:] > regions[..., :2]).all(dim=-1)
''',
)

ROI_ROWS = Helper(
    "roi_rows",
    '''\
def roi_rows(regions: Tensor) -> Tensor:
    """Put the number of its image before each region: (N, R, 4) -> (N * R, 5)."""
    images = torch.arange(len(regions), dtype=regions.dtype, device=regions.device)
    images = images[:, None, None].expand(-1, regions.shape[1], 1)
    return torch.cat([images, regions], dim=2).flatten(0, 1)
''',
    imports=("import torch",),
)

ROI_ALIGN = Helper(
    "RoIAlign",
    '''\
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
''',
    imports=("import torch", "from torchvision.ops import roi_align"),
    needs=(ROI_ROWS,),
)

ROI_POOL = Helper(
    "RoIPool",
    '''\
class RoIPool(nn.Module):
    """Regions of a map, each pooled to one size: (N, R, 4) -> (N, R, C, *output_size)."""

    def __init__(self, output_size: int | tuple[int, int], *, spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, x: Tensor, regions: Tensor) -> Tensor:
        pooled = roi_pool(x, roi_rows(regions), self.output_size, self.spatial_scale)
        return torch.unflatten(pooled, 0, regions.shape[:2])
''',
    imports=("import torch", "from torchvision.ops import roi_pool"),
    needs=(ROI_ROWS,),
)

MULTI_SCALE = Helper(
    "MultiScaleRoIAlign",
    '''\
class MultiScaleRoIAlign(nn.Module):
    """Regions, each sampled to one size from the map that suits its area.

    Maps go from fine to coarse, `stride` being that of the finest, each next one's twice as much.
    Lin et al., Feature Pyramid Networks for Object Detection, CVPR 2017, equation 1.
    """

    def __init__(
        self,
        output_size: int | tuple[int, int],
        *,
        stride: int,
        sampling_ratio: int = -1,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.stride = stride
        self.sampling_ratio = sampling_ratio
        self.canonical_scale = canonical_scale
        self.canonical_level = canonical_level

    def forward(self, regions: Tensor, *maps: Tensor) -> Tensor:
        rows, places = roi_rows(regions), self.places(regions, len(maps)).flatten()
        order = [(places == level).nonzero().squeeze(1) for level in range(len(maps))]
        strides = [self.stride * 2**level for level in range(len(maps))]
        samples = torch.cat(
            [
                roi_align(x, rows[here], self.output_size, 1 / stride, self.sampling_ratio)
                for x, here, stride in zip(maps, order, strides, strict=True)
            ]
        )
        samples = torch.empty_like(samples).index_copy_(0, torch.cat(order), samples)
        return torch.unflatten(samples, 0, regions.shape[:2])

    def places(self, regions: Tensor, maps: int) -> Tensor:
        """Return the number of the map that each region (N, R, 4) is read from: (N, R)."""
        side = (regions[..., 2:] - regions[..., :2]).prod(dim=-1).sqrt()
        level = self.canonical_level + torch.log2(side / self.canonical_scale)
        return (torch.floor(level + 1e-6) - math.log2(self.stride)).clamp(0, maps - 1)
''',
    imports=("import math", "import torch", "from torchvision.ops import roi_align"),
    needs=(ROI_ROWS,),
)


def regions(x: Shape, place: int) -> tuple[Dim, Dim]:
    """Return images and regions of each, or refuse anything but boxes (N, R, 4)."""
    if len(x) != 3 or x[2] != 4:
        message = f"needs boxes (N, R, 4); this is {shape_text(x, batch=True)}"
        raise ShapeError("E0406", message, inputs=(place,))
    return x[0], x[1]


def _output_size() -> Pair:
    return pair("Height and width that each region gets.")


def _spatial_scale() -> float:
    return number("Side of the map over that of the image, such as `1 / 16`.", above=0)


def _sampling_ratio() -> int:
    return integer(
        "Points a side of each position; -1 takes as many as the region has cells for it.",
        minimum=-1,
        maximum=64,
        default=-1,
    )


class _OneMap(Op):
    """Regions of one map."""

    inputs = ("x", "regions")

    output_size: Pair

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, R, C, *output_size)."""
        n, channels, *_ = image(inputs[0])
        return (n, regions(inputs[1], 1)[1], channels, *self.output_size)


@op
class RoIAlign(_OneMap):
    """Regions of a map, each sampled to one size, `torchvision.ops.RoIAlign`.

    Points are spread evenly over each region and read by bilinear interpolation; a position is the
    mean of its points. He et al., Mask R-CNN, 2017, section 3.
    """

    output_size: Pair = _output_size()
    spatial_scale: float = _spatial_scale()
    sampling_ratio: int = _sampling_ratio()
    aligned: bool = flag("Shift by half a pixel, so that centres meet.", default=False)

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return ROI_ALIGN


@op
class RoIPool(_OneMap):
    """Regions of a map, each pooled to one size by its maximum, `torchvision.ops.RoIPool`.

    Corners are rounded to whole cells. Girshick, Fast R-CNN, 2015, section 2.1.
    """

    output_size: Pair = _output_size()
    spatial_scale: float = _spatial_scale()

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return ROI_POOL


@op
class MultiScaleRoIAlign(Op):
    """Regions, each sampled to one size from the map that suits its area.

    Maps are named from fine to coarse, the side of each half that of the one before. A region of
    side s is read from level ``floor(canonical_level + log2(s / canonical_scale) + 1e-6)``, or the
    nearest that there is, where level k has the stride ``2**k``: `torchvision.ops.MultiScaleRoIAlign`,
    after Lin et al., Feature Pyramid Networks, 2017, equation 1.
    """

    inputs = ("regions", "maps")
    is_open = True
    takes_list = True

    output_size: Pair = _output_size()
    stride: int = integer(
        "Pixels of the image a cell of the finest map, a power of 2.", keyword=True
    )
    sampling_ratio: int = _sampling_ratio()
    canonical_scale: int = integer(
        "Side of the region that goes to `canonical_level`.", default=224
    )
    canonical_level: int = integer("Level of a region of that side.", default=4)

    @property
    def helper(self) -> Helper:
        """The class itself."""
        return MULTI_SCALE

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, R, C, *output_size)."""
        n, count = regions(inputs[0], 0)
        if not math.log2(self.stride).is_integer():
            message = f"stride={self.stride} is no power of 2"
            raise ShapeError("E0407", message, argument="stride")
        maps = inputs[1:]
        channels = [image(x, place)[1] for place, x in enumerate(maps, 1)]
        for place, width in enumerate(channels[1:], 2):
            if width != channels[0]:
                shapes = f"{shape_text(maps[0])} and {shape_text(maps[place - 1])}"
                message = f"the maps differ in channels: {shapes}"
                raise ShapeError("E0403", message, inputs=(1, place))
        return (n, count, channels[0], *self.output_size)


@op
class IsBox(FunctionalOp):
    """Which regions are boxes: those of positive width and height, (N, R, 4) to (N, R).

    `Proposals` fills up the places that it has no box for with empty ones.
    """

    @property
    def helper(self) -> Helper:
        """The function itself."""
        return IS_BOX

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, R)."""
        return regions(inputs[0], 0)

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``is_box(regions)``."""
        return call(Name(IS_BOX.name), inputs[0])


@op
class EachRegion(FunctionalOp):
    """Each region as an image of its own, (N, R, ...) to (N * R, ...): `torch.flatten(x, 0, 1)`.

    Layers of maps take what was cut out for regions in this form; `PerImage` goes back.
    """

    passes_on_memory = True

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N * R, ...)."""
        (x,) = inputs
        if len(x) < 3:
            message = f"needs regions (N, R, ...); this is {shape_text(x, batch=True)}"
            raise ShapeError("E0406", message, inputs=(0,))
        return (product(x[:2]), *x[2:])

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``x.flatten(0, 1)``."""
        return call(Attribute(inputs[0], "flatten"), Literal(0), Literal(1))


@op
class PerImage(FunctionalOp):
    """The regions of each image together again, (N * R, ...) to (N, R, ...), after `EachRegion`."""

    inputs = ("x", "regions")
    passes_on_memory = True

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, R, ...)."""
        x, boxes = inputs
        n, count = regions(boxes, 1)
        if x[0] != product((n, count)):
            message = (
                f"needs a row for each region ({n}, {count}); this is {shape_text(x, batch=True)}"
            )
            raise ShapeError("E0406", message, inputs=(0, 1))
        return (n, count, *x[1:])

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``torch.unflatten(x, 0, regions.shape[:2])``."""
        sizes = Index(Attribute(inputs[1], "shape"), Slice(None, Literal(2)))
        return call(Attribute(Name("torch"), "unflatten"), inputs[0], Literal(0), sizes)
