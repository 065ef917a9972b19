"""A synthetic data set in VOC layout, to try a model without a download.

Colour does not give the class away: all shapes and the background use the same colours. Sizes
range over 10:1, and shapes overlap and reach out of the picture.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from specc_runtime.data.report import DataError
from specc_runtime.data.scene import Box, draw_scene

_HELD_OUT = 0.15


def write(
    root: str | os.PathLike[str],
    *,
    images: int = 400,
    size: tuple[int, int] = (320, 320),
    seed: int = 0,
) -> None:
    """Write the data set below `root`: 70 % train, 15 % val, 15 % test.

    Every image is a function of (seed, split, its number), so the splits share no image, and a larger
    set starts with the images of a smaller one.

    Args:
        root: made if needed; files of the same names are overwritten.
        images: in all splits together, 3 or more.
        size: (height, width) in pixels.
        seed: another seed, another set.

    Raises:
        DataError: `root` holds another data set in VOC layout.
        ValueError: too few images for three splits.
    """
    held_out = max(1, round(images * _HELD_OUT))
    counts = {"train": images - 2 * held_out, "val": held_out, "test": held_out}
    if min(counts.values()) < 1:
        raise ValueError(f"{images} images do not fill the splits train, val and test")
    folder = Path(root)
    names = {s: [f"{s}_{index:05d}" for index in range(count)] for s, count in counts.items()}
    lists = {folder / "ImageSets/Main" / f"{s}.txt": ids for s, ids in names.items()}
    if any(path.exists() and path.read_text().split() != ids for path, ids in lists.items()):
        raise DataError(f"{root}: holds another data set: give a new folder")
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, ids in enumerate(names.values()):
        for index, name in enumerate(ids):
            rng = np.random.default_rng([seed, number, index])
            image, objects = draw_scene(rng, size)
            pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(folder / "JPEGImages" / f"{name}.jpg"), pixels)
            document = folder / "Annotations" / f"{name}.xml"
            document.write_text(_xml(name, size, objects), encoding="utf-8")
    for path, ids in lists.items():
        path.write_text("".join(f"{name}\n" for name in ids), encoding="utf-8")


def _xml(name: str, size: tuple[int, int], objects: list[tuple[str, Box]]) -> str:
    """A VOC annotation: corners counted from 1, the last pixel included."""
    height, width = size
    return (
        f"<annotation>\n  <filename>{name}.jpg</filename>\n"
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
        + "".join(
            f"  <object>\n    <name>{label}</name>\n    <difficult>0</difficult>\n"
            f"    <bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>\n  </object>\n"
            for label, (x1, y1, x2, y2) in objects
        )
        + "</annotation>\n"
    )
