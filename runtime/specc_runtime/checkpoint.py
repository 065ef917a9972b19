"""Checkpoints: whole or absent, whatever happens while one is written.

A checkpoint is a folder `step-00001200` with safetensors files, `state.json`, and a manifest of their
SHA-256 sums. It is written under another name, flushed to disk, and renamed: from then on it exists. It
is renamed again before it is removed. The last two are kept, so a damaged one costs one interval.
Nothing in it is a pickle, so nothing in it can run.
"""

import json
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from specc_runtime import tensorfile
from specc_runtime.files import flush, sha256
from specc_runtime.tensorfile import TensorFileError

KEEP = 2
MANIFEST = "manifest.json"
STATE = "state.json"
_NOT_ONE = (
    AttributeError,
    KeyError,
    OSError,
    OverflowError,
    RecursionError,
    TensorFileError,
    TypeError,
    ValueError,
)
"""What reading something else than a checkpoint may raise."""


class CheckpointError(Exception):
    """No checkpoint can be read, or this one is damaged; the message says where."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on: groups of tensors by name, and numbers and texts."""

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    state: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint into `folder`, and keep it and the one before it.

    Later checkpoints are removed too: a run that went back to an earlier one has abandoned them. An old
    checkpoint of the same step is set aside until the new one has its name, so that one of them is always
    whole. Raises `OSError`; the folder's checkpoints are then as they were.
    """
    final = folder / f"step-{checkpoint.step:08d}"
    partial = folder / f".{final.name}.partial"
    for left_over in folder.glob(".step-*.partial"):
        shutil.rmtree(left_over)
    try:
        _write(partial, checkpoint)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)  # a full disk needs the room
        raise
    if final.exists():
        aside = final.with_suffix(".before")
        shutil.rmtree(aside, ignore_errors=True)
        final.rename(aside)
    partial.rename(final)
    flush(folder)
    earlier = [path for path in _all(folder) if path.name <= final.name]
    for other in set(_all(folder)) - set(earlier[:KEEP]):
        shutil.rmtree(other.rename(folder / f".{other.name}.partial"))
    return final


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    folder.mkdir(parents=True)
    for group, tensors in checkpoint.tensors.items():
        tensorfile.write(folder / f"{group}.safetensors", tensors)
    state = {"step": checkpoint.step, **checkpoint.state}
    (folder / STATE).write_text(json.dumps(state, indent=1))
    sums = {file.name: sha256(file) for file in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps(sums, indent=1))
    for file in folder.iterdir():
        flush(file)
    flush(folder)


def load(path: Path) -> Checkpoint:
    """Read one checkpoint. Raises `CheckpointError` unless every byte is as written."""
    try:
        sums: dict[str, str] = json.loads((path / MANIFEST).read_text())
        if STATE not in sums:
            raise CheckpointError(f"{path / MANIFEST}: does not list {STATE}")
        for name, expected in sums.items():
            if Path(name).name != name or sha256(path / name) != expected:
                raise CheckpointError(f"{path / name}: not as written")
        state = json.loads((path / STATE).read_text())
        files = [path / name for name in sums if name.endswith(".safetensors")]
        tensors = {file.stem: tensorfile.read(file)[0] for file in files}
        return Checkpoint(int(state.pop("step")), tensors, state)
    except _NOT_ONE as error:
        raise CheckpointError(f"{path}: {error}") from error


def load_last(folder: Path) -> Checkpoint:
    """Read the last checkpoint of `folder`, or with a warning the one before it."""
    for path in _all(folder):
        try:
            return load(path)
        except CheckpointError as error:
            warnings.warn(f"checkpoint passed over: {error}", stacklevel=2)
    raise CheckpointError(f"{folder}: no checkpoint to go on from: begin the run again")


def _all(folder: Path) -> list[Path]:
    """The checkpoints of `folder`, last first."""
    return sorted(folder.glob("step-*"), reverse=True)
