"""A split of a data set: annotations in memory, and pixels on demand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specc_runtime.data.cache import ImageCache
from specc_runtime.data.images import UnreadableImage, decode
from specc_runtime.data.report import DataError, Fault, Report


@dataclass(frozen=True)
class Limits:
    """How much bad input is tolerated.

    `max_annotation_bytes` bounds the annotation of one image, `max_table_bytes` that of a split.
    `left_out` is the fraction of a split's samples that may be left out, at the scan and in training
    together, before the data set is refused; a single one is tolerated in a split of any size.
    """

    max_pixels: int = 100_000_000
    max_annotation_bytes: int = 10_000_000
    max_table_bytes: int = 2_000_000_000
    left_out: float = 0.05


USUAL_LIMITS = Limits()


@dataclass(frozen=True)
class Annotation:
    """One image and its objects.

    Boxes are float32 [N, 4], x1 y1 x2 y2 in pixels of the image, whose first pixel reaches from
    0 to 1. Labels are int64 [N], 0-based positions in the data set's classes (no background).
    `difficult` is bool [N]: objects that neither help nor harm a score. `apply_exif`: the image has
    an EXIF orientation, and the boxes refer to the image rotated by it.
    """

    path: Path
    height: int
    width: int
    apply_exif: bool
    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


class Dataset:
    """The samples of one split, in the order of its list.

    Args:
        classes: names, in the order of the labels.
        annotations: the samples that can be used.
        report: what the scan found.
        limits: when to refuse the set.
        cache_bytes: decoded images are kept in memory up to this many bytes.

    Raises:
        DataError: no sample is left, too many were left out, or there are objects of no known class.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        annotations: Sequence[Annotation],
        report: Report,
        limits: Limits = USUAL_LIMITS,
        cache_bytes: int = 0,
    ) -> None:
        self.classes = classes
        self.annotations = tuple(annotations)
        self.report = report
        self.limits = limits
        self._quarantined: set[int] = set()
        self._cache = ImageCache([(a.height, a.width) for a in self.annotations], cache_bytes)
        report.take(self.annotations)
        self._refuse_if_too_bad()

    def __len__(self) -> int:
        return len(self.annotations)

    @property
    def most_boxes(self) -> int:
        """The most objects on any image: the smallest `max_boxes` of a loader."""
        return max((len(a.boxes) for a in self.annotations), default=0)

    def require_objects(self) -> None:
        """Raise `DataError` where no object is annotated: nothing can be learnt or scored there."""
        if self.most_boxes == 0:
            raise DataError(
                "no object is annotated in this split: there is nothing to learn or to score\n"
                f"{self.report.table()}"
            )

    def image(self, index: int) -> np.ndarray:
        """The pixels of one sample, RGB uint8 [H, W, 3], read-only.

        Raises:
            UnreadableImage: the file is damaged, or is no longer the one that was scanned.
        """
        if (cached := self._cache.get(index)) is not None:
            return cached
        image = self._decode(index, 1)
        self._cache.put(index, image)
        return image

    def shrunk(self, index: int, shrink: int) -> tuple[np.ndarray, int]:
        """`image` decoded with its sides divided by `shrink`, and the divisor used.

        The divisor is 1 for all but upright JPEGs, and for images that the cache has room for, so the
        result never depends on what was read before.
        """
        annotation = self.annotations[index]
        jpeg = annotation.path.suffix.lower() in (".jpg", ".jpeg")
        if self._cache.has_room(index) or annotation.apply_exif or not jpeg:
            return self.image(index), 1
        return self._decode(index, shrink), shrink

    def _decode(self, index: int, shrink: int) -> np.ndarray:
        annotation = self.annotations[index]
        image = decode(annotation.path, annotation.apply_exif, shrink)
        if image.shape[:2] != (-(-annotation.height // shrink), -(-annotation.width // shrink)):
            raise UnreadableImage(f"{annotation.path.name}: changed since it was scanned")
        return image

    def quarantine(self, index: int, why: str) -> None:
        """Count a sample whose image turned out unreadable, once even if it is met again.

        Raises:
            DataError: too many samples are now left out.
        """
        if index not in self._quarantined:
            self._quarantined.add(index)
            self.report.note(Fault.BAD_IMAGE, why)
            self._refuse_if_too_bad()

    def _refuse_if_too_bad(self) -> None:
        if unknown := self.report.findings.get(Fault.UNKNOWN_CLASS):
            raise DataError(
                f"{', '.join(unknown.examples)}: not one of {', '.join(self.classes)} "
                f"({unknown.count:,} such objects)"
            )
        usable = len(self) - len(self._quarantined)
        if usable == 0:
            raise DataError(f"no usable image in this split\n{self.report.table()}")
        bad = self.report.left_out
        whole = usable + bad
        if bad > 1 and bad / whole > self.limits.left_out:
            raise DataError(
                f"{bad:,} of the {whole:,} samples cannot be used, and {self.limits.left_out:.0%} or "
                f"one may be: mend them, or take them out of the split\n{self.report.table()}"
            )
