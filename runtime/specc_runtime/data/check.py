"""Check a data set: scan every split, decode every image, find identical files."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from specc_runtime.data.dataset import USUAL_LIMITS, Annotation, Dataset, Limits
from specc_runtime.data.images import UnreadableImage, decode
from specc_runtime.data.layout import Layout
from specc_runtime.data.report import DataError, Fault, Report
from specc_runtime.data.scan import scan


@dataclass(frozen=True)
class Split:
    """A scanned split, even one that training would refuse."""

    classes: tuple[str, ...]
    annotations: list[Annotation]
    report: Report
    limits: Limits

    @property
    def fault(self) -> str | None:
        """Why it cannot be used for anything, in a line; None if it can."""
        return _refusal(self._dataset)

    @property
    def refusal(self) -> str | None:
        """Why training and scoring would refuse it, in a line; None if they would not."""
        return _refusal(lambda: self._dataset().require_objects())

    def _dataset(self) -> Dataset:
        return Dataset(self.classes, self.annotations, self.report, self.limits)


def _refusal(use: Callable[[], object]) -> str | None:
    try:
        use()
    except DataError as error:
        return str(error).partition("\n")[0]
    return None


def read_splits(
    layout: Layout, limits: Limits = USUAL_LIMITS, splits: tuple[str, ...] = ()
) -> dict[str, Split]:
    """Scan these splits, by default train, val and test, without refusing any.

    Raises `DataError` if there is no such split, or a file that a whole split needs cannot be read.
    """
    reader = layout.reader(limits)
    found: dict[str, Split] = {}
    for name in splits or layout.splits:
        if name not in layout.sources:
            raise DataError(f"`{name}`: no such split (there: {', '.join(layout.sources)})")
        report = Report(name)
        records, classes = reader.read(name, report), reader.classes()
        annotations = scan(records, classes, limits, report)
        report.take(annotations)
        found[name] = Split(classes, annotations, report, limits)
    return found


def check(layout: Layout, limits: Limits = USUAL_LIMITS) -> dict[str, Split]:
    """Scan train, val and test, decode all images, and report identical files."""
    splits = read_splits(layout, limits)
    owners: dict[bytes, tuple[str, Path]] = {}
    for name, split in splits.items():
        split.annotations[:] = [a for a in split.annotations if _can_be_read(a, split.report)]
        split.report.take(split.annotations)
        for sample in split.annotations:
            owner, twin = owners.setdefault(_digest(sample.path), (name, sample.path))
            where = f"{sample.path.name} ({owner}: {twin.name})"
            if owner != name:
                split.report.note(Fault.SHARED_IMAGE, where)
            elif twin != sample.path:
                split.report.note(Fault.SAME_IMAGE, where)
    return splits


def _can_be_read(sample: Annotation, report: Report) -> bool:
    try:
        decode(sample.path, sample.apply_exif)
    except UnreadableImage as error:
        report.note(Fault.BAD_IMAGE, str(error))
        return False
    return True


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
