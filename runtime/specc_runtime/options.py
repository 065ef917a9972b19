"""Options as the fields of a dataclass: what a value may be, and how it is written in YAML.

Also the types of a command's numeric arguments.
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
    """The values a field accepts: those of its annotation `hint`, within bounds, and its `words`.

    `words` maps names to values, which may be out of bounds.
    """

    hint: Any
    least: float | None
    most: float | None
    words: dict[str, Any]

    def value(self, given: Any) -> Any:
        """The field's value from one as YAML gives it. Raises `ValueError`, which says what is wrong."""
        if isinstance(given, str) and given in self.words:
            return self.words[given]
        value = _fit(given, self.hint)
        numbers = cast(tuple[Any, ...], value) if isinstance(value, tuple) else (value,)
        for number in numbers:
            if number is not None and not isinstance(number, str):
                self._check(number)
        return cast(Any, value)

    def text(self, value: Any) -> str:
        """The field's value as YAML writes it."""
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
    """A field with its line in `specc train --help`, its bounds, and its words."""
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
    """An argparse type: a whole number of at least this."""

    def read(text: str) -> int:
        if (number := int(text)) < least:
            raise ArgumentTypeError(f"must be at least {least}, and is {number}")
        return number

    read.__name__ = "whole number"  # as argparse calls what is none
    return read


def fraction(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    if not 0.0 <= (number := float(text)) <= 1.0:
        raise ArgumentTypeError(f"must be from 0 to 1, and is {text}")
    return number


fraction.__name__ = "number"


def text(value: Any) -> str:
    """A value as YAML writes it, in a form that all YAML readers agree on."""
    if isinstance(value, float):
        # YAML 1.1 reads 1e-05 as text, and 1.0e-05 as a number, as all other versions do.
        mantissa, e, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}" if e else mantissa
    if isinstance(value, tuple):
        items = cast(tuple[Any, ...], value)
        return f"[{', '.join(json.dumps(v) if isinstance(v, str) else text(v) for v in items)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _fit(given: Any, hint: Any) -> Any:
    """The value as the annotation's type. Raises `ValueError`, which says what type that is."""
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
