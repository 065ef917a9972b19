"""How an image becomes the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specc.detector.base import Component, component
from specc.ops.arguments import choice, number, several
from specc.ops.base import argument

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Preprocess"]


def _triple(doc: str, default: Sequence[float]) -> Any:
    return argument(doc, several({"type": "number"}, 3, 3), default=tuple(default))


@component
class Preprocess(Component):
    """How an image becomes the input: ``(x * scale / 255 - mean) / std`` for each channel."""

    slot = "preprocess"

    channels: str = choice("Order of the channels.", ("RGB", "BGR"), default="RGB")
    scale: float = number("What white is brought to.", above=0, default=1.0)
    mean: tuple[float, ...] = _triple("Taken off, in units of `scale`.", (0.0, 0.0, 0.0))
    std: tuple[float, ...] = _triple("Divided by.", (1.0, 1.0, 1.0))
    resize: str = choice(
        "How an image is brought to the input's size.", ("stretch",), default="stretch"
    )
