"""A spec as its author meant it: modules, rows and their phrases, read from a document.

Names are not resolved here. Every piece of text that is an expression is a `Phrase`, which knows
where in the file each of its parts stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specc.documents import Mapping, Node, Span
    from specc.values.expression import At, Expression

__all__ = ["InputSpec", "ModuleSpec", "ParamSpec", "Phrase", "RowSpec", "Spec"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """An expression and the text it was read from."""

    expression: Expression
    span: Span
    offset: int = 0

    def at(self, at: At) -> Span:
        """Return where a part of the expression stands."""
        start, end = at
        if end <= start:
            return self.span
        return self.span.within(start + self.offset, end + self.offset)


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A parameter: its type, and its default unless it must be given."""

    name: str
    kind: str
    default: object
    required: bool
    span: Span


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input: its name and, where declared, its shape."""

    name: str
    shape: Phrase | None
    span: Span


@dataclass(frozen=True, slots=True)
class RowSpec:
    """A row of `layers`.

    Attributes:
        key: its part of the state-dict path: the position in a list, the name in a mapping.
        name: the name of its value, if it has one.
        span: where the row stands; `name_span` where its name does.
        call: the constructor call, or, for a row that only names values, their expression.
        inputs: the expressions of the second parentheses; `None` takes the row before.
        keywords: the same for named inputs (`like=y`).
        expect: what should come out.
    """

    key: str
    name: str | None
    span: Span
    name_span: Span
    call: Phrase
    is_value: bool = False
    inputs: tuple[Expression, ...] | None = None
    keywords: tuple[tuple[str, Expression, At], ...] = ()
    expect: Phrase | None = None
    condition: Phrase | None = None
    repeat: Phrase | None = None
    first: tuple[tuple[str, Phrase], ...] = ()
    each: tuple[tuple[str, Phrase], ...] = ()
    shared: bool = False


@dataclass(slots=True, eq=False)
class ModuleSpec:
    """A module: a class of the emitted code."""

    name: str
    span: Span
    params: dict[str, ParamSpec] = field(default_factory=dict[str, "ParamSpec"])
    inputs: list[InputSpec] = field(default_factory=list["InputSpec"])
    let: dict[str, Phrase] = field(default_factory=dict[str, "Phrase"])
    rows: list[RowSpec] = field(default_factory=list["RowSpec"])
    outputs: list[tuple[str, Phrase]] | None = None
    is_list: bool = False
    doc: str | None = None
    spec: Spec | None = None


@dataclass(slots=True, eq=False)
class Spec:
    """A file: its root module, the modules beside it, and what is not a layer."""

    path: str
    name: str
    root: ModuleSpec
    modules: dict[str, ModuleSpec]
    use: dict[str, tuple[str, Span]]
    variants: dict[str, Mapping]
    stages: list[tuple[str, str, Span]]
    expect: list[Mapping]
    preprocess: Phrase | None
    detector: dict[str, Phrase]
    detector_span: Span | None
    weights: Node | None
    title: str
    cite: str | None
    class_name: str | None

    @property
    def written_rows(self) -> int:
        """Return the number of rows that the file writes out."""
        return sum(len(module.rows) for module in (self.root, *self.modules.values()))
