"""What was found wrong in a data set, counted by kind, with the first examples of each."""

from dataclasses import dataclass, field
from enum import Enum


class DataError(ValueError):
    """The data set cannot be used as it is; the message says what to mend."""


class Fault(Enum):
    """A kind of bad input, and what is done about it."""

    REPEATED_ID = "listed twice in the split", "taken once"
    NO_ANNOTATION = "annotation file missing", "sample left out"
    BAD_ANNOTATION = "annotation malformed", "sample left out"
    NO_IMAGE = "image file missing", "sample left out"
    BAD_IMAGE = "image unreadable", "sample left out"
    OTHER_SHAPE = "annotated size of another shape than the image", "sample left out"
    OTHER_SIZE = "annotated size differs by a scale", "boxes rescaled"
    NOT_FINITE = "box with NaN or infinity", "box dropped"
    EMPTY = "box without area", "box dropped"
    OUTSIDE = "box outside the image", "box dropped"
    CLIPPED = "box reaching out of the image", "box clipped"
    REPEATED_BOX = "object annotated twice", "taken once"

    def __init__(self, what: str, done: str) -> None:
        self.what = what
        self.done = done

    @property
    def loses_sample(self) -> bool:
        return self.done == "sample left out"


@dataclass
class Finding:
    """How often a fault occurred, and where first."""

    count: int = 0
    examples: list[str] = field(default_factory=list[str])


@dataclass
class Report:
    """Counts for one split: what was taken, and what was wrong."""

    split: str
    images: int = 0
    boxes: int = 0
    difficult: int = 0
    findings: dict[Fault, Finding] = field(default_factory=dict[Fault, Finding])
    examples_kept: int = 3

    def note(self, fault: Fault, where: str) -> None:
        """Count one occurrence; `where` names the file, and the object in it if there is one."""
        finding = self.findings.setdefault(fault, Finding())
        finding.count += 1
        if len(finding.examples) < self.examples_kept:
            finding.examples.append(where)

    def count(self, fault: Fault) -> int:
        """How often `fault` occurred."""
        return self.findings[fault].count if fault in self.findings else 0

    @property
    def left_out(self) -> int:
        """Samples of the split that are not trained on or scored."""
        return sum(found.count for fault, found in self.findings.items() if fault.loses_sample)

    def table(self) -> str:
        """The report for people, one fault a line, in the order of `Fault`."""
        head = f"{self.split}: {self.images:,} images, {self.boxes:,} boxes"
        if self.difficult:
            head += f" ({self.difficult:,} difficult)"
        lines = [head]
        for fault in Fault:
            if found := self.findings.get(fault):
                more = ", ..." if found.count > len(found.examples) else ""
                lines.append(f"{found.count:>7,}  {fault.what}: {fault.done}")
                lines.append(f"{'':9}{', '.join(found.examples)}{more}")
        return "\n".join(lines)
