"""Write a data set, with its images, in another format."""

import json
import shutil
from pathlib import Path

import cv2

from specc_runtime.data.check import Split
from specc_runtime.data.dataset import Annotation
from specc_runtime.data.formats import FORMATS
from specc_runtime.data.images import decode, read_header
from specc_runtime.data.report import DataError


def convert(splits: dict[str, Split], to: str, root: Path) -> None:
    """Write splits in the format `to` below `root`, with a `data.yaml`.

    Images are copied; one with an EXIF orientation is rotated to match its boxes, since
    programs differ in how they treat it. Images of the same name get a number.

    Raises:
        DataError: `root` is not empty.
        UnreadableImage: an image with an EXIF orientation is damaged.
    """
    if root.exists() and any(root.iterdir()):
        raise DataError(f"{root}: not empty: give a new folder")
    kind = FORMATS[to]
    taken: set[str] = set()
    classes = next(iter(splits.values())).classes
    lines = [f"format: {to}", f"names: {json.dumps(classes, ensure_ascii=False)}"]
    for split, found in splits.items():
        named = [(_free(sample.path, taken), sample) for sample in found.annotations]
        images = root / kind.images.format(split=split)
        images.mkdir(parents=True, exist_ok=True)
        for name, sample in named:
            _copy(sample, images / name)
        parts = kind.write(root, split, classes, named)
        lines.append(f"{split}: {json.dumps(parts)}")
    (root / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _free(path: Path, taken: set[str]) -> str:
    """The file's name, with a number if it is taken: formats identify images by name alone."""
    stem, number = path.stem, 1
    while stem in taken:
        number += 1
        stem = f"{path.stem}_{number}"
    taken.add(stem)
    return stem + path.suffix


def _copy(sample: Annotation, target: Path) -> None:
    if read_header(sample.path, sample.height * sample.width).orientation == 1:
        shutil.copyfile(sample.path, target)
        return
    pixels = cv2.cvtColor(decode(sample.path, sample.apply_exif), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(target), pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
