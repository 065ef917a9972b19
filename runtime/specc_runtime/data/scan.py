"""From records to annotations: the rules about bad input, the same for every format.

Each occurrence is counted in the report:

====================================  ==============================================================
x2 <= x1 or y2 <= y1                  box dropped
NaN or infinite coordinate            box dropped
box reaches out of the image          clipped; counted if by more than a pixel, since some tools
                                      count from 0; dropped if nothing remains inside
the same object twice on an image     taken once
class that is not one of the classes  the data set is refused
image file missing                    sample left out
image damaged, neither JPEG nor PNG,  sample left out; truncation shows at the first decoding and is
or over the pixel limit               quarantined then
grey, CMYK, palette, 16-bit, alpha    made 8-bit RGB
no object                             kept: background to train on, and to score false alarms on
more than one and 5 % left out        the data set is refused (`Limits.left_out`)
====================================  ==============================================================

The annotated size decides how the image is rotated. `shown` is its size with the EXIF orientation
applied, `stored` without:

====================================  ==============================================================
annotated = shown, or none annotated  EXIF applied
annotated = stored, not shown         the boxes were drawn on the unturned pixels: EXIF not applied
annotated = shown with w, h swapped   a slip in the size: EXIF applied, boxes as they are
same shape within 1 %, other scale    EXIF applied, boxes rescaled to the image, counted
any other size                        sample left out
====================================  ==============================================================
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from specc_runtime.data.dataset import Annotation, Limits
from specc_runtime.data.frame import Frame, frame_of
from specc_runtime.data.images import Header, UnreadableImage, read_header
from specc_runtime.data.records import LabelledBox, Record
from specc_runtime.data.report import Fault, Report


def scan(
    records: Iterable[Record], classes: Sequence[str], limits: Limits, report: Report
) -> list[Annotation]:
    """The usable samples, in order; problems are noted in the report."""
    rules = _Rules({name: label for label, name in enumerate(classes)}, limits, report)
    return [sample for record in records if (sample := rules.sample(record)) is not None]


@dataclass
class _Rules:
    """Applies the rules of the module to one record after another."""

    labels: dict[str, int]
    limits: Limits
    report: Report
    seen: set[str] = field(default_factory=set[str])

    def sample(self, record: Record) -> Annotation | None:
        """The sample as it will be used; None if it is left out."""
        file = record.image.name
        if str(record.image) in self.seen:
            return self.report.note(Fault.REPEATED_ID, f"{record.where} {file}")
        self.seen.add(str(record.image))
        if not record.image.is_file():
            return self.report.note(Fault.NO_IMAGE, file)
        try:
            header = read_header(record.image, self.limits.max_pixels)
        except UnreadableImage as error:
            return self.report.note(Fault.BAD_IMAGE, f"{file} ({error})")
        frame = frame_of(record.size, header)
        if frame is None:
            return self.report.note(Fault.OTHER_SHAPE, f"{file} ({_sizes(record, header)})")
        self._note_image(record, header, frame)
        if record.relative:
            frame = replace(frame, scale=(frame.width, frame.height))
        placed = self._objects(record, frame)
        return Annotation(
            record.image,
            frame.height,
            frame.width,
            frame.apply_exif,
            boxes=np.array([box for box, _ in placed], dtype=np.float32).reshape(-1, 4),
            labels=np.array([self.labels[item.name] for _, item in placed], dtype=np.int64),
            difficult=np.array([item.difficult for _, item in placed], dtype=bool),
        )

    def _note_image(self, record: Record, header: Header, frame: Frame) -> None:
        file = record.image.name
        if frame.rescales:
            self.report.note(Fault.OTHER_SIZE, f"{file} ({_sizes(record, header)})")
        if header.orientation != 1:
            turned = Fault.TURNED if frame.apply_exif else Fault.NOT_TURNED
            self.report.note(turned, f"{file} (orientation {header.orientation})")
        if header.kind:
            self.report.note(Fault.CONVERTED, f"{file} ({header.kind})")
        if not record.objects:
            self.report.note(Fault.BACKGROUND, file)

    def _objects(self, record: Record, frame: Frame) -> list[tuple[tuple[float, ...], LabelledBox]]:
        """The objects that are kept, each with its box in pixels of the image."""
        kept: list[tuple[tuple[float, ...], LabelledBox]] = []
        seen: set[LabelledBox] = set()
        for item in record.objects:
            fault, box = frame.place(item.box)
            if item.name not in self.labels:
                fault, box = Fault.UNKNOWN_CLASS, None
            elif (twin := replace(item, where="")) in seen:
                fault, box = Fault.REPEATED_BOX, None
            else:
                seen.add(twin)
            if fault is not None:
                self.report.note(fault, f"{record.where} {item.where} ({item.name})".strip())
            if box is not None:
                kept.append((box, item))
        return kept


def _sizes(record: Record, header: Header) -> str:
    height, width = record.size or (0, 0)
    return f"{width:g}x{height:g} annotated, {header.shown[1]}x{header.shown[0]} found"
