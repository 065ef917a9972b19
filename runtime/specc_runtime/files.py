"""Files that are whole or absent, whatever happens while they are written."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a temporary file, flush it to disk, and rename it to `path`.

    Missing folders are made. Raises what `write` raises and `OSError`; the old file stays then.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(partial)
        flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    flush(path.parent)


def write_text(path: Path, text: str) -> None:
    """`write_whole` of a text, in UTF-8."""
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def append(path: Path, data: bytes) -> None:
    """Add all of the bytes to a file, or none of them. Raises `OSError`."""
    with path.open("ab", buffering=0) as file:
        end, written = file.tell(), 0
        try:
            written = file.write(data)
        finally:
            if written < len(data):
                file.truncate(end)
    if written < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def flush(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
