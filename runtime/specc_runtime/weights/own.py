"""Weights in files of our own: which classes and which input they know, and where they fit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from specc_runtime import tensorfile
from specc_runtime.contract import ContractError, Input, record
from specc_runtime.files import write_whole

Preprocess = Mapping[str, Any]


class WeightsError(Exception):
    """The weights do not fit the network; the message names those that do not."""


@dataclass(frozen=True)
class Weights:
    """Tensors by the network's own names, and what is known about them.

    `classes` are the names of the classes, empty if unknown; `num_classes` is their number with
    background, if that is known without the names. `preprocess` is the input that they were
    trained on: the fields of `specc_runtime.contract.Input` except its size.
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
    """Write a network's weights to one file, whole or not at all. Raises `OSError`."""
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
    """Load all weights of a network. Raises `WeightsError` if one is missing, unknown or misshapen."""
    own = network.state_dict()
    missing = [name for name in own if name not in weights.tensors]
    strange = [
        name
        for name, value in weights.tensors.items()
        if name not in own or own[name].shape != value.shape
    ]
    if missing and not strange:
        raise WeightsError(
            f"the file holds a part of this network's weights, and none for {first_few(missing)}: "
            "`train --weights` begins with a part, and trains the rest"
        )
    if strange:
        raise WeightsError(
            f"the weights are not this network's: {first_few(strange + missing)}; was it built from the "
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
            told += [f"freshly initialised, {why}: {first_few(layers)}"] if layers else []
        return "; ".join(told)


def load_fitting(network: nn.Module, weights: Weights) -> Fit:
    """Load the weights whose names and shapes match a network's. Raises `WeightsError` if none does."""
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in weights.tensors.items()
        if name in own and own[name].shape == value.shape
    }
    if not fitting:
        raise WeightsError(
            f"no weight fits this network: the file has {first_few(weights.tensors)}"
        )
    network.load_state_dict(fitting, strict=False)
    others = [name for name in own if name not in fitting]
    return Fit(
        list(fitting),
        [name for name in others if name in weights.tensors],
        [name for name in others if name not in weights.tensors],
    )


def first_few(names: Sequence[str] | Mapping[str, object]) -> str:
    """The first five names, and how many more there are."""
    shown = list(names)[:5]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _preprocess(found: Any) -> Preprocess | None:
    """An input's settings. Raises `ContractError` or `TypeError` unless they can be."""
    return None if found is None else record(Input, {**found, "size": (1, 1)}, "input").preprocess
