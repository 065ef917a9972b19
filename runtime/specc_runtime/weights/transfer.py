"""Convert weights between our layout and another project's, by a table that the compiler made.

Every key of both sides must be accounted for, and nothing is written unless everything fits.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from specc_runtime import tensorfile
from specc_runtime.contract import lists_to_tuples
from specc_runtime.files import write_whole
from specc_runtime.weights import foreign, own
from specc_runtime.weights.conversions import KINDS, Conversion
from specc_runtime.weights.foreign import COUNTER
from specc_runtime.weights.own import WeightsError, first_few


@dataclass(frozen=True)
class Row:
    """A tensor under both names; `shape` is ours."""

    theirs: str
    ours: str
    shape: tuple[int, ...]
    conversion: Conversion | None = None


@dataclass(frozen=True)
class Table:
    """What another project calls the tensors of a model.

    `new` are our tensors that they lack, `drop` patterns of their keys to ignore, `preprocess`
    the input of their network, and `others` the keys of the model's other maps.
    """

    name: str
    rows: tuple[Row, ...]
    new: tuple[str, ...] = ()
    drop: tuple[re.Pattern[str], ...] = ()
    preprocess: own.Preprocess | None = None
    num_classes: int | None = None
    others: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


@dataclass
class Done:
    """The result of a transfer: notes on how the file was read, and the keys left out."""

    notes: list[str] = field(default_factory=list[str])
    left_out: list[str] = field(default_factory=list[str])


def table(text: str) -> Table:
    """Read a table in the JSON that `specc weights` passes."""
    data: dict[str, Any] = json.loads(text)
    rows = cast(list[dict[str, Any]], data["rows"])
    return Table(
        name=data["name"],
        rows=tuple(
            Row(row["theirs"], row["ours"], tuple(row["shape"]), _conversion(row["convert"]))
            for row in rows
        ),
        new=tuple(data["new"]),
        drop=tuple(re.compile(pattern) for pattern in data["drop"]),
        preprocess=lists_to_tuples(data["preprocess"]),
        num_classes=data["num_classes"],
        others=data.get("others", {}),
    )


def import_weights(table: Table, source: Path, target: Path) -> Done:
    """Convert a checkpoint of theirs to a weight file of ours.

    Raises `WeightsError` or `specc_runtime.tensorfile.TensorFileError`.
    """
    checkpoint = foreign.read(source, {row.theirs: row.shape for row in table.rows})
    found = checkpoint.tensors
    known = {row.theirs for row in table.rows}
    left = [key for key in found if key not in known]
    dropped = [key for key in left if any(pattern.fullmatch(key) for pattern in table.drop)]
    strange = [key for key in left if key not in dropped and not _is_counter(key)]
    missing = [key for key in known if key not in found and not _is_counter(key)]
    also = next((name for name, keys in table.others.items() if _has(found, keys)), None)
    help = f"; it is what `{also}` is for" if also else ""
    _account(f"{source} is not what the map `{table.name}` is for", missing, strange, help)
    tensors = {row.ours: _ours(row, found.get(row.theirs)) for row in table.rows}
    _check_shapes(source, table, {row.ours: tensors[row.ours].shape for row in table.rows})
    metadata = {"from": table.name}
    if table.preprocess is not None:
        metadata["preprocess"] = json.dumps(dict(table.preprocess))
    if table.num_classes is not None:
        metadata["num_classes"] = str(table.num_classes)
    write_whole(target, lambda partial: tensorfile.write(partial, tensors, metadata))
    return Done(checkpoint.notes, [key for key in left if key not in strange])


def export_weights(table: Table, source: Path, target: Path) -> Done:
    """Convert a weight file of ours to a checkpoint of theirs, in the format of its suffix.

    Raises `WeightsError` or `specc_runtime.tensorfile.TensorFileError`.
    """
    weights = own.read(source)
    known = {row.ours for row in table.rows}
    missing = [name for name in known if name not in weights.tensors]
    _account(f"{source} is not of the spec's model", missing, [], "")
    _check_shapes(source, table, {name: weights.tensors[name].shape for name in known})
    tensors = {row.theirs: _theirs(row, weights.tensors[row.ours]) for row in table.rows}
    foreign.write(target, tensors)
    done = Done(left_out=[name for name in weights.tensors if name not in known])
    if weights.preprocess not in (None, table.preprocess):
        done.notes.append(f"these weights expect {_shown(weights.preprocess)}")
    return done


def _conversion(literal: dict[str, Any] | None) -> Conversion | None:
    if literal is None:
        return None
    settings = lists_to_tuples(literal)
    return KINDS[settings.pop("kind")](**settings)


def _ours(row: Row, theirs: Tensor | None) -> Tensor:
    if theirs is None:
        return torch.zeros(row.shape, dtype=torch.int64)
    if row.conversion is None:
        return theirs
    try:
        return row.conversion.ours(theirs, row.shape)
    except WeightsError as error:
        raise WeightsError(f"{row.theirs}: {error}") from error


def _theirs(row: Row, ours: Tensor) -> Tensor:
    try:
        return row.conversion.theirs(ours) if row.conversion else ours
    except WeightsError as error:
        raise WeightsError(f"{row.ours}: {error}") from error


def _account(what: str, missing: Sequence[str], strange: Sequence[str], help: str) -> None:
    """Raise `WeightsError` if a key is missing or unknown."""
    parts = [f"lacks {first_few(sorted(missing))}"] if missing else []
    parts += [f"has {first_few(strange)}, which the map does not know"] if strange else []
    if parts:
        raise WeightsError(f"{what}: it {' and '.join(parts)}{help}")


def _check_shapes(source: Path, table: Table, shapes: Mapping[str, Sequence[int]]) -> None:
    """Raise `WeightsError` if a tensor has another shape than in our network."""
    wrong = {
        row.ours: (list(shapes[row.ours]), list(row.shape))
        for row in table.rows
        if list(shapes[row.ours]) != list(row.shape)
    }
    if not wrong:
        return
    name, (found, wanted) = next(iter(wrong.items()))
    more = f", and {len(wrong) - 1} more do not fit" if len(wrong) > 1 else ""
    classes = _class_count(list(wrong.values()), table.num_classes)
    help = f"; it is for {classes} classes: add --set num_classes={classes}" if classes else ""
    raise WeightsError(f"{source}: {name} is {found}, the spec's {wanted}{more}{help}")


def _class_count(wrong: list[tuple[list[int], list[int]]], ours: int | None) -> int | None:
    """The number of classes that would make all these shapes fit, if there is one."""
    if not ours or any(not a or not b or a[1:] != b[1:] for a, b in wrong):
        return None
    counts = {ours * found[0] / wanted[0] for found, wanted in wrong}
    count = counts.pop()
    return int(count) if not counts and count == int(count) else None


def _has(found: Mapping[str, Tensor], keys: Sequence[str]) -> bool:
    return all(key in found or _is_counter(key) for key in keys)


def _is_counter(key: str) -> bool:
    return key.rpartition(".")[2] == COUNTER


def _shown(preprocess: own.Preprocess | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (preprocess or {}).items())
