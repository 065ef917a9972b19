"""From the image that was annotated to the image as decoded (rules: `specc_runtime.data.scan`)."""

import math
from dataclasses import dataclass, replace

from specc_runtime.data.images import Header
from specc_runtime.data.report import Fault


@dataclass(frozen=True)
class Frame:
    """The image's size as decoded, and the (x, y) scale from annotated coordinates to its pixels."""

    height: int
    width: int
    apply_exif: bool = True
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def rescales(self) -> bool:
        return self.scale != (1.0, 1.0)

    def place(
        self, corners: tuple[float, float, float, float]
    ) -> tuple[Fault | None, tuple[float, ...] | None]:
        """The fault of a box x1 y1 x2 y2, if any, and the box in pixels, or None if it is dropped."""
        x1, y1, x2, y2 = corners
        if not all(map(math.isfinite, corners)):
            return Fault.NOT_FINITE, None
        if x2 <= x1 or y2 <= y1:
            return Fault.EMPTY, None
        across, down = self.scale
        drawn = (x1 * across, y1 * down, x2 * across, y2 * down)
        limits = (self.width, self.height) * 2
        box = tuple(min(max(side, 0.0), end) for side, end in zip(drawn, limits, strict=True))
        if box[2] <= box[0] or box[3] <= box[1]:
            return Fault.OUTSIDE, None
        moved = max(abs(new - old) for new, old in zip(box, drawn, strict=True))
        return (Fault.CLIPPED if moved > 1.0 else None), box


def frame_of(annotated: tuple[float, float] | None, header: Header) -> Frame | None:
    """The frame for an annotated (height, width); None if that cannot be the size of this image."""
    shown, stored = header.shown, (header.height, header.width)
    as_shown = Frame(*shown, apply_exif=header.orientation != 1)
    if annotated is None or annotated == shown:
        return as_shown
    if annotated == stored:
        return Frame(*stored, apply_exif=False)
    if annotated == shown[::-1]:
        return as_shown
    if not all(map(math.isfinite, annotated)):
        return None
    down, across = shown[0] / annotated[0], shown[1] / annotated[1]
    if abs(down / across - 1) > 0.01:
        return None
    return replace(as_shown, scale=(across, down))
