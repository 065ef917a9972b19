"""TensorBoard's event files, written without TensorBoard.

A file is a sequence of TFRecords, each an `Event` of tensorflow/core/util/event.proto in protobuf's wire
format. Only scalars, the version at the start and the mark of a session's start are written.
"""

import os
import platform
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from specc_runtime.files import append

_POLYNOMIAL = 0x82F63B78
"""Of CRC-32C (RFC 3720, appendix B.4), bits reversed."""


class EventFile:
    """A new event file in a folder. Each record is written completely or not at all. Raises `OSError`."""

    name = "TensorBoard's file"

    def __init__(self, folder: Path) -> None:
        name = f"events.out.tfevents.{time.time():.6f}.{platform.node()}.{os.getpid()}"
        self.path = folder / name
        self._write(0, _text(3, "brain.Event:2"))

    def start(self, step: int) -> None:
        """Make readers forget what earlier files hold from `step` on."""
        self._write(step, _message(7, _number(1, 1)))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write a step's numbers by name."""
        found = b"".join(
            _message(1, _text(1, tag) + _key(2, 5) + struct.pack("<f", value))
            for tag, value in values.items()
        )
        self._write(step, _message(5, found))

    def close(self) -> None:
        """Nothing is left to do."""

    def _write(self, step: int, what: bytes) -> None:
        event = _key(1, 1) + struct.pack("<d", time.time()) + _number(2, step) + what
        length = struct.pack("<Q", len(event))
        record = length + _checksum(length) + event + _checksum(event)
        append(self.path, record)


def _crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _table() -> list[int]:
    table: list[int] = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return table


_TABLE = _table()


def _checksum(data: bytes) -> bytes:
    """CRC-32C, rotated and shifted, as a TFRecord has it."""
    value = _crc32c(data)
    masked = ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value)


def _message(field: int, data: bytes) -> bytes:
    return _key(field, 2) + _varint(len(data)) + data


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())
