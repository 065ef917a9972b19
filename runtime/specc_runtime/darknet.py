"""Darknet's weight files: float32 numbers without names, layer after layer.

A header of three int32, which are the version, and the count of images seen in training, int32 or
int64; then the layers in the order of the `.cfg`, which must be the order of the network's modules.
A convolution with a norm is stored as the norm's bias, weight, running mean and running variance, then the
convolution's weight; any other layer as its bias, then its weight. Everything is little-endian.
github.com/pjreddie/darknet, src/parser.c, `save_weights_upto`.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.tensorfile import TensorFileError

COUNTER = "num_batches_tracked"
NORM = ("bias", "weight", "running_mean", "running_var")
WIDTH = 4
Shapes = Mapping[str, Sequence[int]]


class DarknetFileError(TensorFileError):
    """The file is not for this network, or the network has layers that Darknet's format cannot hold."""


class Header(NamedTuple):
    """The version that wrote a file, and how many images the network had seen."""

    major: int = 0
    minor: int = 2
    revision: int = 0
    seen: int = 0

    @property
    def layout(self) -> str:
        """The format for `struct`: since version 0.2 `seen` has 64 bits."""
        return "<iiiq" if self.major * 10 + self.minor >= 2 else "<iiii"


NEW = Header()


def read(path: Path, shapes: Shapes) -> tuple[dict[str, Tensor], Header]:
    """Read the tensors of a network whose state dict has these shapes, in its order.

    Counters of batches are left out, since a file has none. Raises `DarknetFileError`.
    """
    order = file_order(shapes)
    try:
        data = bytearray(path.read_bytes())
    except OSError as error:
        raise DarknetFileError(f"{path}: {error.strerror}") from error
    header = _header(path, data)
    start = struct.calcsize(header.layout)
    _check_length(path, len(data) - start, {name: prod(shapes[name]) for name in order})
    tensors: dict[str, Tensor] = {}
    for name in order:
        numbers = prod(shapes[name])
        found = torch.frombuffer(data, dtype=torch.float32, count=numbers, offset=start)
        tensors[name] = found.reshape(tuple(shapes[name])).clone()
        start += WIDTH * numbers
    return {name: tensors[name] for name in shapes if name in tensors}, header


def write(path: Path, tensors: Mapping[str, Tensor], header: Header = NEW) -> None:
    """Write a state dict, in its order, as float32. Raises `DarknetFileError`."""
    order = file_order({name: tensor.shape for name, tensor in tensors.items()})
    with path.open("wb") as file:
        file.write(struct.pack(header.layout, *header))
        for name in order:
            numbers = tensors[name].detach().to("cpu", torch.float32).contiguous()
            file.write(numbers.numpy().data)


def file_order(shapes: Shapes) -> list[str]:
    """The names of a state dict in the order of a file.

    Raises `DarknetFileError` for a layer that the format cannot hold.
    """
    order: list[str] = []
    waiting = ""
    for layer, parts in _layers(shapes):
        names = {part: f"{layer}.{part}" if layer else part for part in parts}
        if parts == {*NORM}:
            if not waiting or list(shapes[waiting])[:1] != list(shapes[names["weight"]]):
                raise DarknetFileError(
                    f"`{layer}` is a norm that follows no convolution of its own"
                )
            order += [*(names[part] for part in NORM), waiting]
            waiting = ""
        elif waiting:
            raise DarknetFileError(f"`{waiting}` has neither a bias nor a norm after it")
        elif parts == {"weight", "bias"}:
            order += [names["bias"], names["weight"]]
        elif parts == {"weight"}:
            waiting = names["weight"]
        else:
            raise DarknetFileError(f"`{layer}` has {', '.join(sorted(parts))}: no layer of Darknet")
    if waiting:
        raise DarknetFileError(f"`{waiting}` has neither a bias nor a norm after it")
    return order


def _layers(shapes: Shapes) -> Iterator[tuple[str, set[str]]]:
    """Each layer with the names of its tensors except counters."""
    layers: dict[str, set[str]] = {}
    for name in shapes:
        layer, _, part = name.rpartition(".")
        if part != COUNTER:
            layers.setdefault(layer, set()).add(part)
    yield from layers.items()


def _header(path: Path, data: bytearray) -> Header:
    if len(data) < struct.calcsize("<iiii"):
        raise DarknetFileError(f"{path}: cut off within the header, or not a file of Darknet")
    major, minor, _ = struct.unpack_from("<iii", data)
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise DarknetFileError(
            f"{path}: version {major}.{minor}: not a file of Darknet, or one with transposed layers"
        )
    layout = Header(major, minor).layout
    if len(data) < struct.calcsize(layout):
        raise DarknetFileError(f"{path}: cut off within the header")
    return Header(*struct.unpack_from(layout, data))


def _check_length(path: Path, length: int, sizes: Mapping[str, int]) -> None:
    """Raise `DarknetFileError` unless a file holds exactly as many numbers as a network."""
    wanted = WIDTH * sum(sizes.values())
    if length == wanted:
        return
    held = f"{path}: {length // WIDTH:,} numbers, and this network has {wanted // WIDTH:,}"
    if length > wanted:
        raise DarknetFileError(f"{held}: it is another network's, or for another number of classes")
    for name, size in sizes.items():
        length -= WIDTH * size
        if length < 0:
            raise DarknetFileError(f"{held}: cut off at `{name}`, or another network's")
