"""Weights in files of our own: which classes and which input they know, and where they fit."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from specc_runtime import tensorfile
from specc_runtime.checkpoint import flush
from specc_runtime.contract import ContractError, Input, record

Preprocess = Mapping[str, Any]


class WeightsError(Exception):
    """The weights do not fit the network; the message names those that do not."""


@dataclass(frozen=True)
class Weights:
    """Tensors by the network's own names, and what else is known of them.

    `classes` are those that they tell apart, empty if unknown; `num_classes` is their number with
    background, where it is known without their names. `preprocess` is the input that they were
    trained on, as the fields of `specc_runtime.contract.Input` but its size.
    """

    tensors: Mapping[str, Tensor]
    classes: tuple[str, ...] = ()
    num_classes: int | None = None
    preprocess: Preprocess | None = None


def save(
    path: Path,
    network: nn.Module,
    classes: Sequence[str],
    preprocess: Preprocess | None = None,
    **about: object,
) -> None:
    """Write a network's weights to one file, whole or not at all."""
    metadata = {"classes": json.dumps(list(classes))}
    if preprocess is not None:
        metadata["preprocess"] = json.dumps(dict(preprocess))
    metadata |= {name: str(value) for name, value in about.items()}
    tensors = network.state_dict()
    write_whole(path, lambda partial: tensorfile.write(partial, tensors, metadata))


def read(path: Path) -> Weights:
    """Read weights. Raises `specc_runtime.tensorfile.TensorFileError`."""
    tensors, metadata = tensorfile.read(path)
    try:
        classes = tuple(map(str, json.loads(metadata.get("classes", "[]"))))
        count = int(metadata["num_classes"]) if "num_classes" in metadata else None
        preprocess = _preprocess(json.loads(metadata.get("preprocess", "null")))
    except (ContractError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise tensorfile.TensorFileError(f"{path}: damaged metadata: {error}") from error
    return Weights(tensors, classes, count, preprocess)


def load(network: nn.Module, weights: Weights) -> None:
    """Give a network all its weights. Raises `WeightsError` if one is missing, left or misshapen."""
    own = network.state_dict()
    missing = [name for name in own if name not in weights.tensors]
    strange = [
        name
        for name, value in weights.tensors.items()
        if name not in own or own[name].shape != value.shape
    ]
    if missing and not strange:
        raise WeightsError(
            f"the file holds a part of this network's weights, and none for {some(missing)}: "
            "`train --weights` begins with a part, and trains the rest"
        )
    if strange:
        raise WeightsError(
            f"the weights are not this network's: {some(strange + missing)}; was it built from the "
            "same spec, for the same number of classes?"
        )
    network.load_state_dict(weights.tensors)


class Fit(NamedTuple):
    """Which of a network's tensors some weights filled; the others keep their initial values."""

    taken: list[str]
    of_other_shape: list[str]
    """In the file with another shape: heads for other classes."""
    absent: list[str]
    """Not in the file at all."""

    def __str__(self) -> str:
        told = [f"{len(self.taken)} tensors taken"]
        for why, names in (
            ("of another shape there", self.of_other_shape),
            ("not there", self.absent),
        ):
            layers = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
            told += [f"freshly initialised, {why}: {some(layers)}"] if layers else []
        return "; ".join(told)


def load_fitting(network: nn.Module, weights: Weights) -> Fit:
    """Start a network from the weights that have its names and shapes. Raises `WeightsError` if none has."""
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in weights.tensors.items()
        if name in own and own[name].shape == value.shape
    }
    if not fitting:
        raise WeightsError(f"no weight fits this network: the file has {some(weights.tensors)}")
    network.load_state_dict(fitting, strict=False)
    others = [name for name in own if name not in fitting]
    return Fit(
        list(fitting),
        [name for name in others if name in weights.tensors],
        [name for name in others if name not in weights.tensors],
    )


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Have a file written under another name, and give it its own once all of it is on the disk."""
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(partial)
        flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    flush(path.parent)


def some(names: Sequence[str] | Mapping[str, object]) -> str:
    """The first few of some names, and how many more there are."""
    shown = list(names)[:5]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _preprocess(found: Any) -> Preprocess | None:
    """An input's settings. Raises `ContractError` or `TypeError` unless they can be."""
    return None if found is None else record(Input, {**found, "size": (1, 1)}, "input").preprocess
