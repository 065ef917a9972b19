"""The format and the files of a data set, found from a folder or a `data.yaml`.

    format: coco                 # voc, coco, yolo or csv; the default is yolo
    path: .                      # root of the paths below, relative to this file
    names: [car, person]         # or {0: car, 1: person}; required for YOLO only
    train: {images: train2017, annotations: annotations/instances_train2017.json}
    val: {images: val2017, annotations: annotations/instances_val2017.json}

A split of YOLO is its folder of images, or a text file that lists them: `train: images/train`. VOC
has `list` besides `images` and `annotations`: the file of the split's ids. `nc` and `download`, which
other programs use, are ignored; nothing is ever downloaded or run.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from specc.documents import Mapping as MappingNode
from specc.documents import Node, Sequence, load, plain, suggest
from specc_runtime.data import yolo
from specc_runtime.data.dataset import USUAL_LIMITS, Dataset, Limits
from specc_runtime.data.formats import FORMATS
from specc_runtime.data.records import Reader, Source, Sources
from specc_runtime.data.report import DataError, Report
from specc_runtime.data.scan import scan

_FILES = ("data.yaml", "data.yml", "dataset.yaml")
_KEYS = ("format", "path", "names")
_PASSED_OVER = ("nc", "download", "roboflow")
_PARTS = ("images", "annotations", "list")
_USUAL_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Layout:
    """A data set's format, the sources of its splits, and its class names if they are given."""

    root: Path
    format: str
    sources: Sources
    names: tuple[str, ...] = ()

    @property
    def splits(self) -> tuple[str, ...]:
        """Those of train, val and test that exist, or else all splits."""
        usual = tuple(split for split in _USUAL_SPLITS if split in self.sources)
        return usual or tuple(self.sources)

    def reader(self, limits: Limits = USUAL_LIMITS, classes: tuple[str, ...] = ()) -> Reader:
        """A reader of the annotations; `classes` override the names given and those in the files."""
        return FORMATS[self.format].reader(self.sources, limits, classes or self.names)


def locate(root: str | os.PathLike[str]) -> Layout:
    """The layout of a folder, or the one that a YAML file describes.

    Raises:
        DataError: neither, or a mistake in the file, with its line.
        specc.documents.Findings: the file is not YAML.
    """
    path = Path(root)
    if path.suffix in (".yaml", ".yml"):
        return _described(path)
    if file := next((path / name for name in _FILES if (path / name).is_file()), None):
        return _described(file)
    for name, kind in FORMATS.items():
        if sources := kind.locate(path):
            return Layout(path, name, sources)
    if not path.is_dir():
        what = "no folder" if path.exists() else "no such folder"
        raise DataError(f"{path}: {what}: give that of a data set, or its data.yaml")
    known = ", ".join(FORMATS)
    raise DataError(f"{path}: not laid out as one of {known}: describe it in a data.yaml")


def open_dataset(
    root: str | os.PathLike[str],
    split: str,
    *,
    classes: tuple[str, ...] | None = None,
    limits: Limits = USUAL_LIMITS,
    cache_bytes: int = 0,
) -> Dataset:
    """Scan one split of a data set; `specc_runtime.data.scan` says what is accepted.

    Args:
        root: folder in a known layout, or a `data.yaml`.
        split: its name, such as "train".
        classes: class names in the order of their labels; by default those that the `data.yaml` or
            the format gives, the same for every split.
        limits: how much bad input is tolerated.
        cache_bytes: keep decoded images in memory up to this many bytes.

    Raises:
        DataError: no such split, an unknown class, or too few usable samples.
        specc.documents.Findings: a `data.yaml` that is not YAML.
    """
    layout = locate(root)
    if split not in layout.sources:
        there = ", ".join(layout.sources) or "none"
        raise DataError(f"{layout.root}: `{split}`: no such split (there: {there})")
    report = Report(split)
    reader = layout.reader(limits, classes or ())
    records, names = reader.read(split, report), reader.classes()
    samples = scan(records, names, limits, report)
    return Dataset(names, samples, report, limits, cache_bytes)


def _described(path: Path) -> Layout:
    """The layout in a YAML file. Raises `DataError`, `Findings`."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    document = load(path)
    if not isinstance(document, MappingNode):
        raise _mistake(path, document, "is no mapping of `format`, `names` and splits")
    given = {key.name: value for key, value in document.entries if key.name not in _PASSED_OVER}
    kind = str(plain(given.pop("format"))) if "format" in given else "yolo"
    if kind not in FORMATS:
        known = ", ".join(FORMATS)
        raise _mistake(path, document.get("format"), f"`{kind}` is not one of {known}")
    root = path.parent / str(plain(given.pop("path"))) if "path" in given else path.parent
    names = _names(path, given.pop("names", None))
    if kind == "yolo" and not names:
        raise DataError(f"{path}: YOLO needs `names`, the class of each number")
    sources = {
        split: _source(path, root, kind, split, node)
        for split, node in given.items()
        if plain(node) is not None
    }
    return Layout(path, kind, sources, names)


def _source(path: Path, root: Path, kind: str, split: str, node: Node) -> Source:
    """The source of one entry of the file."""
    parts = plain(node)
    if isinstance(parts, str) and kind == "yolo":
        return yolo.source(root / parts)
    if not isinstance(node, MappingNode):
        meant = suggest(split, _KEYS)
        hint = f": did you mean `{meant}`?" if meant else f" {{{', '.join(_PARTS)}}}"
        raise _mistake(path, node, f"`{split}` is no split, which is a mapping{hint}")
    for key, value in node.entries:
        if key.name not in _PARTS or not isinstance(plain(value), str):
            raise _mistake(
                path, value, f"`{key.name}` is not one of {', '.join(_PARTS)} with a path"
            )
    paths = {key.name: root / str(plain(value)) for key, value in node.entries}
    needed = {"voc": _PARTS, "yolo": ("images",)}.get(kind, ("images", "annotations"))
    if missing := [part for part in needed if part not in paths]:
        raise _mistake(path, node, f"`{split}` lacks {', '.join(missing)}")
    if kind == "yolo" and "annotations" not in paths:
        return yolo.source(paths["images"])
    return Source(paths["images"], paths["annotations"], paths.get("list"))


def _names(path: Path, node: Node | None) -> tuple[str, ...]:
    """The class names, by number if they are a mapping."""
    if node is None:
        return ()
    if isinstance(node, MappingNode):
        numbered = {key.name: str(plain(value)) for key, value in node.entries}
        if set(numbered) != {str(number) for number in range(len(numbered))}:
            raise _mistake(path, node, f"`names` does not number 0 to {len(numbered) - 1}")
        names = tuple(numbered[str(number)] for number in range(len(numbered)))
    elif isinstance(node, Sequence):
        names = tuple(str(plain(item)) for item in node.items)
    else:
        raise _mistake(path, node, "`names` is no list of class names")
    if len(set(names)) < len(names):
        raise _mistake(path, node, "`names` has a name twice")
    return names


def _mistake(path: Path, node: Node | None, what: str) -> DataError:
    line = f":{node.span.line}" if node is not None else ""
    return DataError(f"{path}{line}: {what}")
