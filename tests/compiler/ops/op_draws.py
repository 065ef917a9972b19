"""Draw calls of an op: attributes from its own schema, and shapes that arrive.

Draws are stratified: one attribute, or the inputs, is in focus and walks over all its branches,
the boundary values and what lies beyond them; the others stay legal.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from specc.ops import Argument, Op

    Branch = tuple[str, Callable[[Random], Any]]

CHANNELS = (1, 2, 3, 4, 4, 6, 8, 8, 12)
SIDES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13)
REALS = (-1.0, 0.0, 1e-5, 0.01, 0.1, 0.5, 1.0, 1.5, 2.0, 3.0)
INPUT_STRATA = (
    "plain",
    "plain",
    "plain",
    "small",
    "rank",
    "count",
    "inferred",
    "unknown",
    "missing",
)


@dataclass(frozen=True)
class Draw:
    """A call: what is in focus, the arguments as a spec holds them, the shapes that arrive."""

    focus: str
    arguments: dict[str, Any]
    inputs: tuple[tuple[int, ...], ...]


def draws(op: type[Op], random: Random) -> Iterator[Draw]:
    """Draw calls without end."""
    strata = [("", name) for name in INPUT_STRATA]
    for name, declared in op.arguments.items():
        labels = [label for label, _ in branches(declared.schema)]
        if declared.inferred is not None:
            labels.remove("largest number")  # a mismatch that only the meta device could hold
        strata += [(name, label) for label in labels]
    for name, label in itertools.cycle(strata):
        yield draw(op, random, name, label)


def draw(op: type[Op], random: Random, focus: str, label: str) -> Draw:
    """Draw a call with one branch of one argument, or one stratum of the inputs, in focus."""
    inputs = _inputs(op, random, label if not focus else "plain")
    arguments: dict[str, Any] = {}
    for name, declared in op.arguments.items():
        if name == focus:
            arguments[name] = dict(branches(declared.schema))[label](random)
        elif declared.inferred is not None and inputs:
            arguments[name] = _dimension(inputs[0], declared)
        elif declared.required or random.random() < 0.35:
            arguments[name] = legal(declared.schema, random)
    if op.__name__ in FITTED and (focus or label in {"plain", "unknown", "missing"}):
        inputs = FITTED[op.__name__](arguments, random)
    if label == "inferred":
        for name, declared in op.arguments.items():
            if declared.inferred is not None:
                arguments[name] += random.choice((1, 2))
    if label == "unknown":
        arguments["no_such_argument"] = 1
    if label == "missing" and arguments:
        del arguments[random.choice(sorted(arguments))]
    return Draw(f"{focus}: {label}" if focus else label, arguments, inputs)


def legal(schema: dict[str, Any], random: Random) -> Any:
    """Draw an ordinary value."""
    ordinary = [value for label, value in branches(schema) if label.startswith("some")]
    return random.choice(ordinary)(random)


def branches(schema: dict[str, Any]) -> list[Branch]:
    """Return a schema's branches, boundaries and trespasses, each with its label."""
    if "anyOf" in schema:
        found = [branch for option in schema["anyOf"] for branch in branches(option)]
        return list(dict(found).items())
    if "enum" in schema:
        words = [(f"some {word}", _always(word)) for word in schema["enum"]]
        return [*words, ("unknown word", _always("no_such_word"))]
    return _BY_TYPE[schema["type"]](schema)


def _integer(schema: dict[str, Any]) -> list[Branch]:
    low, high = schema["minimum"], schema["maximum"]
    start = max(low, -4)
    return [
        (
            "some number",
            lambda random: random.randint(start, min(start + random.choice((1, 3, 8)), high)),
        ),
        ("some channels", lambda random: max(start, min(random.choice(CHANNELS), high))),
        ("smallest number", _always(low)),
        ("largest number", _always(high)),
        ("number below", _always(low - 1)),
        ("number above", _always(high + 1)),
        ("fraction", lambda random: random.choice((1.5, 2.0))),
        ("number as text", _always("1")),
        ("no value", _always(None)),
    ]


def _number(schema: dict[str, Any]) -> list[Branch]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1e9))
    high = schema.get("maximum", 1e9)
    inside = [
        real for real in REALS if low <= real <= high and real != schema.get("exclusiveMinimum")
    ]
    bounds: list[Branch] = []
    if "minimum" in schema:
        bounds += [("smallest real", _always(low)), ("real below", _always(low - 0.5))]
    if "exclusiveMinimum" in schema:
        bounds += [("real below", _always(low)), ("real below", _always(low - 0.5))]
    if "maximum" in schema:
        bounds += [("largest real", _always(high)), ("real above", _always(high + 0.5))]
    wrong: list[Branch] = [("real as text", _always("0.1"))]
    return [("some real", lambda random: random.choice(inside)), *bounds, *wrong]


def _array(schema: dict[str, Any]) -> list[Branch]:
    item, fewest, most = schema["items"], schema["minItems"], schema["maxItems"]

    def several(count: int) -> Callable[[Random], Any]:
        return lambda random: [legal(item, random) for _ in range(count)]

    longest = min(most, 4)
    some: list[Branch] = [(f"some {n} items", several(n)) for n in range(fewest, longest + 1)]
    length = ("too few", several(fewest - 1)), ("too many", several(most + 1))
    inner = [
        (f"{label} in a list of {fewest}", _with_one(several(fewest), value))
        for label, value in branches(item)
        if not label.startswith("some")
    ]
    return [*some, *length, *inner]


def _with_one(
    make: Callable[[Random], Any], value: Callable[[Random], Any]
) -> Callable[[Random], Any]:
    """Replace one item of a list."""

    def drawn(random: Random) -> Any:
        items = make(random)
        items[random.randrange(len(items))] = value(random)
        return items

    return drawn


def _boolean(schema: dict[str, Any]) -> list[Branch]:
    del schema
    return [
        ("some True", _always(True)),
        ("some False", _always(False)),
        ("truthy", _always("yes")),
    ]


def _null(schema: dict[str, Any]) -> list[Branch]:
    del schema
    return [("some None", _always(None))]


_BY_TYPE = {
    "integer": _integer,
    "number": _number,
    "array": _array,
    "boolean": _boolean,
    "null": _null,
}


def _always(value: Any) -> Callable[[Random], Any]:
    return lambda random: value


def _inputs(op: type[Op], random: Random, stratum: str) -> tuple[tuple[int, ...], ...]:
    first = _shape(random, stratum)
    names = op.inputs
    count = random.randint(1, 4) if names is None else len(names) - random.randint(0, op.optional)
    if stratum == "count":
        count = random.choice((0, count + 1)) if names is not None else 0
    others = [_neighbour(first, random, broadcast=names is None) for _ in range(count - 1)]
    return (first, *others)[:count]


def _shape(random: Random, stratum: str) -> tuple[int, ...]:
    sides = (1, 2, 3) if stratum == "small" else SIDES
    rank = (
        random.choice((1, 2, 3, 3, 5)) if stratum == "rank" else random.choice((4, 4, 4, 4, 3, 2))
    )
    channels = (random.choice(CHANNELS),) if rank > 1 else ()
    batch = random.choice((2, 3))
    return (batch, *channels, *(random.choice(sides) for _ in range(rank - 2)))


def _neighbour(first: tuple[int, ...], random: Random, *, broadcast: bool) -> tuple[int, ...]:
    """Draw a shape beside the first one: the same, or with another size or rank somewhere."""
    kind = random.choice(("same", "same", "one", "other", "rank") if broadcast else ("other",))
    if kind == "same" or len(first) < 2:
        return first
    if kind == "rank":
        return first[:-1]
    place = random.randrange(1, len(first))
    return (*first[:place], 1 if kind == "one" else random.choice(SIDES), *first[place + 1 :])


def _regions(arguments: dict[str, Any], random: Random) -> tuple[tuple[int, ...], ...]:
    del arguments
    return ((2, random.choice(SIDES), 4),)


def _map_and_regions(arguments: dict[str, Any], random: Random) -> tuple[tuple[int, ...], ...]:
    one_map = (2, random.choice(CHANNELS), random.choice(SIDES), random.choice(SIDES))
    return (one_map, *_regions(arguments, random))


def _regions_and_maps(arguments: dict[str, Any], random: Random) -> tuple[tuple[int, ...], ...]:
    one_map, regions = _map_and_regions(arguments, random)
    return (regions, *[one_map] * random.choice((1, 2, 3)))


def _heads_and_maps(arguments: dict[str, Any], random: Random) -> tuple[tuple[int, ...], ...]:
    """Draw what speaks of all anchors of maps, as many rows as the arguments ask for."""
    sizes, ratios = arguments.get("sizes"), arguments.get("ratios")
    sizes = sizes if isinstance(sizes, list) else [[1]]
    maps = [(2, 1, random.choice(SIDES), random.choice(SIDES)) for _ in sizes]
    per_cell = [len(row) * len(ratios) for row in sizes] if _is_nested(sizes, ratios) else [1]
    rows = sum(h * w * n for (_, _, h, w), n in zip(maps, per_cell, strict=False))
    return ((2, rows, 1), (2, rows, 4), (2, 3, 32, 48), *maps)


def _is_nested(sizes: list[Any], ratios: object) -> bool:
    return isinstance(ratios, list) and all(isinstance(row, list) for row in sizes)


def _rows_and_regions(arguments: dict[str, Any], random: Random) -> tuple[tuple[int, ...], ...]:
    """Draw one region an image, whose rows are as many as the images."""
    del arguments
    return ((2, *_shape(random, "plain")[1:]), (2, 1, 4))


FITTED = {
    "IsBox": _regions,
    "MultiScaleRoIAlign": _regions_and_maps,
    "PerImage": _rows_and_regions,
    "Proposals": _heads_and_maps,
    "RoIAlign": _map_and_regions,
    "RoIPool": _map_and_regions,
}
"""Ops whose inputs have each a form of its own, and how to draw them from the arguments."""


def _dimension(shape: tuple[int, ...], declared: Argument) -> int:
    place = declared.inferred
    assert place is not None
    return shape[place] if -len(shape) <= place < len(shape) else 1
