"""The classes of an emitted file, as data: what each is called, takes, builds and does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.values.expression import Expression

if TYPE_CHECKING:
    from specc.emit.layout import Line
    from specc.ir.graph import Instance
    from specc.ops import Helper

__all__ = ["BODY", "Argument", "Build", "ClassPlan", "Method"]

BODY = 8
"""The indent of a method's statements."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of `__init__`; one without a default must be given."""

    name: str
    kind: str
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its arguments with their types, what it returns, and its statements.

    `hands_on` has the names of what a stage gives to later ones; it is `None` where a method is none.
    """

    name: str
    arguments: tuple[tuple[str, str], ...]
    returns: str
    body: tuple[Line, ...]
    hands_on: tuple[str, ...] | None = None


@dataclass(slots=True, eq=False)
class ClassPlan:
    """A class of the file.

    Attributes:
        init: what `__init__` does, the call of the base class's apart.
        instances: the places where the class is used.
        helpers: the sources that its statements call.
    """

    base: str
    init: tuple[Line, ...]
    methods: tuple[Method, ...]
    instances: list[Instance]
    helpers: list[Helper]
    name: str = ""
    doc: str = ""
    arguments: list[Argument] = field(default_factory=list[Argument])


@dataclass(frozen=True, slots=True)
class Build(Expression):
    """A call of an emitted class, while it is not yet known which arguments the class takes."""

    plan: ClassPlan
    values: tuple[tuple[str, Expression], ...]
