"""The safetensors format, which holds only numbers and can run nothing.

Eight bytes with the length of the header, the header in JSON (name: dtype, shape, place), the data:
github.com/huggingface/safetensors, "Format". Implemented here since a bare PyTorch image
lacks the package; each reads what the other writes.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
LONGEST_HEADER = 100_000_000
_NOT_ONE = (
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a damaged header, or tensors that torch refuses to make, may raise."""


class TensorFileError(Exception):
    """The file is not an intact safetensors file."""


def write(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors of any device and memory format, and texts by name as metadata."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        shape = list(tensor.shape)
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            file.write(flat.view(torch.uint8).numpy().data)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a file's tensors, on the CPU, and its metadata. Raises `TensorFileError`."""
    try:
        data = bytearray(path.read_bytes())
    except OSError as error:
        raise TensorFileError(f"{path}: {error.strerror}") from error
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(LONGEST_HEADER, len(data) - 8):
        raise TensorFileError(f"{path}: cut off, or not a safetensors file")
    try:
        header = json.loads(bytes(data[8 : 8 + length]))
        metadata = dict(cast(dict[str, str], header.pop("__metadata__", {})))
        body = memoryview(data)[8 + length :]
        return {name: _tensor(body, place) for name, place in header.items()}, metadata
    except _NOT_ONE as error:
        raise TensorFileError(f"{path}: damaged: {error}") from error


def _tensor(body: memoryview, place: dict[str, Any]) -> Tensor:
    dtype, shape = DTYPES[place["dtype"]], [int(n) for n in place["shape"]]
    start, end = place["data_offsets"]
    if min(shape, default=0) < 0 or not 0 <= start <= end <= len(body):
        raise ValueError(f"data_offsets {start} to {end} of {len(body)} bytes")
    if end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{end - start} bytes for {place['dtype']} of shape {shape}")
    if start == end:
        return torch.empty(shape, dtype=dtype)
    # A copy, since the parts of the file are not aligned for every dtype.
    raw = torch.frombuffer(bytearray(body[start:end]), dtype=torch.uint8)
    return raw.view(dtype).reshape(shape)
