"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops.arguments import flag, number
from specc.ops.base import Op, op
from specc.ops.shapes import image

if TYPE_CHECKING:
    from specc.values.dimensions import Shape

__all__ = ["Dropout", "Dropout2d"]


def _probability() -> float:
    return number("Share that is zeroed in training.", minimum=0, maximum=1, default=0.5)


def _inplace() -> bool:
    return flag("Write the result over the input.", default=False)


@op
class Dropout(Op):
    """Zero numbers at random in training, divide the rest by ``1 - p``, `torch.nn.Dropout`."""

    passes_on_memory = True

    p: float = _probability()
    inplace: bool = _inplace()


@op
class Dropout2d(Op):
    """Zero whole channels at random in training, `torch.nn.Dropout2d`."""

    passes_on_memory = True

    p: float = _probability()
    inplace: bool = _inplace()

    def shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        image(inputs[0])
        return inputs[0]
