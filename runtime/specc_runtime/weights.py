"""Weights in files of their own: whose they are, which classes they know, and where they fit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from specc_runtime import tensorfile
from specc_runtime.checkpoint import flush


class WeightsError(Exception):
    """The weights do not fit the network; the message names those that do not."""


@dataclass(frozen=True)
class Weights:
    """Tensors by the network's own names, and the classes they tell apart, empty if unknown."""

    tensors: Mapping[str, Tensor]
    classes: tuple[str, ...] = ()


def save(path: Path, network: nn.Module, classes: Sequence[str], **about: object) -> None:
    """Write a network's weights to one file, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    metadata = {"classes": json.dumps(list(classes))}
    metadata |= {name: str(value) for name, value in about.items()}
    tensorfile.write(partial, network.state_dict(), metadata)
    flush(partial)
    partial.replace(path)
    flush(path.parent)


def read(path: Path) -> Weights:
    """Read weights. Raises `specc_runtime.tensorfile.TensorFileError`."""
    tensors, metadata = tensorfile.read(path)
    try:
        return Weights(tensors, tuple(map(str, json.loads(metadata.get("classes", "[]")))))
    except ValueError as error:
        raise tensorfile.TensorFileError(f"{path}: damaged classes: {error}") from error


def load(network: nn.Module, weights: Weights) -> None:
    """Give a network all its weights. Raises `WeightsError` if one is missing, left or misshapen."""
    left_out = load_fitting(network, weights)
    unused = [name for name in weights.tensors if name not in network.state_dict()]
    if left_out or unused:
        raise WeightsError(
            f"the weights are not this network's: {_some(left_out + unused)}; was it built from the "
            "same spec, for the same number of classes?"
        )


def load_fitting(network: nn.Module, weights: Weights) -> list[str]:
    """Start a network from the weights that have its names and shapes; the names without any.

    Heads for other classes keep their initial values. Raises `WeightsError` if nothing fits.
    """
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in weights.tensors.items()
        if name in own and own[name].shape == value.shape
    }
    if not fitting:
        raise WeightsError(f"no weight fits this network: the file has {_some(weights.tensors)}")
    network.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def _some(names: Sequence[str] | Mapping[str, object]) -> str:
    shown = list(names)[:5]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
