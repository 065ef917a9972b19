"""A map of weights as tables for people, and as data for the runtime."""

from __future__ import annotations

from itertools import takewhile
from math import prod
from typing import TYPE_CHECKING, Any

from specc.cli.table import Column, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from specc.driver import Model
    from specc.passes.weights import WeightMap

__all__ = ["keys_as_data", "keys_by_part", "keys_in_full", "maps_in_short", "preprocess_in_short"]

MAPS = (
    Column("map"),
    Column("tensors", is_right=True),
    Column("part"),
    Column("conversions"),
    Column("input"),
)
PARTS = (
    Column("part"),
    Column("tensors", is_right=True),
    Column("numbers", is_right=True),
    Column("theirs"),
    Column("conversions"),
)
ROWS = (Column("theirs"), Column("ours"), Column("shape", is_right=True), Column("conversion"))


def maps_in_short(maps: Iterable[WeightMap]) -> str:
    """Return a table of maps."""
    rows = [
        [m.name, str(len(m)), _common(m.values()), _kinds(m, m), preprocess_in_short(m.preprocess)]
        for m in maps
    ]
    return table(MAPS, rows)


def preprocess_in_short(found: dict[str, Any] | None) -> str:
    """Return what an input is, in words."""
    if found is None:
        return ""
    mean, std = (", ".join(f"{value:g}" for value in found[name]) for name in ("mean", "std"))
    over = f", over ({std})" if set(found["std"]) != {1} else ""
    return f"{found['channels']} up to {found['scale']:g}, less ({mean}){over}"


def keys_by_part(model: Model, found: WeightMap) -> str:
    """Return a table of the model's parts, and where in the checkpoint each of them is."""
    parts: dict[str, list[str]] = {}
    for theirs, ours in found.items():
        parts.setdefault(ours.partition(".")[0], []).append(theirs)
    shapes = _shapes(model)
    rows = [
        [
            part,
            str(len(keys)),
            f"{sum(prod(shapes[found[key]]) for key in keys):,}",
            _common(keys) or ", ".join(dict.fromkeys(key.partition(".")[0] for key in keys)),
            _kinds(found, keys),
        ]
        for part, keys in parts.items()
    ]
    return table(PARTS, rows)


def keys_in_full(model: Model, found: WeightMap) -> str:
    """Return a table of all keys."""
    shapes = _shapes(model)
    rows = [
        [theirs, ours, "x".join(map(str, shapes[ours])), _kinds(found, [theirs])]
        for theirs, ours in found.items()
    ]
    return table(ROWS, rows)


def keys_as_data(model: Model, found: WeightMap) -> dict[str, Any]:
    """Return the table that `specc_runtime.weights.transfer` reads."""
    shapes = _shapes(model)
    classes = model.hierarchy.root.params.get("num_classes")
    return {
        "name": found.name,
        "rows": [
            {
                "theirs": theirs,
                "ours": ours,
                "shape": list(shapes[ours]),
                "convert": found.convert.get(theirs),
            }
            for theirs, ours in found.items()
        ],
        "new": found.new,
        "drop": found.drop,
        "preprocess": found.preprocess,
        "num_classes": int(classes) if isinstance(classes, int) else None,
    }


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    return {key: tuple(map(int, e.shape)) for key, e in model.facts.costs.state.items()}


def _kinds(found: WeightMap, keys: Iterable[str]) -> str:
    """Return the conversions of some of their keys."""
    used = [found.convert[key]["kind"] for key in keys if key in found.convert]
    return ", ".join(dict.fromkeys(used))


def _common(keys: Iterable[str]) -> str:
    """Return the longest path that all keys begin with."""
    split: Sequence[list[str]] = [key.split(".") for key in keys]
    levels = zip(*split, strict=False)
    return ".".join(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))
