"""Data sets in the layout of YOLO (Darknet's, as Ultralytics describes it with a `data.yaml`).

    data.yaml             the classes, `names`, and the splits' folders of images
    images/<split>/       or a text file that lists images, one a line
    labels/<split>/*.txt  one object a line: class, centre x, centre y, width, height

The label file of an image has its path with the last `images` replaced by `labels`. Without a
`data.yaml`, the names are the lines of `classes.txt`.

====================================  ==============================================================
coordinates                           fractions of the image's width and height, as it is shown
class                                 0-based position in `names`
more than five numbers on a line      a polygon after the class: its bounding box is taken
no label file                         kept as background
a line that is not such numbers       sample left out
====================================  ==============================================================
"""

from collections.abc import Sequence
from pathlib import Path

from specc_runtime.data.dataset import Annotation
from specc_runtime.data.records import (
    BadAnnotation,
    LabelledBox,
    Reader,
    Record,
    Source,
    read_text,
    whole_file,
)
from specc_runtime.data.report import DataError, Fault, Report

_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
"""Files that are images by their names, so that those that are not read are told of."""


def locate(root: Path) -> dict[str, Source]:
    """The splits of a folder with `classes.txt`; none if it has another layout."""
    if not (root / "classes.txt").is_file():
        return {}
    folders = [path for path in sorted((root / "images").glob("*")) if path.is_dir()]
    return {path.name: source(path) for path in folders}


def source(images: Path) -> Source:
    """The source of a folder of images, or of a file that lists them."""
    if images.suffix == ".txt":
        return Source(images.parent, _labels(images.parent / "images"), images)
    return Source(images, _labels(images))


class YoloReader(Reader):
    """Reads the format of this module."""

    def found_classes(self) -> tuple[str, ...]:
        """The lines of the `classes.txt` beside `images`."""
        source = next(iter(self.sources.values()))
        path = source.images.parent.parent / "classes.txt"
        lines = whole_file(path, self.limits.max_annotation_bytes).splitlines()
        return tuple(line.strip() for line in lines if line.strip())

    def read(self, split: str, report: Report) -> list[Record]:
        source = self.sources[split]
        return [
            record
            for image, labels in self._images(source)
            if (record := self._record(image, labels, report)) is not None
        ]

    def _images(self, source: Source) -> list[tuple[Path, Path]]:
        """Each image of a split and the file of its labels."""
        if source.listing is None:
            if not source.images.is_dir():
                raise DataError(f"{source.images}: no such folder of images")
            found = sorted(p for p in source.images.rglob("*") if p.suffix.lower() in _IMAGES)
            folder = source.images
            return [
                (p, source.annotations / p.relative_to(folder).with_suffix(".txt")) for p in found
            ]
        lines = whole_file(source.listing, self.limits.max_table_bytes).split("\n")
        images = [source.images / line.strip() for line in lines if line.strip()]
        return [(image, _labels(image).with_suffix(".txt")) for image in images]

    def _record(self, image: Path, labels: Path, report: Report) -> Record | None:
        try:
            text = read_text(labels, self.limits.max_annotation_bytes)
            objects = tuple(
                _marked(line.split(), number, self.classes())
                for number, line in enumerate(text.splitlines(), start=1)
                if line.strip()
            )
        except FileNotFoundError:
            objects = ()
        except (OSError, BadAnnotation) as error:
            return report.note(Fault.BAD_ANNOTATION, f"{labels.name} ({error})")
        return Record(labels.name, image, objects, relative=True)


def write(
    root: Path, split: str, classes: Sequence[str], samples: Sequence[tuple[str, Annotation]]
) -> dict[str, str]:
    """Write a split's labels; images are in `images/<split>`, under the names given."""
    folder = root / "labels" / split
    folder.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    for name, sample in samples:
        lines: list[str] = []
        for (x1, y1, x2, y2), label in zip(
            sample.boxes.tolist(), sample.labels.tolist(), strict=True
        ):
            centre = ((x1 + x2) / 2 / sample.width, (y1 + y2) / 2 / sample.height)
            sides = ((x2 - x1) / sample.width, (y2 - y1) / sample.height)
            lines.append(" ".join([str(label), *(f"{v:.9g}" for v in (*centre, *sides))]) + "\n")
        (folder / f"{Path(name).stem}.txt").write_text("".join(lines), encoding="utf-8")
    return {"images": f"images/{split}"}


def _labels(images: Path) -> Path:
    """The path with its last `images` replaced by `labels`."""
    parts = list(images.parts)
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] == "images":
            parts[at] = "labels"
            return Path(*parts)
    return images


def _marked(words: list[str], line: int, names: Sequence[str]) -> LabelledBox:
    try:
        label, numbers = int(words[0]), [float(word) for word in words[1:]]
    except ValueError as error:
        raise BadAnnotation(f"line {line}: {error}") from None
    name = names[label] if 0 <= label < len(names) else f"class {label}"
    if len(numbers) == 4:
        x, y, width, height = numbers
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(numbers) >= 6 and len(numbers) % 2 == 0:
        across, down = numbers[::2], numbers[1::2]
        box = (min(across), min(down), max(across), max(down))
    else:
        raise BadAnnotation(f"line {line}: {len(numbers)} numbers after the class, not 4")
    return LabelledBox(name, box, f"line {line}")
