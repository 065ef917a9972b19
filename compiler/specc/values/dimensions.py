"""Sizes of tensors: numbers, or names whose value is only known later.

A dimension is an `int` or a `Size`. `Size("N")` is a batch that stays symbolic; the sizes that a
chain of windows makes of a symbolic height keep the closed form ``floor((H + add) / divide)``,
so that a backbone of stride 32 shows ``ceil(H/32)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_letters

__all__ = ["Dim", "Shape", "Size", "factor", "floor_divide", "multiply", "shape_text", "shift"]


@dataclass(frozen=True, slots=True)
class Size:
    """``floor((name + add) / divide)``, a size that is known by name only."""

    name: str
    add: int = 0
    divide: int = 1

    def __str__(self) -> str:
        if self.divide == 1:
            return self.name if not self.add else f"{self.name}{self.add:+d}"
        if self.add == 0:
            return f"floor({self.name}/{self.divide})"
        if self.add == self.divide - 1:
            return f"ceil({self.name}/{self.divide})"
        return f"floor(({self.name}{self.add:+d})/{self.divide})"


Dim = int | Size
Shape = tuple[Dim, ...]


def shift(size: Dim, by: int) -> Dim:
    """Return ``size + by``."""
    if isinstance(size, Size):
        return Size(size.name, size.add + by * size.divide, size.divide)
    return size + by


def floor_divide(size: Dim, by: int) -> Dim:
    """Return ``floor(size / by)``; nested floors of integers are one floor."""
    if by == 1:
        return size
    if isinstance(size, Size):
        return Size(size.name, size.add, size.divide * by)
    return size // by


def multiply(size: Dim, by: int) -> Dim:
    """Return ``size * by``; a symbolic product that has no closed form is a new name."""
    if by == 1:
        return size
    if isinstance(size, Size):
        if size.divide == 1 and size.add == 0:
            return Size(f"{by}{size.name}")
        return Size(f"{by}*{size}")
    return size * by


def factor(size: Dim) -> int | None:
    """Return what a name is multiplied by, 5 for ``5N``; nothing if that is a name as well.

    A number is a batch that the spec has fixed, and counts as a name does.
    """
    if isinstance(size, int):
        return 1
    number = size.name.rstrip("_" + ascii_letters)
    return int(number or 1) if number.isdigit() or not number else None


def shape_text(shape: Shape | None, *, batch: bool = False) -> str:
    """Write a shape as people do: ``512x38x38``, without the batch unless asked, or ``?``."""
    if shape is None:
        return "?"
    shown = shape if batch else shape[1:]
    return "x".join(str(size) for size in shown) if shown else "scalar"
