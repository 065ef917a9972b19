"""A VOC data set written by hand, sample by sample, good or bad."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

Entry = tuple[str, tuple[object, object, object, object]]
"""Class name, and xmin ymin xmax ymax as they shall stand in the file."""


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth random image, RGB uint8, that survives JPEG with little change."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (4, 4, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def with_exif(data: bytes, orientation: int) -> bytes:
    """A JPEG's bytes with an EXIF segment that holds nothing but the orientation."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + orientation.to_bytes(2, "big") + b"\x00\x00"
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + b"\x00\x00\x00\x00"
    segment = b"Exif\x00\x00" + tiff
    return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]


class VocFolder:
    """Writes samples below `root`; every sample joins the split `train`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ids: list[str] = []
        for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
            (root / name).mkdir(parents=True)

    def add(
        self,
        name: str,
        entries: Sequence[Entry] = (),
        *,
        image: bytes | None = None,
        size: tuple[int, int] | None = (60, 80),
        xml: str | None = None,
        extra: str = "",
    ) -> None:
        """A sample of 60 x 80 pixels, unless other bytes, another size or other XML are given."""
        data = jpeg(picture(60, 80, seed=len(self.ids))) if image is None else image
        (self.root / "JPEGImages" / f"{name}.jpg").write_bytes(data)
        stated = f"<size><width>{size[1]}</width><height>{size[0]}</height></size>" if size else ""
        objects = "".join(
            f"<object><name>{label}</name>{extra}<bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for label, (x1, y1, x2, y2) in entries
        )
        document = f"<annotation>{stated}{objects}</annotation>" if xml is None else xml
        (self.root / "Annotations" / f"{name}.xml").write_text(document)
        self.list(*self.ids, name)

    def list(self, *names: str) -> None:
        """Make the split `train` consist of these ids."""
        self.ids = [*names]
        lines = "".join(f"{name}\n" for name in names)
        (self.root / "ImageSets/Main/train.txt").write_text(lines)
