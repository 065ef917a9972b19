"""Apply an op to tensors: bind and check its arguments, infer its shape, add its node."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from specc.documents import Diagnostic, Label
from specc.ir.binding import Bound, bind, check_bound, refuse_inputs
from specc.ir.context import owner_of
from specc.ir.graph import Apply, Node, Refusal, Row
from specc.ir.initial import initial_values
from specc.ir.tensors import INFER, Tensor, leaves
from specc.ops import Op, ShapeError
from specc.values.dimensions import Shape, Size, shape_text
from specc.values.expression import Call, Expression, ExpressionError, Literal, Name
from specc.values.traced import outside_turns

if TYPE_CHECKING:
    from specc.documents import Span
    from specc.ir.context import Context
    from specc.ir.scope import Scope

__all__ = ["apply_op"]

_HELP = {
    "E0402": "use a larger input, or another value here",
    "E0403": "bring both to one shape, with a stride, a 1x1 convolution or `Upsample`",
    "E0404": "bring them to one height and width, with a stride or `Upsample`",
    "E0405": "choose `groups` that divide the channels on both ends",
    "E0406": "take another row as input, or bring it into form with `Reshape` or `Flatten`",
    "E0407": "change one of the two",
    "E0408": "choose what the op can do, or another op",
    "E0502": "give the head a multiple of the numbers of one box",
}


def apply_op(
    context: Context,
    scope: Scope,
    row: Row,
    kind: type[Op],
    call: Call,
    path: str,
    values: list[Any],
) -> Tensor:
    """Apply an op to values; `path` is that of this use, of which a shared row has several."""
    tensors = [tensor for value in values for tensor in leaves(value)]
    use = _Use(context, scope, row, kind, call, path, tensors)
    op = use.make()
    shape = use.infer(op) if op is not None else None
    sources = tuple(t.origin for t in tensors if t.origin in context.graph)
    name, owner, span = kind.__name__, owner_of(path), row.spec.span
    context.graph.add(Node(path, op, name, row.name, sources, shape, owner, span))
    value = Tensor(None if shape is None else tuple(map(outside_turns, shape)), path)
    initial = initial_values(context, scope, row.spec, op) if op is not None else {}
    settings = op.settings() if op else {}
    row.applies.append(Apply(path, op, settings, tuple(values), value, initial))
    return value


@dataclass(frozen=True, slots=True)
class _Misfit:
    """A written number, such as `in_channels`, that is not the size which arrives."""

    name: str
    written: int
    dimension: int
    arriving: int
    place: Span


@dataclass(frozen=True, slots=True)
class _Use:
    """One call of an op, and what arrives."""

    context: Context
    scope: Scope
    row: Row
    kind: type[Op]
    call: Call
    path: str
    tensors: list[Tensor]
    misfits: list[_Misfit] = field(default_factory=list[_Misfit])

    def make(self) -> Op | None:
        """Return the op with its arguments, or nothing after a finding or an unknown shape."""
        names = list(self.kind.arguments)
        call = self._with_words()
        refuse_inputs(call, self.scope.evaluate)
        bound = bind(call, names, self.scope.evaluate, self.kind.__name__)
        self._count_inputs()
        is_known = self._fill_in(bound)
        problems = check_bound(self.kind, bound, self.call, self.row.spec.call, self.context)
        if problems:
            self.context.graph.failed[self.path] = problems[0].message
        return self.kind(**bound.values) if is_known and not problems else None

    def _with_words(self) -> Call:
        """Return the call with bare words as `print(model)` shows them: `padding=same`."""
        keywords = [
            (name, self._text_of(name, value), at) for name, value, at in self.call.keywords
        ]
        arguments = tuple(map(self._flag, self.call.arguments))
        return replace(self.call, arguments=arguments, keywords=tuple(keywords))

    def _flag(self, value: Expression) -> Expression:
        """Return a flag's name as true: PyTorch before 1.2 printed `ReLU(inplace)`."""
        if not isinstance(value, Name) or self.scope.knows(value.id):
            return value
        argument = self.kind.arguments.get(value.id)
        is_flag = argument is not None and argument.schema.get("type") == "boolean"
        return Literal(value=True, at=value.at) if is_flag else value

    def _text_of(self, name: str, value: Expression) -> Expression:
        argument = self.kind.arguments.get(name)
        if argument is None or not isinstance(value, Name) or self.scope.knows(value.id):
            return value
        kinds = argument.schema.get("anyOf", [argument.schema])
        is_word = any(value.id in kind.get("enum", ()) for kind in kinds)
        return Literal(value.id, at=value.at) if is_word else value

    def _count_inputs(self) -> None:
        given = len(self.tensors)
        if self.kind.takes(given):
            return
        name = self.kind.__name__
        if not given:
            help = f"name an input: `{name}(...)(x)`"
            raise ExpressionError("nothing arrives at this row", self.call.at, help, "E0304")
        names = self.kind.inputs or ("x", "...")
        count = f"{len(names)} input" + "s" * (len(names) != 1)
        message = f"`{name}` takes {count}; it is given {given}"
        what = "it" if len(names) == 1 else "them"
        help = f"name {what}: `{name}(...)({', '.join(names)})`"
        raise ExpressionError(message, self.call.at, help, "E0305")

    def _fill_in(self, bound: Bound) -> bool:
        """Infer the arguments left open, compare the written ones with what arrives."""
        shape = self.tensors[0].shape if self.tensors else None
        is_known = shape is not None
        for name, argument in self.kind.arguments.items():
            if argument.inferred is None:
                continue
            side = None if shape is None else _side(shape, argument.inferred)
            written = bound.values.get(name, INFER)
            if isinstance(side, Size) and written is INFER:
                raise self._open_size(name, side)
            if written is INFER:
                bound.values[name] = side if isinstance(side, int) else 1
                is_known = is_known and isinstance(side, int)
            elif isinstance(written, int) and isinstance(side, int) and written != side:
                place = self.row.spec.call.at(bound.places[name])
                self.misfits.append(_Misfit(name, written, argument.inferred, side, place))
                bound.values[name] = side
        return is_known

    def _open_size(self, name: str, size: Size) -> ExpressionError:
        """Return the refusal of weights whose number would follow the size of the image."""
        message = f"`{name}` would be {size}: the number of weights cannot follow the image's size"
        help = "give `inputs` a fixed size, pool to one, or write a number in place of `_`"
        return ExpressionError(message, self.call.at, help, "E0401")

    def _refuse_misfit(self, found: _Misfit) -> None:
        message = f"`{found.name}` is {found.written}, but {found.arriving} arrive"
        place = Label(found.place, f"{found.arriving} arrive")
        help = f"write {int(found.arriving)}, or `_` to infer it"
        written = found.dimension, int(found.written)
        self._refuse("E0401", message, place, help, [0], written=written)

    def infer(self, op: Op) -> Shape | None:
        """Apply the op's shape rule; a refusal points at the row and at what feeds it."""
        shapes = [tensor.shape for tensor in self.tensors]
        known = [shape for shape in shapes if shape is not None]
        try:
            shape = op.shape(*known) if len(known) == len(shapes) else None
        except ShapeError as error:
            self._refuse_inputs(op, error)
            shape = None
            if error.code == "E0406":
                return None
        for misfit in self.misfits:
            self._refuse_misfit(misfit)
        return shape

    def _refuse_inputs(self, op: Op, error: ShapeError) -> None:
        self.context.graph.failed[self.path] = error.message
        names = list(op.arguments)
        places = {name: v.at for name, v in zip(names, self.call.arguments, strict=False)}
        places |= {name: v.at for name, v, _ in self.call.keywords}
        at = places.get(error.argument or "", self.call.at)
        inputs = [i for i in error.inputs or (0,) if i < len(self.tensors)]
        help = error.help or self._batch_first(error, inputs) or _HELP.get(error.code)
        message = f"`{self.path}` {type(op).__name__}: {error.message}"
        place = Label(self.row.spec.call.at(at), f"`{self.path}`")
        self._refuse(error.code, message, place, help, inputs)

    def _batch_first(self, error: ShapeError, inputs: list[int]) -> str | None:
        """Return the advice for an input of the model that is declared without its batch."""
        graph = self.context.graph
        for tensor in (self.tensors[place] for place in inputs):
            shape = tensor.shape or ()
            is_short = error.code == "E0406" and len(shape) == 3 and isinstance(shape[0], int)
            if is_short and tensor.origin in graph.root.inputs:
                sizes = ", ".join(map(str, ("N", *shape)))
                return f"sizes begin with the batch: write `{tensor.origin}: [{sizes}]`"
        return None

    def _refuse(
        self,
        code: str,
        message: str,
        place: Label,
        help: str | None,
        inputs: list[int],
        *,
        written: tuple[int, int] | None = None,
    ) -> None:
        labels = [place, *map(self._producer, inputs), *self.context.through()]
        found = Diagnostic(code, message, tuple(labels), help, rows=(self.path,))
        self.context.graph.refusals.append(Refusal(self.path, found, written))

    def _producer(self, place: int) -> Label:
        """Point at the row that an input comes from."""
        tensor = self.tensors[place]
        node = self.context.graph[tensor.origin]
        return Label(node.span, f"`{node.path}` gives {shape_text(tensor.shape)}")


def _side(shape: Shape, dimension: int) -> object:
    return shape[dimension] if -len(shape) <= dimension < len(shape) else None
