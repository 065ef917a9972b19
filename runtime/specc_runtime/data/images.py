"""Image files: their size without decoding, and their pixels, always as RGB uint8 [H, W, 3].

JPEG and PNG are read. Grey, CMYK, 16-bit and transparent images become 8-bit RGB.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_QUARTER_TURNS = (5, 6, 7, 8)
"""EXIF orientations that swap width and height (Exif 2.32, tag 0x0112)."""
_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
"""OpenCV's flags for a shrunk image; `GRAYSCALE` in their names only means that no colour flag is set."""


class UnreadableImage(Exception):
    """An image file that is missing, damaged, too large or of a format that is not read."""


@dataclass(frozen=True)
class Header:
    """An image's size as stored, in pixels, and its EXIF orientation (1: upright).

    `kind` describes the pixels if they are not 8-bit RGB.
    """

    height: int
    width: int
    orientation: int = 1
    kind: str = ""

    @property
    def shown(self) -> tuple[int, int]:
        """(height, width) once the EXIF orientation is applied."""
        if self.orientation in _QUARTER_TURNS:
            return self.width, self.height
        return self.height, self.width


def read_header(path: Path, max_pixels: int) -> Header:
    """Size and orientation from the first bytes of a file, without decoding it.

    Raises:
        UnreadableImage: not a JPEG or PNG, cut short, or more than `max_pixels` pixels.
    """
    try:
        with path.open("rb") as file:
            start = file.read(65536)
            if start.startswith(_PNG):
                walk = _png_header
            elif start.startswith(_JPEG):
                walk = _jpeg_header
            else:
                raise UnreadableImage("neither JPEG nor PNG")
            header = walk(start) or walk(start + file.read())  # where long metadata comes first
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from error
    except struct.error as error:
        raise UnreadableImage("cut short") from error
    if header is None or header.height * header.width == 0:
        raise UnreadableImage("no pixels in the file")
    if header.height * header.width > max_pixels:
        raise UnreadableImage(f"{header.width}x{header.height} is over {max_pixels:,} pixels")
    return header


def decode(path: Path, apply_exif: bool = True, shrink: int = 1) -> np.ndarray:
    """The pixels of an image file, RGB uint8 [H, W, 3].

    Args:
        path: of the file.
        apply_exif: rotate the image by its EXIF orientation.
        shrink: 1, 2, 4 or 8: divides both sides. A JPEG is decoded directly to that size, from fewer
            terms of its DCT (libjpeg, section "scaling"), and its sides are rounded up.

    Raises:
        UnreadableImage: missing, truncated, damaged, or of a format that is not read.
    """
    flags = _REDUCED[shrink] | cv2.IMREAD_COLOR_RGB
    if not apply_exif:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        stored = np.fromfile(path, dtype=np.uint8)
        image = cv2.imdecode(stored, flags) if stored.size else None
    except OSError as error:
        raise UnreadableImage(f"{path.name}: {error.strerror or error}") from error
    except cv2.error as error:
        raise UnreadableImage(f"{path.name}: {error}") from error
    if image is None:
        is_known = stored[: len(_PNG)].tobytes().startswith((_PNG, _JPEG))
        what = "truncated or damaged" if is_known else "neither JPEG nor PNG"
        raise UnreadableImage(f"{path.name}: {what}")
    return image


def _png_header(data: bytes) -> Header | None:
    """Walk a PNG's chunks to its pixels; None if `data` ends before them (PNG, section 5.3)."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    at, orientation = 33, 1
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            return Header(height, width, orientation, _png_kind(depth, colour))
        if kind == b"eXIf":
            orientation = _orientation(data[at + 8 : at + 8 + length])
        at += 12 + length
    return None


def _jpeg_header(data: bytes) -> Header | None:
    """Walk a JPEG's segments to its frame header; None if `data` ends before it (ITU T.81, B.1)."""
    at, orientation = 2, 1
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            raise UnreadableImage("damaged JPEG segments")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte before the marker
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return Header(height, width, orientation, _JPEG_KINDS.get(data[at + 9], ""))
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = _orientation(data[at + 10 : at + 2 + length])
        at += 2 + length
    return None


_JPEG_KINDS = {1: "grey", 4: "CMYK"}
"""By the number of components (ITU T.81, B.2.2)."""
_PNG_KINDS = {0: "grey", 3: "palette", 4: "grey, alpha", 6: "alpha"}
"""By the colour type (PNG, section 11.2.2)."""


def _png_kind(depth: int, colour: int) -> str:
    parts = (_PNG_KINDS.get(colour, ""), "16-bit" if depth == 16 else "")
    return ", ".join(part for part in parts if part)


def _orientation(tiff: bytes) -> int:
    """Tag 0x0112 of an EXIF block's first directory; 1 where there is none or it is damaged."""
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * entry)
            if tag == 0x0112 and 1 <= value <= 8:
                return value
    except struct.error:
        pass
    return 1
