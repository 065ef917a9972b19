"""`specc build`: write emitted modules, or check that those on disk are fresh."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.files import write_whole
from specc.cli.output import show
from specc.cli.selection import add_values, compile_selected
from specc.documents import Findings

if TYPE_CHECKING:
    import argparse

    from specc.driver import Model

__all__ = ["add_arguments", "run"]

FOLDER = Path("generated")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("specs", nargs="+", metavar="SPEC[:VARIANT]", help="spec files")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help=f"folder (default: {FOLDER}/)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is stale"
    )
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Build each spec; one with errors does not keep the others from being built."""
    if options.values and options.output is None and not options.check:
        print("specc build: --set changes what is emitted: say where with -o DIR", file=sys.stderr)
        return 2
    folder = options.output or FOLDER
    return max(_build(path, options, folder) for path in options.specs)


def _build(path: str, options: argparse.Namespace, folder: Path) -> int:
    try:
        model = compile_selected(path, options)
        show(model.diagnostics)
        if not model.ok:
            return 1
        target = folder / f"{model.name}.py"
        return _check(model, target) if options.check else _write(model, target)
    except Findings as findings:
        show(findings.diagnostics)
        return 1


def _check(model: Model, target: Path) -> int:
    """Compare with the file on disk and show how they differ."""
    current = target.read_text(encoding="utf-8") if target.is_file() else ""
    if current == model.source:
        return 0
    old, new = current.splitlines(keepends=True), model.source.splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(old, new, str(target), f"{target} (fresh)"))
    print(f"{target} is stale: run `specc build {model.path}`", file=sys.stderr)
    return 1


def _write(model: Model, target: Path) -> int:
    """Write the module and say what it holds."""
    try:
        write_whole(target, model.source.encode())
    except OSError as error:
        print(f"specc build: {target} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    figures = f"{model.parameters:,} parameters"
    if model.boxes is not None:
        figures += f", {model.boxes:,} boxes"
    print(f"{target}: {figures}")
    return 0
