"""What a format's reader finds written, before any rule is applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from specc_runtime.data.report import DataError, Report


class BadAnnotation(Exception):
    """An annotation that cannot be read; the message says why."""


@dataclass(frozen=True)
class Source:
    """Where a split's parts lie: a folder of images, and a file or folder of annotations.

    `listing` is a file that names the split's images, where the format has one.
    """

    images: Path
    annotations: Path
    listing: Path | None = None


@dataclass(frozen=True)
class Marked:
    """An object: the name of its class, and its box x1 y1 x2 y2, in pixels between whose edges it lies.

    `where` tells it from the others of its record.
    """

    name: str
    box: tuple[float, float, float, float]
    where: str
    difficult: bool = False


@dataclass(frozen=True)
class Record:
    """An image and its objects, as annotated.

    Attributes:
        where: the annotation, for the report.
        image: its file, which need not exist.
        objects: in the order written.
        size: (height, width) as annotated, if they are.
        relative: boxes are in parts of the image's width and height, not in pixels.
    """

    where: str
    image: Path
    objects: tuple[Marked, ...]
    size: tuple[float, float] | None = None
    relative: bool = False


class Reader(Protocol):
    """A data set's annotations in one format."""

    def classes(self) -> tuple[str, ...]:
        """Names in the order of their labels, the same whichever split is read. Raises `DataError`."""
        ...

    def read(self, split: str, report: Report) -> list[Record]:
        """A split's records; what cannot be read is noted. Raises `DataError`."""
        ...


Sources = Mapping[str, Source]
"""The source of each split, by name."""


_LONGEST_NAME = 255  # bytes, on Linux and macOS


def below(folder: Path, name: str) -> Path:
    """The file of that name below a folder. Raises `BadAnnotation` for a name that leads out of it."""
    path = Path(name.replace("\\", "/"))
    too_long = any(len(part.encode()) > _LONGEST_NAME for part in path.parts)
    if not name or path.is_absolute() or ".." in path.parts or too_long:
        raise BadAnnotation(f"`{name}` is no file name below {folder.name}")
    return folder / path


def read_text(path: Path, max_bytes: int) -> str:
    """A text file in UTF-8, with or without a byte-order mark.

    Raises:
        BadAnnotation: too large, or in another encoding.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise BadAnnotation(f"over {max_bytes:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadAnnotation(f"not UTF-8 at byte {error.start:,}") from error


def whole_file(path: Path, max_bytes: int) -> str:
    """`read_text` of a file that a split cannot do without. Raises `DataError`."""
    try:
        return read_text(path, max_bytes)
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except BadAnnotation as error:
        raise DataError(f"{path}: {error}") from error
