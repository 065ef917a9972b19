"""A spec as its author meant it: modules, rows and their phrases, read from a document.

Names are not resolved here. Every piece of text that is an expression is a `Phrase`, which knows
where in the file each of its parts stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.values.expression import shifted

if TYPE_CHECKING:
    from specc.documents import Mapping, Scalar, Span
    from specc.ir.key_patterns import KeyPattern, KeyTemplate
    from specc.values.expression import At, Expression

__all__ = [
    "InputSpec",
    "MapSpec",
    "ModuleSpec",
    "ParamSpec",
    "Phrase",
    "RowSpec",
    "Setting",
    "Spec",
]


@dataclass(frozen=True, slots=True)
class Phrase:
    """An expression and the text it was read from."""

    expression: Expression
    span: Span
    offset: int = 0

    @property
    def start(self) -> int:
        """Return the place in the file from which the expression's positions count."""
        return self.span.start + self.offset

    def at(self, at: At) -> Span:
        """Return where a part of the expression stands."""
        start, end = at
        if end <= start:
            return self.span
        return self.span.within(start + self.offset, end + self.offset)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a row says under a name: a list to walk over, an argument, a tensor's initial values."""

    name: str
    span: Span
    phrase: Phrase

    def placed_in(self, call: Phrase) -> tuple[str, Expression, At]:
        """Return it as a keyword of a call, with positions that count from the call's text."""
        value = shifted(self.phrase.expression, self.phrase.start - call.start)
        at = self.span.start - call.start, self.span.end - call.start
        return self.name, value, at


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
        repeat: how many instances run one after another; `turn` names the number of each,
            and `turn_span` is where it does.
        each: the lists that a loop walks over, by the name of the item.
        first: arguments of the first of the repeated instances.
        init: the initial values of the op's tensors.
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
    turn: str | None = None
    turn_span: Span | None = None
    first: tuple[Setting, ...] = ()
    each: tuple[Setting, ...] = ()
    init: tuple[Setting, ...] = ()
    shared: bool = False


@dataclass(frozen=True, slots=True)
class InitSpec:
    """How a module fills the tensors of all ops of a kind in it."""

    op: str
    span: Span
    values: tuple[Setting, ...]


@dataclass(slots=True, eq=False)
class ModuleSpec:
    """A module: a class of the emitted code. `spec` is the file that it stands in."""

    name: str
    span: Span
    params: dict[str, ParamSpec] = field(default_factory=dict[str, "ParamSpec"])
    inputs: list[InputSpec] = field(default_factory=list["InputSpec"])
    let: dict[str, Phrase] = field(default_factory=dict[str, "Phrase"])
    init: list[InitSpec] = field(default_factory=list["InitSpec"])
    rows: list[RowSpec] = field(default_factory=list["RowSpec"])
    outputs: list[tuple[str, Phrase]] | None = None
    is_list: bool = False
    doc: str | None = None
    spec: Spec = field(init=False, repr=False)

    @property
    def is_root(self) -> bool:
        """Whether it is the whole of its file."""
        return self.spec.root is self


@dataclass(frozen=True, slots=True)
class MapSpec:
    """What one kind of checkpoint calls this model's tensors.

    Attributes:
        lines: our keys and theirs; the first line that fits a key counts.
        into: the part that the checkpoint holds, if it is not the whole model.
        condition: for which parameters it speaks.
        new: our keys that it has nothing for.
        drop: their keys that we have no use for.
        convert: what is to be done to some of their tensors.
        preprocess: the input that its weights were trained on, where it is not the spec's.
    """

    name: str
    span: Span
    lines: list[tuple[KeyPattern, KeyTemplate]]
    into: Scalar | None
    condition: Phrase | None
    new: list[KeyPattern]
    drop: list[KeyPattern]
    convert: list[tuple[KeyPattern, Phrase]]
    preprocess: Phrase | None


@dataclass(slots=True, eq=False)
class Spec:
    """A file: its root module, the modules beside it, and what is not a layer.

    The keys of `detector` are those of the section; of its part `regions`, `regions.match` and so on.
    """

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
    weights: dict[str, MapSpec]
    title: str
    cite: str | None
    class_name: str | None

    @property
    def written_rows(self) -> int:
        """Return the number of rows that the file writes out."""
        return sum(len(module.rows) for module in (self.root, *self.modules.values()))
