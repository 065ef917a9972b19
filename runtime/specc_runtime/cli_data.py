"""`specc data`: check, count, show, convert or make a data set."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from specc_runtime.data import DataError
from specc_runtime.data import synth as synthetic
from specc_runtime.data.check import check, read_splits
from specc_runtime.data.convert import convert
from specc_runtime.data.formats import FORMATS
from specc_runtime.data.images import decode
from specc_runtime.data.layout import locate
from specc_runtime.data.stats import coverage, statistics
from specc_runtime.detector import Detector
from specc_runtime.drawing import contact_sheet, draw_detections, save_image
from specc_runtime.options import at_least

Build = Callable[[str, int], Detector]
"""Builds the detector of a generated file or a spec for a number of classes."""


def run(argv: Sequence[str], doc: str | None, build: Build) -> int:
    """Run the subcommand that the arguments name; return its exit code."""
    parser = argparse.ArgumentParser(prog="specc data", description=doc)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (function, add_arguments) in _COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        add_arguments(command)
        command.set_defaults(run=function)
    args = parser.parse_args(argv)
    args.build = build
    return args.run(args)


def _synth(args: argparse.Namespace) -> int:
    """Make a small data set of drawn shapes, in VOC layout."""
    synthetic.write(args.folder, images=args.images, seed=args.seed)
    print(args.folder)
    return 0


def _check(args: argparse.Namespace) -> int:
    """Check all annotations and images, and count what is wrong."""
    splits = check(locate(args.data))
    refusals = {name: split.refusal for name, split in splits.items()}
    if args.format == "json":
        found = [{**s.report.as_json(), "refused": refusals[name]} for name, s in splits.items()]
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        for name, split in splits.items():
            print(split.report.table())
            if refusals[name]:
                print(f"refused: {refusals[name]}")
    bad = sum(split.report.bad for split in splits.values())
    return int(any(refusals.values()) or (args.strict and bad > 0))


def _stats(args: argparse.Namespace) -> int:
    """Count objects by class and size and, with --model, those that a default box fits."""
    splits = read_splits(locate(args.data), splits=tuple(args.split))
    found = {name: statistics(s.classes, s.annotations) for name, s in splits.items()}
    if args.model:
        classes = next(iter(splits.values())).classes
        detector: Detector = args.build(args.model, len(classes))
        anchors: np.ndarray = detector.anchors.cpu().numpy()
        for name, split in splits.items():
            found[name]["coverage"] = coverage(
                classes, split.annotations, anchors, detector.input.size
            )
    if args.format == "json":
        print(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print("\n\n".join(_stats_table(name, split) for name, split in found.items()))
    return 0


def _convert(args: argparse.Namespace) -> int:
    """Write a data set, with its images, in another format."""
    splits = read_splits(locate(args.data), splits=tuple(args.split))
    for name, split in splits.items():
        if split.fault:
            raise DataError(f"{name}: {split.fault}")
        print(split.report.table())
    convert(splits, args.to, args.output)
    print(args.output / "data.yaml")
    return 0


def _view(args: argparse.Namespace) -> int:
    """Draw a sheet of evenly chosen pictures of a split with their annotations."""
    split = read_splits(locate(args.data), splits=(args.split,))[args.split]
    count: int = min(args.images, len(split.annotations))
    if count == 0:
        raise DataError(f"{args.data}: `{args.split}` has no image to show")
    pictures: list[np.ndarray] = []
    for number in range(count):
        sample = split.annotations[number * len(split.annotations) // count]
        image = decode(sample.path, sample.apply_exif)
        pictures.append(draw_detections(image, sample.boxes, sample.labels, None, split.classes))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        save_image(args.output, contact_sheet(pictures, min(args.columns, count)))
    except ValueError as error:
        raise DataError(f"{error}: .png or .jpg") from error
    print(args.output)
    return 0


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, help="folder or data.yaml")


def _add_splits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--split", nargs="+", default=(), help="train, val and test if left out")


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "json"), default="table")


def _check_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    _add_format(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 if anything is wrong")


def _stats_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    _add_splits(parser)
    _add_format(parser)
    parser.add_argument("--model", help="generated file or SPEC.yaml, whose default boxes to try")


def _convert_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("output", type=Path, metavar="OUT", help="a new folder")
    parser.add_argument("--to", choices=tuple(FORMATS), required=True)
    _add_splits(parser)


def _view_arguments(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    parser.add_argument("--split", default="train")
    parser.add_argument("--images", type=at_least(1), default=12)
    parser.add_argument("--columns", type=at_least(1), default=4)


def _synth_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=at_least(3), default=400, help="in all splits together")
    parser.add_argument("--seed", type=int, default=0)


_COMMANDS = {
    "check": (_check, _check_arguments),
    "stats": (_stats, _stats_arguments),
    "view": (_view, _view_arguments),
    "convert": (_convert, _convert_arguments),
    "synth": (_synth, _synth_arguments),
}


def _stats_table(name: str, found: dict[str, Any]) -> str:
    """The statistics of a split as text."""
    sizes = ", ".join(f"{count:,} {size}" for size, count in found["sizes"].items())
    common = ", ".join(f"{size} ({count:,})" for size, count in found["image_sizes"].items())
    fits = found.get("coverage")
    rows: list[tuple[str, ...]] = [
        ("class", "objects", "images", "side, median", "aspect, median", *["fits"] * bool(fits))
    ]
    for label, about in found["classes"].items():
        middle = [_middle(about[key]) for key in ("sqrt_area", "aspect")]
        fit = [_percent(fits["classes"][label])] if fits else []
        rows.append((label, f"{about['objects']:,}", f"{about['images']:,}", *middle, *fit))
    lines = [
        f"{name}: {found['images']:,} images ({found['background']:,} without objects)",
        f"objects: {found['objects']:,}, {found['most_objects']} at most on one image",
        f"objects by size: {sizes}",
        f"images by size: {common}",
        *_aligned(rows),
    ]
    if fits:
        by_size = ", ".join(f"{size} {_percent(part)}" for size, part in fits["sizes"].items())
        lines.append(
            f"a default box at IoU 0.5 or more: {_percent(fits['covered'])} of the objects "
            f"(in the network's pixels: {by_size})"
        )
    return "\n".join(lines)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _middle(quantiles: list[float] | None) -> str:
    return "-" if quantiles is None else f"{quantiles[len(quantiles) // 2]:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
