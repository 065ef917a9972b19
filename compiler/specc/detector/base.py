"""What a component of a detector is, and the table of all of them."""

from __future__ import annotations

from typing import ClassVar, TypeVar, dataclass_transform

from specc.ops.base import Declaration, argument, register

__all__ = ["COMPONENTS", "Component", "component"]


class Component(Declaration):
    """A part of a detector; `slot` is the key of `detector:` that it goes under.

    `for_regions` says that it goes under the key of that name in `regions:` as well. `needs_cells`
    says that it is made for anchors that come with their cells. `beside` names, by slot, the only parts
    that it goes with.
    """

    slot: ClassVar[str]
    for_regions: ClassVar[bool] = False
    needs_cells: ClassVar[bool] = False
    beside: ClassVar[dict[str, tuple[str, ...]]] = {}

    @classmethod
    def fits(cls, slot: str) -> bool:
        """Whether it goes under a key of `detector:`, one of `regions:` being `regions.match`."""
        return slot == cls.slot or (cls.for_regions and slot == f"regions.{cls.slot}")

    def check(self) -> None:
        """Raise `ShapeError` where arguments do not go together."""


COMPONENTS: dict[str, type[Component]] = {}
_Component = TypeVar("_Component", bound=type[Component])


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(argument,))
def component(cls: _Component) -> _Component:
    """Register a component under its class name."""
    return register(cls, COMPONENTS)
