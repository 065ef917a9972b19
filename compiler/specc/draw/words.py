"""What a box says: an op's telling attributes, sizes, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.ops import Op

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["attributes", "large", "rounds"]

QUIET = {"kernel_size", "stride", "dilation", "padding", "bias", "inplace"}
LONGEST_VALUE = 24


def attributes(op: Op) -> list[str]:
    """Return what tells an op from others of its kind: `3x3`, `64`, `/2`.

    The window comes first, then what the spec has to say, then what is not at its default.
    Padding shows in the shapes; what the input decides, and what changes no value, is left out.
    """
    return [*_window(op), *_settings(op)]


def _window(op: Op) -> Iterator[str]:
    window = op.window()
    if window is None:
        return
    yield "x".join(map(str, window.kernel))
    if window.stride != (1, 1):
        yield f"/{_pair(window.stride)}"
    if window.dilation != (1, 1):
        yield f"dilated {_pair(window.dilation)}"


def _settings(op: Op) -> Iterator[str]:
    for name, declared in op.arguments.items():
        value = getattr(op, name)
        if name in QUIET or declared.inferred is not None:
            continue
        if not declared.keyword:
            yield _value(value)
        elif declared.required or value != declared.default:
            yield name if value is True else f"{name}={_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        items = cast("list[Any] | tuple[Any, ...]", value)
        same = len(items) == 2 and items[0] == items[1]
        text = _value(items[0]) if same else "x".join(_value(item) for item in items)
    else:
        text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _pair(sides: tuple[int, int]) -> str:
    return str(sides[0]) if sides[0] == sides[1] else f"{sides[0]}x{sides[1]}"


def rounds(targets: Sequence[object]) -> tuple[list[str], list[str]]:
    """Return what the rounds of a `for` row have in common, and what is each one's own."""
    told = [attributes(target) if isinstance(target, Op) else [] for target in targets]
    common = [text for text in told[0] if all(text in other for other in told)]
    own = [", ".join(text for text in each if text not in common) for each in told]
    return common, [text or str(index) for index, text in enumerate(own)]


def large(count: int) -> str:
    """Write a count as people say it: `950`, `1.79 M`, `31.4 G`."""
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            value = count / unit
            return f"{value:.3g} {name}" if value < 999.5 else f"{value:,.0f} {name}"
    return str(count)
