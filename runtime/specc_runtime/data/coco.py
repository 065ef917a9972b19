"""Data sets in COCO's format (Lin et al., ECCV 2014; cocodataset.org, Data format, Object Detection).

    <root>/annotations/instances_<split>.json   "images", "annotations" and "categories"
    <root>/images/                              or <split>/, images/<split>/: `file_name` is below it

or, as Roboflow exports it, <root>/<split>/_annotations.coco.json beside the images.

====================================  ==============================================================
`bbox`                                [x, y, width, height] in pixels from 0
`category_id`                         labels follow the order of the ids, whatever those are
`iscrowd: 1`                          kept, marked difficult
`segmentation` and all other keys     not read
JSON malformed, too large, `NaN`, a   the data set is refused, with the place
key twice
two images or categories of one id    the data set is refused
categories that differ from split to  the data set is refused
split, or of the same name
entry of "images" malformed           sample left out
entry of "annotations" malformed, or  object left out
of an image that is not listed
====================================  ==============================================================
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from specc_runtime.data.dataset import Annotation, Limits
from specc_runtime.data.records import (
    BadAnnotation,
    LabelledBox,
    Reader,
    Record,
    Source,
    Sources,
    below,
    whole_file,
)
from specc_runtime.data.report import DataError, Fault, Report

_MALFORMED = (BadAnnotation, KeyError, OverflowError, TypeError, ValueError)
_ROBOFLOW = "_annotations.coco.json"


def locate(root: Path) -> dict[str, Source]:
    """The splits of a folder in this layout; none if it is another."""
    found: dict[str, Source] = {}
    for path in sorted((root / "annotations").glob("instances_*.json")):
        split = path.stem.removeprefix("instances_")
        places = (root / split, root / "images" / split)
        images = next((place for place in places if place.is_dir()), root / "images")
        found[split] = Source(images, path)
    for path in sorted(root.glob(f"*/{_ROBOFLOW}")):
        found[path.parent.name] = Source(path.parent, path)
    return found


class CocoReader(Reader):
    """Reads the format of this module."""

    def __init__(self, sources: Sources, limits: Limits, names: tuple[str, ...] = ()) -> None:
        super().__init__(sources, limits, names)
        self._document = cache(partial(_load, max_bytes=limits.max_table_bytes))

    def found_classes(self) -> tuple[str, ...]:
        """The names of the categories in the order of their ids."""
        first, *others = sorted({source.annotations for source in self.sources.values()})
        categories = self._categories(first)
        for other in others:
            if self._categories(other) != categories:
                raise DataError(f"{other}: its categories are not those of {first}")
        names = tuple(name for _, name in sorted(categories.items()))
        if len(set(names)) < len(names):
            raise DataError(f"{first}: two categories have the same name")
        return names

    def read(self, split: str, report: Report) -> list[Record]:
        source = self.sources[split]
        names = self._categories(source.annotations)
        document = self._document(source.annotations)
        file = source.annotations.name
        objects: defaultdict[Any, list[LabelledBox]] = defaultdict(list)
        for number, item in enumerate(document["annotations"]):
            try:
                image, marked = _object(item, names)
                objects[image].append(marked)
            except _MALFORMED as error:
                report.note(Fault.BAD_OBJECT, f"{file} annotations[{number}] ({_why(error)})")
        records: list[Record] = []
        files: dict[Any, Path] = {}
        for number, item in enumerate(document["images"]):
            try:
                found = tuple(objects.pop(item["id"], ()))
                image = below(source.images, str(item["file_name"]))
                record = Record(f"{file} {image.name}", image, found, _size(item))
                other = files.setdefault(item["id"], image)
            except _MALFORMED as error:
                report.note(Fault.BAD_ANNOTATION, f"{file} images[{number}] ({_why(error)})")
                continue
            if other != image:
                raise DataError(
                    f"{source.annotations}: two images have the id {item['id']}: "
                    f"{other.name}, {image.name}"
                )
            records.append(record)
        for image, orphans in objects.items():
            for marked in orphans:
                report.note(Fault.UNLISTED, f"{file} {marked.where} (image {image})")
        return records

    def _categories(self, path: Path) -> dict[int, str]:
        document = self._document(path)
        try:
            found = {(int(item["id"]), str(item["name"])) for item in document["categories"]}
        except _MALFORMED as error:
            raise DataError(f"{path}: a category is malformed: {_why(error)}") from error
        if len(categories := dict(found)) < len(found):
            raise DataError(f"{path}: two categories have the same id")
        return categories


def write(
    root: Path, split: str, classes: Sequence[str], samples: Sequence[tuple[str, Annotation]]
) -> dict[str, str]:
    """Write a split's annotations; images are in `images`, under the names given."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, sample) in enumerate(samples, start=1):
        size = {"width": sample.width, "height": sample.height}
        images.append({"id": number, "file_name": name, **size})
        rows = zip(sample.boxes.tolist(), sample.labels.tolist(), sample.difficult, strict=True)
        for (x1, y1, x2, y2), label, difficult in rows:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": label + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(difficult),
                }
            )
    categories = [{"id": label, "name": name} for label, name in enumerate(classes, start=1)]
    path = root / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(exist_ok=True)
    document = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(document), encoding="utf-8")
    return {"images": "images", "annotations": f"annotations/{path.name}"}


def _load(path: Path, max_bytes: int) -> dict[str, list[Any]]:
    """The three lists of a file. Raises `DataError`."""
    text = whole_file(path, max_bytes)
    try:
        document: Any = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {error}") from error
    found: dict[str, list[Any]] = {}
    for key in ("images", "annotations", "categories"):
        entries = cast(dict[str, Any], document).get(key) if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{path}: has no list `{key}`, as COCO's files do")
        found[key] = cast(list[Any], entries)
    return found


def _refuse_constant(name: str) -> float:
    """Refuse `NaN` and `Infinity`, which JSON does not have (RFC 8259, section 6)."""
    raise ValueError(f"`{name}` is no number in JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, of whose equal keys `json` would keep the last without a word."""
    if len(found := dict(pairs)) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key `{twice}` stands twice in one object")
    return found


def _object(item: Any, names: dict[int, str]) -> tuple[Any, LabelledBox]:
    """An object, after the id of its image."""
    x, y, width, height = (float(number) for number in item["bbox"])
    category = item["category_id"]
    name = names.get(category, f"category {category}")
    where = f"annotation {item.get('id', '?')}"
    box = (x, y, x + width, y + height)
    return item["image_id"], LabelledBox(name, box, where, bool(item.get("iscrowd", 0)))


def _size(item: Any) -> tuple[float, float] | None:
    height, width = float(item.get("height") or 0), float(item.get("width") or 0)
    return (height, width) if 0 < height < math.inf and 0 < width < math.inf else None


def _why(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
