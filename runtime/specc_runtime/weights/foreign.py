"""Checkpoints of other projects: their state dicts, unwrapped.

A `.pth` is a pickle. It is read by PyTorch's restricted unpickler, which makes only tensors, numbers and
texts and runs nothing. A `.weights` has no keys: its tensors are those wanted, in their order.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from specc_runtime import darknet, tensorfile
from specc_runtime.files import write_whole
from specc_runtime.weights.own import WeightsError, first_few

ENVELOPES = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.", "model.")
DEEPEST = 3
COUNTER = "num_batches_tracked"
"""Counts training steps and is no weight: older checkpoints and frozen norms lack it."""

_GLOBAL = re.compile(r"GLOBAL (\S+)|Unsupported class (\S+)")


@dataclass(frozen=True)
class Checkpoint:
    """A state dict, and a note for each wrapper that was removed."""

    tensors: dict[str, Tensor]
    notes: list[str]


def read(path: Path, wanted: Mapping[str, Sequence[int]]) -> Checkpoint:
    """Read a checkpoint that should have the keys `wanted`, given with the shapes of our tensors.

    Raises `WeightsError` or `specc_runtime.tensorfile.TensorFileError`.
    """
    if path.suffix == ".weights":
        read, header = darknet.read(path, wanted)
        return Checkpoint(read, [f"{header.seen:,} images seen in training"])
    is_plain = path.suffix == ".safetensors"
    found: object = tensorfile.read(path)[0] if is_plain else _unpickled(path)
    notes: list[str] = []
    for _ in range(DEEPEST):
        inner = _inside(found)
        if inner is None:
            break
        notes.append(f"taken from `{inner}`")
        found = cast(dict[str, object], found)[inner]
    tensors = _state_dict(path, found)
    for prefix in PREFIXES * DEEPEST:
        if all(key.startswith(prefix) for key in tensors) and not any(
            key.startswith(prefix) for key in wanted
        ):
            notes.append(f"`{prefix}` taken off all keys")
            tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return Checkpoint(tensors, notes)


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a state dict whole or not at all: in the format of the suffix, or by `torch.save`."""
    if path.suffix == ".weights":
        write_whole(path, lambda partial: darknet.write(partial, tensors))
    elif path.suffix == ".safetensors":
        write_whole(path, lambda partial: tensorfile.write(partial, tensors))
    else:
        write_whole(path, lambda partial: torch.save(dict(tensors), partial))


def _unpickled(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it cannot read, it also raises
            return cast(Any, torch).load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    except Exception as error:  # whatever a damaged or hostile file leads the reader to
        named = _GLOBAL.search(str(error))
        if named:
            raise WeightsError(
                f"{path}: holds {named[1] or named[2]}, which is no tensor, and is not read: have "
                "whoever trusts the file save its state dict alone"
            ) from error
        raise WeightsError(f"{path}: cut off, or not a checkpoint of PyTorch") from error


def _inside(found: object) -> str | None:
    """The key of a checkpoint's envelope that holds its state dict."""
    if not isinstance(found, Mapping):
        return None
    envelope = cast(Mapping[str, object], found)
    return next((key for key in ENVELOPES if isinstance(envelope.get(key), Mapping)), None)


def _state_dict(path: Path, found: object) -> dict[str, Tensor]:
    """The tensors of a state dict. Raises `WeightsError` if it holds anything else."""
    if not isinstance(found, Mapping):
        raise WeightsError(f"{path}: holds a {type(found).__name__}, and no state dict")
    entries = cast(Mapping[object, object], found)
    others = [
        str(key)
        for key, value in entries.items()
        if not (isinstance(key, str) and isinstance(value, Tensor) and _is_plain(value))
    ]
    if others or not entries:
        raise WeightsError(f"{path}: no state dict: {first_few(others) or 'nothing'} in it")
    return cast(dict[str, Tensor], dict(entries))


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and tensor.dtype in tensorfile.NAMES
