"""The parts of a detector that are not layers: boxes, coder, matching, loss, selection, input.

Each is declared once, like an op. The compiler checks its arguments and writes them into the
emitted `DETECTOR` literal; the runtime has the code of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

from specc.ops.arguments import choice, flag, integer, number, numbers
from specc.ops.base import Declaration, argument

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMPONENTS", "Anchors", "Component", "component"]


class Component(Declaration):
    """A part of a detector; `slot` is the key of `detector:` that it goes under."""

    slot: ClassVar[str]


class Anchors(Component):
    """A component that lays boxes over the maps."""

    slot = "anchors"

    def per_cell(self) -> list[int]:
        """Return the number of boxes at each cell of each map."""
        raise NotImplementedError


COMPONENTS: dict[str, type[Component]] = {}
_Component = TypeVar("_Component", bound=type[Component])


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(argument,))
def component(cls: _Component) -> _Component:
    """Register a component under its class name."""
    made = dataclass(frozen=True, kw_only=True)(cls)
    made.arguments = made.read_arguments()
    COMPONENTS[made.__name__] = made
    return made


def _triple(doc: str, default: Sequence[float]) -> Any:
    item = {"type": "number"}
    schema = {"type": "array", "items": item, "minItems": 3, "maxItems": 3}
    return argument(doc, schema, default=tuple(default))


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


@component
class DefaultBoxes(Anchors):
    """SSD's default boxes (Liu et al., section 2.2), with sizes and strides in pixels of the input.

    A cell of map k has a square of side ``sizes[k]``, one of ``sqrt(sizes[k] * sizes[k + 1])``, and
    for each ratio r two of area ``sizes[k]**2``, wide and tall.
    """

    sizes: list[float] = numbers("Side of the square box of each map, and one more.")
    ratios: list[list[float]] = numbers("Aspect ratios of each map, beside 1.")
    strides: list[float] = numbers("Distance of the cells of each map.")
    clip: bool = flag("Whether boxes end at the image's edge.", default=False)

    def per_cell(self) -> list[int]:
        """Return ``2 + 2 * len(ratios)`` for each map."""
        return [2 + 2 * len(row) for row in self.ratios]

    def lengths(self) -> dict[str, int]:
        """Return how many maps each list speaks of."""
        return {
            "sizes": len(self.sizes) - 1,
            "ratios": len(self.ratios),
            "strides": len(self.strides),
        }


@component
class BoxCoder(Component):
    """Offsets of centre and log-size from a box, times `weights` (Girshick et al., R-CNN, appendix C)."""

    slot = "coder"

    weights: tuple[float, ...] = argument(
        "Factors of x, y, width and height.",
        {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0},
            "minItems": 4,
            "maxItems": 4,
        },
        default=(1.0, 1.0, 1.0, 1.0),
    )
    clamp: float | None = number("Largest log-size decoded.", above=0, default=None)


@component
class IoUMatch(Component):
    """Give each anchor the object it overlaps most (SSD, section 2.2, matching strategy)."""

    slot = "match"

    foreground: float = number(
        "IoU from which an anchor is positive.", minimum=0, maximum=1, default=0.5
    )
    background: float | None = number(
        "IoU below which it is negative; `foreground` if left out.",
        minimum=0,
        maximum=1,
        default=None,
    )
    best_for_each_object: bool = flag(
        "Whether the best anchor of an object is positive whatever its IoU.", default=True
    )

    def settings(self) -> dict[str, Any]:
        """Return the arguments, with `background` as it applies."""
        settings = super().settings()
        return (
            settings if self.background is not None else settings | {"background": self.foreground}
        )


@component
class MultiBoxLoss(Component):
    """Smooth L1 and cross-entropy over positives and the hardest negatives (SSD, equation 1)."""

    slot = "loss"

    negatives_per_positive: float = number("Ratio of the mined negatives.", above=0, default=3.0)


@component
class NMS(Component):
    """Keep the best box of each overlapping group, class by class (SSD, section 3)."""

    slot = "select"

    score: float = number("Smallest score looked at.", minimum=0, maximum=1, default=0.01)
    per_class: int = integer("Boxes of a class that enter.", default=400)
    iou: float = number(
        "Overlap above which the weaker box goes.", minimum=0, maximum=1, default=0.45
    )
    keep: int = integer("Boxes of an image that leave.", default=200)
