"""Fully connected layers."""

from __future__ import annotations

import math

from specc.ops.arguments import flag, inferred, integer
from specc.ops.base import Entry, Op, ShapeError, op
from specc.values.dimensions import Shape, shape_text

__all__ = ["Linear"]


@op
class Linear(Op):
    """``x @ weight.T + bias`` over the last dimension, `torch.nn.Linear`."""

    elsewhere = ("Dense", "FullyConnected", "InnerProduct")

    in_features: int = inferred("Numbers that arrive in a row.", dimension=-1)
    out_features: int = integer("Numbers that leave in a row.")
    bias: bool = flag("Whether a bias is learned.", default=True)

    def shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape with another last dimension."""
        if len(inputs[0]) < 2:
            message = f"needs rows; this is {shape_text(inputs[0], batch=True)}"
            raise ShapeError("E0406", message, inputs=(0,))
        return (*inputs[0][:-1], self.out_features)

    def state(self) -> tuple[Entry, ...]:
        """Return the weight (out, in) and the bias."""
        weight = Entry("weight", (self.out_features, self.in_features))
        return (weight, Entry("bias", (self.out_features,))) if self.bias else (weight,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Return one multiply-add per weight and row."""
        del inputs
        numbers = math.prod(size for size in output[1:] if isinstance(size, int))
        return self.in_features * numbers
