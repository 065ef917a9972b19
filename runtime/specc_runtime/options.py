"""Options as the fields of a dataclass: what a value may be, and how it is written in YAML.

And what a command takes for a whole number, or for a part.
"""

import json
import math
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Option:
    """What a field takes: what its annotation `hint` says, in bounds, or one of some words.

    `words` are values that have a name, which stands outside the bounds.
    """

    hint: Any
    least: float | None
    most: float | None
    words: dict[str, Any]

    def value(self, given: Any) -> Any:
        """A value as YAML gives it, as the field has it. Raises `ValueError`, which says what is wrong."""
        if isinstance(given, str) and given in self.words:
            return self.words[given]
        value = _fit(given, self.hint)
        numbers = cast(tuple[Any, ...], value) if isinstance(value, tuple) else (value,)
        for number in numbers:
            if number is not None and not isinstance(number, str):
                self._check(number)
        return cast(Any, value)

    def text(self, value: Any) -> str:
        """The field's value as YAML has it."""
        return next((word for word, means in self.words.items() if means == value), text(value))

    def _check(self, number: float) -> None:
        if not math.isfinite(number):
            raise ValueError(f"must be finite, and is {number}")
        if self.least is not None and number < self.least:
            raise ValueError(f"must be at least {text(self.least)}, and is {text(number)}")
        if self.most is not None and number > self.most:
            raise ValueError(f"must be at most {text(self.most)}, and is {text(number)}")


def option(
    default: Any,
    doc: str,
    least: float | None = None,
    most: float | None = None,
    words: dict[str, Any] | None = None,
) -> Any:
    """A field with what `specc train --help` says of it, the bounds of its value, and its words."""
    about = {"doc": doc, "least": least, "most": most, "words": words or {}}
    return field(default=default, metadata=about)


def options_of(kind: type) -> dict[str, Option]:
    """The options of a dataclass whose fields are made by `option`, by name."""
    hints = get_type_hints(kind)
    return {
        f.name: Option(hints[f.name], *(f.metadata[key] for key in ("least", "most", "words")))
        for f in fields(kind)
    }


def at_least(least: int) -> Callable[[str], int]:
    """What reads a command's argument that is a whole number, and no less than this."""

    def read(text: str) -> int:
        if (number := int(text)) < least:
            raise ArgumentTypeError(f"must be at least {least}, and is {number}")
        return number

    read.__name__ = "whole number"  # as argparse calls what is none
    return read


def part(text: str) -> float:
    """Read a command's argument that is a part of 1."""
    if not 0.0 <= (number := float(text)) <= 1.0:
        raise ArgumentTypeError(f"must be from 0 to 1, and is {text}")
    return number


part.__name__ = "number"


def text(value: Any) -> str:
    """A value as YAML has it, and as all its readers understand it."""
    if isinstance(value, float):
        # YAML 1.1 takes 1e-05 for a text, 1.0e-05 for a number; all readers agree on the latter.
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}" if e else mantissa
    if isinstance(value, tuple):
        items = cast(tuple[Any, ...], value)
        return f"[{', '.join(json.dumps(v) if isinstance(v, str) else text(v) for v in items)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _fit(given: Any, hint: Any) -> Any:
    """The value as an annotation wants it. Raises `ValueError`, which says what it wants."""
    if get_origin(hint) in (Union, UnionType):
        inner, _ = get_args(hint)
        return None if given is None else _fit(given, inner)
    if get_origin(hint) is Literal:
        if given not in get_args(hint):
            raise ValueError(f"is one of {', '.join(get_args(hint))}, and not {text(given)}")
        return given
    if get_origin(hint) is tuple:
        if not isinstance(given, list):
            raise ValueError(f"is a list, and not {text(given)}")
        return tuple(_fit(item, get_args(hint)[0]) for item in cast(list[Any], given))
    wanted = (int, float) if hint is float else (hint,)
    if not isinstance(given, wanted) or isinstance(given, bool) is not (hint is bool):
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise ValueError(f"is {names[hint]}, and not {text(given)}")
    return hint(given)
