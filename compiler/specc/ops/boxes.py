"""Ops that turn maps of predictions into rows of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.ops.arguments import integer
from specc.ops.base import FunctionalOp, Helper, ShapeError, call, op
from specc.ops.shapes import image, product
from specc.values.expression import Expression, Name
from specc.values.traced import formula

if TYPE_CHECKING:
    from specc.values.dimensions import Shape

__all__ = ["PerBox"]

PER_BOX = Helper(
    "per_box",
    '''\
def per_box(x: Tensor, columns: int) -> Tensor:
    """One row a box: (N, boxes * columns, H, W) -> (N, H * W * boxes, columns)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, columns)
''',
)


@op
class PerBox(FunctionalOp):
    """One row a box: (N, boxes * columns, H, W) becomes (N, H * W * boxes, columns).

    Boxes run along the width first, then the height, those of one cell together, as SSD and
    RetinaNet number them.
    """

    columns: int = integer("Numbers that belong to one box.")

    @property
    def helper(self) -> Helper:
        """The function itself."""
        return PER_BOX

    def shape(self, *inputs: Shape) -> Shape:
        """Return (N, H * W * C / columns, columns)."""
        n, channels, height, width = image(inputs[0])
        if not isinstance(channels, int) or channels % self.columns:
            message = f"{channels} channels do not make rows of {self.columns}"
            raise ShapeError("E0502", message, argument="columns", inputs=(0,))
        return (n, product((height, width, channels // self.columns)), self.columns)

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return ``per_box(x, columns)``."""
        return call(Name(PER_BOX.name), inputs[0], formula(self.columns))
