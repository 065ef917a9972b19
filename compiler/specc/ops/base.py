"""What an op is: typed attributes, a shape rule, its cost, and the PyTorch that it emits.

An op is one class. Its attributes, with their documentation and bounds, make the JSON Schema that
every call is checked against and the manual page; its methods are all that any phase knows of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, dataclass_transform

from specc.values.expression import Attribute as Dotted
from specc.values.expression import Call, Expression, Name, Series
from specc.values.traced import formula

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from specc.values.dimensions import Shape

__all__ = [
    "OPS",
    "Argument",
    "Declaration",
    "Entry",
    "FunctionalOp",
    "Helper",
    "Op",
    "ShapeError",
    "Window",
    "argument",
    "call",
    "known_here",
    "nn",
    "op",
    "register",
]


class ShapeError(Exception):
    """An op cannot take what arrives.

    Attributes:
        code: the diagnostic's code.
        message: what is wrong, with the numbers.
        argument: the attribute to point at, if one is to blame.
        help: the edit to make.
        inputs: the places of the inputs to point at.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        argument: str | None = None,
        help: str | None = None,
        inputs: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.argument = argument
        self.help = help
        self.inputs = inputs


@dataclass(frozen=True, slots=True)
class Argument:
    """An attribute as a caller sees it.

    Attributes:
        schema: its JSON Schema.
        inferred: the dimension of the input that it must equal, when `_` or left out infers it.
        keyword: emitted as a keyword.
        tries: values a repair may try.
        convert: brings a value that the schema lets through into its one form.
    """

    name: str
    doc: str
    schema: dict[str, Any]
    default: object
    inferred: int | None
    keyword: bool
    tries: tuple[object, ...]
    convert: Callable[[Any], Any] | None

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is dataclasses.MISSING and self.inferred is None

    def written(self, value: object) -> Expression:
        """Return the expression that people write for a value: ``3`` for ``(3, 3)``."""
        whole = formula(value)
        if self.convert is None or not isinstance(whole, Series) or len(set(whole.items)) != 1:
            return whole
        first = cast("tuple[object, ...]", value)[0]
        return formula(first) if self.convert(first) == value else whole


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of the state dict: a parameter, or a buffer."""

    name: str
    shape: tuple[int, ...]
    is_parameter: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """How far an op sees: kernel, stride and dilation along height and width."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class Helper:
    """Source that an emitted file carries once because torch has no such class.

    Attributes:
        imports: what the source needs beside ``from torch import Tensor, nn``.
        needs: the helpers that the source calls, to be written above it.
    """

    name: str
    source: str
    imports: tuple[str, ...] = ()
    needs: tuple[Helper, ...] = ()


def argument(
    doc: str,
    schema: dict[str, Any],
    *,
    default: object = dataclasses.MISSING,
    inferred: int | None = None,
    keyword: bool = True,
    tries: tuple[object, ...] = (),
    convert: Callable[[Any], Any] | None = None,
) -> Any:
    """Declare an attribute of an op; see `specc.ops.arguments` for the usual kinds."""
    if convert is not None and default is not dataclasses.MISSING:
        default = convert(default)
    declared = Argument("", doc, schema, default, inferred, keyword, tries, convert)
    return dataclasses.field(default=default, metadata={"argument": declared})


def nn(name: str) -> Expression:
    """Return ``nn.name``."""
    return Dotted(Name("nn"), name)


def call(function: Expression, *positional: Expression, **keywords: Expression) -> Call:
    """Return ``function(*positional, **keywords)``."""
    named = tuple((name, value, (0, 0)) for name, value in keywords.items())
    return Call(function, positional, named)


class Declaration:
    """Anything that a call in a spec may name and that has typed arguments."""

    arguments: ClassVar[dict[str, Argument]]

    @classmethod
    def read_arguments(cls) -> dict[str, Argument]:
        """Collect the declared arguments, in PyTorch's order."""
        return {
            field.name: dataclasses.replace(field.metadata["argument"], name=field.name)
            for field in dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
        }

    def __post_init__(self) -> None:
        """Bring each argument into its one form."""
        for name, declared in self.arguments.items():
            if declared.convert is not None:
                object.__setattr__(self, name, declared.convert(getattr(self, name)))

    def settings(self) -> dict[str, Any]:
        """Return the attributes and their values."""
        return {name: getattr(self, name) for name in self.arguments}

    def construct(self, function: Expression, *, without: tuple[str, ...] = ()) -> Call:
        """Call `function` with the attributes, leaving out those at torch's default."""
        positional: list[Expression] = []
        keywords: dict[str, Expression] = {}
        for name, value in self.settings().items():
            declared = self.arguments[name]
            if name in without:
                continue
            if not declared.keyword:
                positional.append(declared.written(value))
            elif declared.required or formula(value) != formula(declared.default):
                keywords[name] = declared.written(value)
        return call(function, *positional, **keywords)


class Op(Declaration):
    """A row's operation. Subclasses are dataclasses of their attributes; see `Conv2d`.

    What it emits may read the names `torch`, `nn`, `functional` and that of its helper. Every size
    that arrives is at least one, and so must every size be that leaves: an empty map is refused.
    """

    elsewhere: ClassVar[tuple[str, ...]] = ()
    """What other libraries and papers call it, which is told to who calls it so here."""

    inputs: ClassVar[tuple[str, ...] | None] = ("x",)
    """The names of its inputs; `None` takes any number from one on."""

    optional: ClassVar[int] = 0
    """How many of the last inputs may be left out."""

    is_open: ClassVar[bool] = False
    """Whether any number of tensors, from one on, may stand for the last input."""

    passes_on_memory: ClassVar[bool] = False
    """Whether its value may lie in its input's memory."""

    may_lack: ClassVar[tuple[str, ...]] = ()
    """The tensors that a layer's class declares as perhaps `None`."""

    takes_list: ClassVar[bool] = False
    """Whether `expression` takes a whole list, written `*list`."""

    @classmethod
    def takes(cls, count: int) -> bool:
        """Whether it can be called with so many inputs."""
        if cls.inputs is None:
            return count >= 1
        most = count if cls.is_open else len(cls.inputs)
        return len(cls.inputs) - cls.optional <= count <= most

    @property
    def helper(self) -> Helper | None:
        """The source that its emission calls, if torch alone does not do."""
        return None

    @property
    def overwrites_input(self) -> bool:
        """Whether the op writes its result into its input's memory."""
        return bool(getattr(self, "inplace", False))

    def shape(self, *inputs: Shape) -> Shape:
        """Return the output's shape, or raise `ShapeError`."""
        return inputs[0]

    def state(self) -> tuple[Entry, ...]:
        """Return the tensors that the op adds to the state dict, in torch's order."""
        return ()

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Return the multiply-adds for one image, counted as torch's FLOP counter does.

        A side that is known by name only counts as one.
        """
        del output, inputs
        return 0

    def window(self) -> Window | None:
        """Return how far the op sees, if it sees more than a point."""
        return None

    @property
    def layer_class(self) -> Expression:
        """The class that its layers are instances of: torch's, or the helper."""
        return Name(self.helper.name) if self.helper else nn(type(self).__name__)

    def constructor(self) -> Expression | None:
        """Return the expression that builds the layer; `None` for an op without one."""
        return self.construct(self.layer_class)

    def expression(self, inputs: tuple[Expression, ...]) -> Expression:
        """Return the expression that applies an op that has no constructor.

        A list of tensors arrives as a `Star` of its name.
        """
        raise NotImplementedError

    def alternatives(self) -> Iterator[tuple[str, object, Op]]:
        """Yield attribute, value and the op with that one changed, for repairs."""
        for name, declared in self.arguments.items():
            for value in declared.tries:
                changed = type(self)(**self.settings() | {name: value})
                if changed.settings() != self.settings():
                    yield name, value, changed


class FunctionalOp(Op):
    """An op that builds no layer: its `expression` stands in `forward`."""

    def constructor(self) -> Expression | None:
        """Return nothing."""
        return None


_Declared = TypeVar("_Declared", bound=type[Declaration])


def register(cls: _Declared, table: dict[str, Any]) -> _Declared:
    """Make a declaration a dataclass, and enter it in a table under its name."""
    made = dataclass(frozen=True, kw_only=True)(cls)
    made.arguments = made.read_arguments()
    table[made.__name__] = made
    return made


OPS: dict[str, type[Op]] = {}


def known_here(word: str) -> str | None:
    """Return the op that others call so: `Cat` for `Concat`."""
    ops = (name for name, op in OPS.items() if word.casefold() in map(str.casefold, op.elsewhere))
    return next(ops, None)


_Op = TypeVar("_Op", bound=type[Op])


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(argument,))
def op(cls: _Op) -> _Op:
    """Register an op under its class name."""
    return register(cls, OPS)
