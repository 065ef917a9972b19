"""`specc import`: make a spec of another project's description of a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.files import write_or_tell
from specc.cli.output import show
from specc.driver import compile_spec
from specc.importing import import_darknet

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    formats = parser.add_subparsers(title="formats", metavar="FORMAT", required=True)
    darknet = formats.add_parser("darknet", help="Darknet's .cfg, with .weights")
    darknet.add_argument("cfg", type=Path, metavar="CFG", help="the network's .cfg")
    darknet.add_argument("weights", type=Path, nargs="?", metavar="WEIGHTS", help="its .weights")
    darknet.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="DIR", help="folder (default: this)"
    )
    darknet.add_argument("--force", action="store_true", help="write over files that are there")


def run(options: argparse.Namespace) -> int:
    """Write the spec and say what it leaves out; then carry the weights."""
    made = import_darknet(options.cfg)
    target = options.output / f"{made.name}.yaml"
    if target.exists() and not options.force:
        print(f"specc import: {target} is there: add --force", file=sys.stderr)
        return 2
    if not write_or_tell("import", target, made.text.encode()):
        return 2
    model = compile_spec(target)
    show(model.diagnostics)
    print(f"{target}: {made.layers} layers, {model.parameters:,} parameters")
    for note in made.notes:
        print(f"  line {note.line} [{note.section}]: {note.text}")
    if not model.ok:
        return 1
    return _carry(options.weights, target) if options.weights else 0


def _carry(weights: Path, spec: Path) -> int:
    """Run `specc weights import` for the spec, into a file beside it."""
    from specc.cli.main import main

    output = spec.with_suffix(".safetensors")
    what = ["--spec", str(spec), "--from", "darknet", str(weights), "-o", str(output)]
    return main(["weights", "import", *what])
