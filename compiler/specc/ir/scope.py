"""The names that a module's rows can see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.documents import suggest
from specc.ir.callees import named
from specc.ir.context import Reported
from specc.ir.tensors import INFER, UNKNOWN
from specc.values.dimensions import Dim, Shape, Size
from specc.values.evaluate import FUNCTIONS, Evaluator
from specc.values.expression import Expression, ExpressionError, Name, Series
from specc.values.numbers import is_whole
from specc.values.traced import names_in, plain

if TYPE_CHECKING:
    from specc.ir.graph import Instance
    from specc.ir.spec import Spec
    from specc.values.expression import At

__all__ = ["Scope"]

_WORDS = {"true": "True", "yes": "True", "false": "False", "no": "False", "null": "None"}
"""How Python writes what YAML and other languages write so."""


class Scope:
    """One module while it is expanded: parameters, inputs, `let`, earlier rows, loop names."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.loops: dict[str, Any] = {}
        self.evaluate = Evaluator(self.lookup)

    @property
    def spec(self) -> Spec:
        """Return the file that the module stands in."""
        return self.instance.spec.spec

    def knows(self, name: str) -> bool:
        """Whether a name stands for a value here."""
        return name in self.loops or name in self.instance.env

    def lookup(self, name: str, at: At) -> Any:
        """Return what a name means, or say what it may have been meant to be."""
        if name == "_":
            return INFER
        if name in self.loops:
            return self.loops[name]
        if name in self.instance.env:
            self.instance.used.add(name)
            if self.instance.env[name] is UNKNOWN:
                raise Reported
            return self.instance.env[name]
        callee = named(self.spec, name)
        if callee is not None:
            return callee
        later = [row.name for row in self.instance.spec.rows if row.name]
        if name in later:
            message = f"`{name}` stands further down; a row can only use rows above it"
            raise ExpressionError(message, at, "move it up", "E0301")
        if name in self.instance.spec.let:
            message = f"`{name}` stands further down; a constant is worked out from those above it"
            raise ExpressionError(message, at, "move it up", "E0301")
        near = _WORDS.get(name) or suggest(name, [*self.instance.env, *self.loops, *FUNCTIONS])
        help = f"did you mean `{near}`?" if near else self._known()
        raise ExpressionError(f"nothing here is named `{name}`", at, help, "E0301")

    def _known(self) -> str | None:
        names = ", ".join(f"`{name}`" for name in list(self.instance.env)[:12])
        return f"the names here are {names}" if names else None

    def expected(self, expression: Expression, actual: Shape) -> Shape:
        """Evaluate an expectation: of a map its sides, as one number or two, or all sizes.

        Of a tensor that is no map, one number is its last size. All sizes may leave out the batch.
        """
        if not isinstance(expression, Series):
            side = self._size(expression)
            known = min(2, len(actual) - 1)
            return (*actual[:known], *(side for _ in actual[known:]))
        sides = tuple(self._size(item) for item in expression.items)
        missing = len(actual) - len(sides)
        is_part = missing == 1 or (len(actual) == 4 and missing == 2)
        return (*actual[:missing], *sides) if is_part else sides

    def _size(self, expression: Expression) -> Dim:
        if isinstance(expression, Name) and expression.id in self._symbolic_sizes():
            return Size(expression.id)
        value = self.evaluate(expression)
        if not is_whole(value):
            message, help = "an expected size is a whole number", "write `-> 38`"
            raise ExpressionError(message, expression.at, help, "E0210")
        return cast("int", plain(value))

    def _symbolic_sizes(self) -> set[str]:
        """Return the names that the file's inputs give to sizes, but for those that mean a value."""
        root = self.spec.root
        shapes = [declared.shape.expression for declared in root.inputs if declared.shape]
        return (
            set[str]().union(*map(names_in, shapes)) - root.params.keys() - self.instance.env.keys()
        )
