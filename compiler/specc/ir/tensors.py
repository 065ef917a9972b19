"""The values that rows pass on: tensors, results of modules, and things yet to be called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from specc.documents import did_you_mean
from specc.ir.context import Reported
from specc.values.dimensions import Size
from specc.values.expression import ExpressionError
from specc.values.traced import substitute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as MappingType

    from specc.ir.graph import Instance
    from specc.ir.spec import Spec
    from specc.values.dimensions import Shape
    from specc.values.expression import At

__all__ = [
    "INFER",
    "UNKNOWN",
    "Callee",
    "Inner",
    "Result",
    "Tensor",
    "inner_leaves",
    "leaves",
    "spread",
]


class _Infer:
    """What `_` means as an argument: infer this."""

    def __str__(self) -> str:
        return "`_`"


class _Unknown:
    """The value of a constant that could not be computed, which has been reported."""


INFER = _Infer()
UNKNOWN = _Unknown()


@dataclass(frozen=True, slots=True)
class Callee:
    """The name of an op or module, as a value, and the file in which it means something.

    `alias` is what that file calls another one, if the module is of that.
    """

    name: str
    spec: Spec = field(compare=False, repr=False)
    alias: str = ""

    def __str__(self) -> str:
        return f"`{self.name}`"

    def tap(self, name: str, at: At) -> object:
        """Return a module of a used file: `ResNet.BasicBlock`."""
        if self.alias or self.name not in self.spec.use:
            help = "a file that is used has modules"
            raise ExpressionError(f"{self} has no `{name}`", at, help, "E0303")
        return Callee(name, self.spec, self.name)


@dataclass(slots=True, eq=False)
class Tensor:
    """A tensor in one scope: its shape (`None` when unknown) and the node that made it."""

    shape: Shape | None
    origin: str

    def __str__(self) -> str:
        return "a tensor"

    def truth(self, at: At) -> bool:
        """Refuse to decide anything."""
        if self.shape is None:
            raise Reported
        raise _undecided("a tensor", at)

    def tap(self, name: str, at: At) -> object:
        """Return `channels`, the only property of a tensor."""
        if self.shape is None:
            raise Reported
        if name != "channels":
            help = "a tensor has `channels`"
            raise ExpressionError(f"a tensor has no `{name}`", at, help, "E0303")
        if len(self.shape) < 2:
            message = f"a tensor of {len(self.shape)} dimension has no channels"
            raise ExpressionError(message, at, "use a map (N, C, H, W)", "E0303")
        if isinstance(self.shape[1], Size):
            message = f"`channels` is {self.shape[1]} here, which is no number yet"
            raise ExpressionError(message, at, "give `inputs` a number of channels")
        return self.shape[1]

    def item(self, index: int | slice, at: At) -> object:
        """Refuse to be taken apart."""
        del index
        if self.shape is None:
            raise Reported
        raise ExpressionError("a tensor is no list", at, "name the row itself, or a list of rows")


@dataclass(slots=True, eq=False)
class Result:
    """What a module gives back, as seen from where it was called.

    Its outputs and taps come out of the module when they are used, and only then: `exports` of
    the instance is what the emitted class has to return.
    """

    instance: Instance
    replacements: MappingType[str, object]
    outside: dict[int, Any]

    def __str__(self) -> str:
        return f"what `{self.instance.spec.name}` gives"

    def truth(self, at: At) -> bool:
        """Refuse to decide anything."""
        raise _undecided(str(self), at)

    def tap(self, name: str, at: At) -> object:
        """Return an output, a named row, or the `channels` of the only output."""
        named = dict(self.instance.outputs)
        if name in named:
            return self.export(named[name])
        inner = self.instance.env.get(name)
        rows = [row.name for row in self.instance.rows if row.name is not None]
        only = next(iter(named.values())) if len(named) == 1 else None
        if name == "channels" and name not in rows and isinstance(only, (Tensor, Result, Inner)):
            return self.export(only.tap(name, at))
        if name not in rows:
            known = ", ".join(f"`{tap}`" for tap in dict.fromkeys([*named, *rows])) or "no names"
            help = did_you_mean(name, [*named, *rows], f"it has {known}")
            message = f"`{self.instance.spec.name}` has no row or output named `{name}`"
            raise ExpressionError(message, at, help, "E0303")
        return self.export(inner)

    def item(self, index: int | slice, at: At) -> object:
        """Return an output by its place."""
        values = self.values()
        if isinstance(index, slice):
            return values[index]
        if not -len(values) <= index < len(values):
            if any(isinstance(value, Tensor) and value.shape is None for value in values):
                raise Reported
            message = f"there is no output {index}: `{self.instance.spec.name}` has {len(values)}"
            raise ExpressionError(message, at, "count from 0", "E0303")
        return values[index]

    def values(self) -> list[Any]:
        """Return the outputs; a single output that is a list stands for its items."""
        outputs = [self.export(value) for _, value in self.instance.outputs]
        if len(outputs) == 1 and isinstance(outputs[0], list):
            return cast("list[Any]", outputs[0])
        return outputs

    def export(self, inner: Any) -> Any:
        """Bring an inner value to the outside."""
        if isinstance(inner, (Result, Inner)):
            return Inner(self, inner)
        if not isinstance(inner, (Tensor, list)):
            return self._number(inner)
        value = cast("Any", inner)
        if id(value) not in self.outside:
            self.outside[id(value)] = self.outer(value)
        if not _holds_modules(value):
            self.use(value)
        return self.outside[id(value)]

    def use(self, inner: Any) -> None:
        """Note that an inner value is used outside."""
        if all(known is not inner for known in self.instance.exports):
            self.instance.exports.append(inner)

    def outer(self, inner: Any, whole: list[Any] | None = None) -> Any:
        """Return an inner value, or an item of a `whole` list, as it is seen from outside."""
        if isinstance(inner, list):
            items = cast("list[Any]", inner)
            return [self.outer(item, whole or items) for item in items]
        if isinstance(inner, (Result, Inner)):
            return Inner(self, inner, whole)
        if not isinstance(inner, Tensor) or inner.shape is None:
            return inner
        return Tensor(tuple(self._number(side) for side in inner.shape), inner.origin)

    def _number(self, inner: Any) -> Any:
        return substitute(inner, self.replacements) if isinstance(inner, int) else inner


@dataclass(slots=True, eq=False)
class Inner:
    """A result inside a result: its taps come out through both.

    One that is an item of a list is given by the outer module as a part of the `whole` list.
    """

    outer: Result
    inner: Result | Inner
    whole: list[Any] | None = None
    made: list[Any] = field(default_factory=list[Any])

    def __str__(self) -> str:
        return str(self.inner)

    def truth(self, at: At) -> bool:
        """Refuse to decide anything."""
        return self.inner.truth(at)

    def tap(self, name: str, at: At) -> object:
        """Return an output or named row of the inner module."""
        return self.outer.export(self.inner.tap(name, at))

    def item(self, index: int | slice, at: At) -> object:
        """Return an output of the inner module."""
        value = self.inner.item(index, at)
        if isinstance(value, list):
            return [self.outer.export(item) for item in cast("list[Any]", value)]
        return self.outer.export(value)

    def values(self) -> list[Any]:
        """Return the outputs of the inner module."""
        if self.whole is None:
            return [self.outer.export(value) for value in self.inner.values()]
        if not self.made:
            self.made += [self.outer.outer(value) for value in spread(self.inner)]
            list(leaves(self.whole))  # brings what the list holds out of its modules
            self.outer.use(self.whole)
        return self.made


def _undecided(what: str, at: At) -> ExpressionError:
    help = "ask for a number, such as `x.channels == 64`, or for a parameter"
    return ExpressionError(f"{what} is neither true nor false", at, help, "E0210")


def _holds_modules(value: object) -> bool:
    """Whether a value is a list of what modules give."""
    if isinstance(value, list):
        return any(map(_holds_modules, cast("list[object]", value)))
    return isinstance(value, (Result, Inner))


def spread(value: Any) -> list[Any]:
    """Return the values that a row passes to the next one: a module's outputs, or itself."""
    if isinstance(value, (Result, Inner)):
        return [part for output in value.values() for part in spread(output)]
    return [value]


def leaves(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of a value."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (Result, Inner)):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in cast("list[Any]", value):
            yield from leaves(item)


def inner_leaves(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of a value, a module's as they are inside it: this uses none of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Inner):
        yield from inner_leaves(value.inner)
    elif isinstance(value, Result):
        yield from inner_leaves([output for _, output in value.instance.outputs])
    elif isinstance(value, (list, tuple)):
        for item in cast("list[Any]", value):
            yield from inner_leaves(item)
