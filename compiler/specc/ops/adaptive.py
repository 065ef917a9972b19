"""Pools that make an output of a given size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops.arguments import as_pair, flag, integer_schema, or_none, pair_schemas
from specc.ops.base import Op, argument, op
from specc.ops.pooling import refuse_indices
from specc.ops.shapes import image

if TYPE_CHECKING:
    from specc.values.dimensions import Shape

__all__ = ["AdaptiveAvgPool2d", "AdaptiveMaxPool2d"]

OptionalPair = tuple[int | None, int | None]

PAIR = pair_schemas(or_none(integer_schema()))[1]


class _AdaptivePool(Op):
    """The shape rule that both adaptive pools share."""

    output_size: OptionalPair

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C, *output_size), a side that is `None` as it arrives."""
        n, c, *arriving = image(inputs[0])
        sides = zip(self.output_size, arriving, strict=True)
        return (n, c, *(side if wanted is None else wanted for wanted, side in sides))


def _output_size() -> OptionalPair:
    return argument(
        "Height and width of the output; `None` keeps a side as it arrives.",
        {"anyOf": [integer_schema(), PAIR]},
        convert=as_pair,
    )


@op
class AdaptiveAvgPool2d(_AdaptivePool):
    """Mean over as many windows as the output has positions, `torch.nn.AdaptiveAvgPool2d`.

    Window i of a side runs from ``floor(i * side / size)`` to ``ceil((i + 1) * side / size)``.
    """

    elsewhere = ("GlobalAvgPool", "GlobalAvgPool2d", "GlobalAveragePooling2D")

    output_size: OptionalPair = _output_size()


@op
class AdaptiveMaxPool2d(_AdaptivePool):
    """Maximum over as many windows as the output has positions, `torch.nn.AdaptiveMaxPool2d`.

    The windows are those of `AdaptiveAvgPool2d`.
    """

    output_size: OptionalPair = _output_size()
    return_indices: bool = flag("Not supported: only `False`.", default=False)

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, C, *output_size), a side that is `None` as it arrives."""
        refuse_indices(self.return_indices)
        return super().shape(*inputs)
