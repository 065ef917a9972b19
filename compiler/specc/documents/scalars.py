"""What a plain scalar means: the YAML 1.2 core schema, and where YAML 1.1 disagrees with it."""

import re
from functools import lru_cache

from specc.documents.nodes import Value

_MAYBE_SPECIAL = frozenset("+-.0123456789~nNtTfFyYoO")
_LONGEST_NUMBER = 300

_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{
        sign + inf: float(f"{sign}inf")
        for sign in ("", "+", "-")
        for inf in (".inf", ".Inf", ".INF")
    },
}
_SWITCHES = {"yes": True, "on": True, "no": False, "off": False}

_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_OLD_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_OLD_OCTAL = re.compile(r"[-+]?0[0-7_]*[0-7]_*")
_OLD_BASED = re.compile(r"[-+]?0(b_*[01][01_]*|x_*[0-9a-fA-F][0-9a-fA-F_]*)|0o[0-7]+")
_OLD_FLOAT = re.compile(r"([-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?")
_OLD_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_OLD_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")

_EXPONENT = re.compile(r"([-+]?)([0-9]*)\.?([0-9]*)[eE]([-+]?)([0-9]+)")


def resolve(text: str) -> Value:
    """The value of a plain scalar by YAML 1.2's core schema.

    A number of more than 300 characters is left as text.
    """
    if text and text[0] not in _MAYBE_SPECIAL:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


@lru_cache(maxsize=256)
def disagreement(text: str, value: Value) -> tuple[str, str] | None:
    """How YAML 1.1 reads a plain scalar otherwise than `value`, and what to write instead.

    The octal `0o17`, which YAML 1.1 lacks, cannot be taken for anything else and passes.
    """
    if not text or text[0] not in _MAYBE_SPECIAL or len(text) > _LONGEST_NUMBER:
        return None
    if _OLD_DATE.fullmatch(text):
        return f"`{text}` is a date to YAML 1.1 and text to YAML 1.2", f'write `"{text}"`'
    old = _resolve_1_1(text, value)
    if repr(old) == repr(value):
        return None
    meant = [_spelled(reading, text) for reading in (old, value) if not isinstance(reading, str)]
    return (
        f"`{text}` is {_said(old)} to YAML 1.1 and {_said(value)} to YAML 1.2",
        f'write {" or ".join(meant)}, or `"{text}"` for the text',
    )


def _resolve_1_1(text: str, value: Value) -> Value:
    if text in _WORDS:
        return value
    digits = text.replace("_", "")
    if text.lower() in _SWITCHES:
        return _SWITCHES[text.lower()]
    if _OLD_DECIMAL.fullmatch(text):
        return int(digits)
    if _OLD_OCTAL.fullmatch(text):
        return int(digits, 8)
    if _OLD_BASED.fullmatch(text):
        return int(digits, 0)
    if _OLD_FLOAT.fullmatch(text):
        return float(digits)
    return _sixties(digits) if _OLD_SIXTIES.fullmatch(text) else text


def _sixties(digits: str) -> int | float:
    """The value of base-60 digits such as `12:30`, which YAML 1.1 reads as 12 * 60 + 30."""
    total = 0
    *high, low = digits.lstrip("+-").split(":")
    for place in high:
        total = (total + int(place)) * 60
    value = total + (float(low) if "." in low else int(low))
    return -value if digits.startswith("-") else value


def _said(value: Value) -> str:
    if isinstance(value, str):
        return "text"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _spelled(value: Value, text: str) -> str:
    """The spelling of `value` that all readers agree on."""
    exponent = _EXPONENT.fullmatch(text)
    if exponent and isinstance(value, float):
        sign, whole, part, power_sign, power = exponent.groups()
        return f"`{sign}{whole or 0}.{part or 0}e{power_sign or '+'}{power}`"
    return f"`{_said(value)}`"
