"""What a format's reader returns: annotations as written, before any rule is applied."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from specc_runtime.data.dataset import Limits
from specc_runtime.data.report import DataError, Report


class BadAnnotation(Exception):
    """An annotation that cannot be read; the message says why."""


@dataclass(frozen=True)
class Source:
    """The files of a split: a folder of images, and a file or folder of annotations.

    `listing` is a file that lists the split's images, if the format has one.
    """

    images: Path
    annotations: Path
    listing: Path | None = None


@dataclass(frozen=True)
class LabelledBox:
    """An object: the name of its class, and its box x1 y1 x2 y2, in pixels from the image's edge.

    `where` identifies it within its record.
    """

    name: str
    box: tuple[float, float, float, float]
    where: str
    difficult: bool = False


@dataclass(frozen=True)
class Record:
    """An image and its objects, as annotated.

    Attributes:
        where: names the annotation in the report.
        image: the image's file, which need not exist.
        objects: in the order written.
        size: (height, width), if annotated.
        relative: boxes are fractions of the image's width and height, not pixels.
    """

    where: str
    image: Path
    objects: tuple[LabelledBox, ...]
    size: tuple[float, float] | None = None
    relative: bool = False


Sources = Mapping[str, Source]
"""The source of each split, by name."""


class Reader(ABC):
    """Reads the splits of `sources` in one format; class names that are given override the files'."""

    def __init__(self, sources: Sources, limits: Limits, names: tuple[str, ...] = ()) -> None:
        self.sources, self.limits = sources, limits
        self._names = names

    def classes(self) -> tuple[str, ...]:
        """Names in the order of their labels, the same for all splits. Raises `DataError`."""
        self._names = self._names or self.found_classes()
        return self._names

    @abstractmethod
    def found_classes(self) -> tuple[str, ...]:
        """The names in the files, in the order of their labels. Raises `DataError`."""

    @abstractmethod
    def read(self, split: str, report: Report) -> list[Record]:
        """A split's records; what cannot be read is noted in the report. Raises `DataError`."""


_LONGEST_NAME = 255  # bytes, on Linux and macOS


def below(folder: Path, name: str) -> Path:
    """The file of that name in a folder. Raises `BadAnnotation` for a name that leads out of it."""
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
    """`read_text` of a file that a whole split needs. Raises `DataError`."""
    try:
        return read_text(path, max_bytes)
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except BadAnnotation as error:
        raise DataError(f"{path}: {error}") from error
