"""The problems of a data set, counted by kind, with the first examples of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import numpy as np

_EXAMPLES = 3
"""Examples shown of each fault."""


class DataError(ValueError):
    """The data set cannot be used as it is; the message says what to mend."""


class Fault(Enum):
    """A kind of bad or unusual input, and what is done about it."""

    UNKNOWN_CLASS = "class that is not one of the data set's", "data set refused"
    REPEATED_ID = "listed twice in the split", "taken once"
    NO_ANNOTATION = "annotation file missing", "sample left out"
    BAD_ANNOTATION = "annotation malformed", "sample left out"
    NO_IMAGE = "image file missing", "sample left out"
    BAD_IMAGE = "image unreadable", "sample left out"
    BAD_OBJECT = "object malformed", "object left out"
    UNLISTED = "object of an image that is not listed", "object left out"
    OTHER_SHAPE = "annotated size of another shape than the image", "sample left out"
    OTHER_SIZE = "annotated size differs by a scale", "boxes rescaled"
    NOT_FINITE = "box with NaN or infinity", "box dropped"
    EMPTY = "box without area", "box dropped"
    OUTSIDE = "box outside the image", "box dropped"
    CLIPPED = "box reaching out of the image", "box clipped"
    REPEATED_BOX = "object annotated twice", "taken once"
    SAME_IMAGE = "same file as another of the split", "both kept"
    SHARED_IMAGE = "same file in another split", "both kept"
    TURNED = "image with an EXIF orientation", "turned as it says", False
    NOT_TURNED = "boxes drawn before the EXIF orientation", "not turned", False
    CONVERTED = "image not 8-bit RGB", "made so", False
    BACKGROUND = "image without objects", "kept as background", False

    def __init__(self, what: str, done: str, bad: bool = True) -> None:
        self.what = what
        self.done = done
        self.bad = bad

    @property
    def loses_sample(self) -> bool:
        return self.done == "sample left out"


class Counted(Protocol):
    """What a report counts: an image's objects."""

    @property
    def boxes(self) -> np.ndarray: ...
    @property
    def difficult(self) -> np.ndarray: ...


@dataclass
class Finding:
    """The count of a fault, and its first examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list[str])


@dataclass
class Report:
    """Counts for one split: what is used, and what is wrong."""

    split: str
    images: int = 0
    boxes: int = 0
    difficult: int = 0
    findings: dict[Fault, Finding] = field(default_factory=dict[Fault, Finding])

    def take(self, annotations: Sequence["Counted"]) -> None:
        """Count what is used."""
        self.images = len(annotations)
        self.boxes = sum(len(found.boxes) for found in annotations)
        self.difficult = sum(int(found.difficult.sum()) for found in annotations)

    def note(self, fault: Fault, where: str) -> None:
        """Count one occurrence; `where` names the file, and the object in it if there is one."""
        finding = self.findings.setdefault(fault, Finding())
        finding.count += 1
        if len(finding.examples) < _EXAMPLES:
            finding.examples.append(_printable(where))

    def count(self, fault: Fault) -> int:
        """How often `fault` occurred."""
        return self.findings[fault].count if fault in self.findings else 0

    @property
    def bad(self) -> int:
        """The number of faults that should be mended; the rest is unusual but handled."""
        return sum(found.count for fault, found in self.findings.items() if fault.bad)

    @property
    def left_out(self) -> int:
        """Samples of the split that are not trained on or scored."""
        return sum(found.count for fault, found in self.findings.items() if fault.loses_sample)

    def table(self) -> str:
        """The report for people, one fault a line, in the order of `Fault`."""
        lines = [self.headline()]
        for fault in Fault:
            if found := self.findings.get(fault):
                more = ", ..." if found.count > len(found.examples) else ""
                lines.append(f"{found.count:>7,}  {fault.what}: {fault.done}")
                lines.append(f"{'':9}{', '.join(found.examples)}{more}")
        return "\n".join(lines)

    def headline(self) -> str:
        """The size of the split, in a line."""
        head = f"{self.split}: {self.images:,} images, {self.boxes:,} boxes"
        if self.difficult:
            head += f" ({self.difficult:,} difficult)"
        return head

    def as_json(self) -> dict[str, object]:
        """The report as data: faults by name, in the order of `Fault`."""
        return {
            "split": self.split,
            "images": self.images,
            "boxes": self.boxes,
            "difficult": self.difficult,
            "left_out": self.left_out,
            "findings": [
                {
                    "fault": fault.name.lower(),
                    "what": fault.what,
                    "done": fault.done,
                    "bad": fault.bad,
                    "count": found.count,
                    "examples": found.examples,
                }
                for fault in Fault
                if (found := self.findings.get(fault))
            ],
        }


def _printable(text: str) -> str:
    """The text with control and other unprintable characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
