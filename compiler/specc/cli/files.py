"""Write files in one step."""

from __future__ import annotations

import os
import sys
import tempfile
from errno import ENOTDIR
from pathlib import Path

__all__ = ["write_or_tell", "write_whole"]


def write_whole(target: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file: there is the old one, or the new one, and never a half.

    `mode` are its rights.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), error.filename) from None
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_or_tell(command: str, target: Path, content: bytes) -> bool:
    """Write a file in one step; where that fails, say why and return `False`."""
    try:
        write_whole(target, content)
    except OSError as error:
        print(f"specc {command}: {target} cannot be written: {error.strerror}", file=sys.stderr)
        return False
    return True
