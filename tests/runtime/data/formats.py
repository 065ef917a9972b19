"""A small data set in each format, and files with something wrong in them."""

import json
from pathlib import Path
from typing import Any

from .voc_folder import jpeg, picture

ONE_IMAGE: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 80, "height": 60}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 5, "bbox": [10, 20, 30, 15]}],
    "categories": [{"id": 9, "name": "ant"}, {"id": 5, "name": "cat"}],
}


def put(path: Path, content: str | bytes) -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def image(path: Path, seed: int = 0) -> Path:
    """An image of 60 x 80 pixels."""
    return put(path, jpeg(picture(60, 80, seed)))


def coco(root: Path, document: str | dict[str, Any] | None = None) -> Path:
    """A split `train` in COCO's layout, of one image unless another document is given."""
    image(root / "images/a.jpg")
    text = document if isinstance(document, str) else json.dumps(document or ONE_IMAGE)
    put(root / "annotations/instances_train.json", text)
    return root


def yolo(root: Path, labels: str | None, names: str = "[ant, cat]") -> Path:
    """A split `train` in YOLO's layout, with a `data.yaml` as Ultralytics writes it."""
    image(root / "images/train/a.jpg")
    if labels is not None:
        put(root / "labels/train/a.txt", labels)
    put(root / "data.yaml", f"path: .\ntrain: images/train\nval:\nnc: 2\nnames: {names}\n")
    return root


def table(root: Path, lines: str) -> Path:
    """A split `train` in CSV, of the lines given below the usual columns."""
    image(root / "images/a.jpg")
    put(root / "train.csv", f"image,xmin,ymin,xmax,ymax,class\n{lines}")
    return root
