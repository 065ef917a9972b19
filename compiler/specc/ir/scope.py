"""The names that a module's rows can see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.documents import suggest
from specc.ir.context import Reported
from specc.ir.tensors import INFER, UNKNOWN, Callee
from specc.ops import OPS
from specc.values.dimensions import Dim, Shape, Size
from specc.values.evaluate import FUNCTIONS, Evaluator
from specc.values.expression import Expression, ExpressionError, Name, Series
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
        return cast("Spec", self.instance.spec.spec)

    def path(self, key: str) -> str:
        """Return the path of a row of this module."""
        return f"{self.instance.path}.{key}" if self.instance.path else key

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
        if name in OPS or name in self.spec.modules or name in self.spec.use:
            return Callee(name, self.spec)
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
        """Evaluate an expectation: one number for height and width, or sizes with or without N.

        Of a tensor that is no map, one number is its last size.
        """
        if not isinstance(expression, Series):
            side = self._size(expression)
            known = min(2, len(actual) - 1)
            return (*actual[:known], *(side for _ in actual[known:]))
        sides = tuple(self._size(item) for item in expression.items)
        return (*actual[:1], *sides) if len(sides) == len(actual) - 1 else sides

    def _size(self, expression: Expression) -> Dim:
        if isinstance(expression, Name) and expression.id in self._symbolic_sizes():
            return Size(expression.id)
        value = self.evaluate(expression)
        if not isinstance(value, int) or isinstance(value, bool):
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
