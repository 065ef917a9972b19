"""`specc viz`: draw a spec's graph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.files import write_or_tell
from specc.cli.output import show
from specc.cli.selection import add_input, add_values, compile_selected, depth

if TYPE_CHECKING:
    import argparse

    from specc.draw import Picture

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("spec", metavar="SPEC[:VARIANT]", help="a spec file")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="an .svg, .png, .pdf or .dot file"
    )
    parser.add_argument(
        "--depth",
        type=depth,
        metavar="N",
        help="draw modules below depth N as one box (default: as deep as stays readable)",
    )
    add_input(parser)
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Draw a spec; of one with errors, the part that resolved, with the rest marked."""
    from specc.draw import FORMATS, draw, write

    kinds = [f".{kind}" for kind in (*FORMATS, "dot")]
    if options.output is not None and options.output.suffix.lower() not in kinds:
        known = ", ".join(kinds)
        print(f"specc viz: {options.output}: the suffixes are {known}", file=sys.stderr)
        return 2
    model = compile_selected(options.spec, options, options.input)
    picture = draw(model, options.depth)
    target = _write(write(picture), options.output or Path(f"{model.name}.svg"))
    if target is None:
        return 2
    print(f"{target}: {_extent(picture, is_chosen=options.depth is None)}")
    sys.stdout.flush()
    show(model.diagnostics)
    return 0 if model.ok else 1


def _write(dot: str, target: Path) -> Path | None:
    """Write the drawing, or its DOT text where nothing can render it; return the file."""
    from specc.draw import NoRenderer, render

    content = dot.encode()
    if target.suffix.lower() != ".dot":
        try:
            content = render(dot, target.suffix.lower().removeprefix("."))
        except NoRenderer:
            target = target.with_suffix(".dot")
            print(f"specc viz: no Graphviz here, so {target} is written", file=sys.stderr)
            print("  help: `pip install 'specc[draw]'`, or install `dot`", file=sys.stderr)
    return target if write_or_tell("viz", target, content) else None


def _extent(picture: Picture, *, is_chosen: bool) -> str:
    told = [f"{len(picture.boxes)} boxes"]
    if picture.is_whole and not picture.skipped:
        told[0] += ", every module open"
    if not picture.is_whole:
        how = "to stay readable, modules" if is_chosen else "modules"
        told.append(f"{how} below depth {picture.depth} are folded (`--depth` changes it)")
    if picture.skipped:
        told.append(f"{picture.skipped:,} rows in the middle of long modules are folded")
    return "; ".join(told)
