"""`specc fmt`: bring specs into the canonical layout, or check that they are in it."""

from __future__ import annotations

import difflib
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from specc.cli.files import write_whole
from specc.cli.output import show
from specc.documents import Findings, Mapping, Report, load
from specc.format import formatted, says_the_same
from specc.library import read

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("specs", nargs="+", metavar="SPEC", help="spec files")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file has another layout"
    )
    parser.add_argument(
        "--diff", action="store_true", help="write nothing; show what would change, and fail"
    )


def run(options: argparse.Namespace) -> int:
    """Format each file; one that cannot be read does not keep the others from it."""
    return max(_format(path, options) for path in options.specs)


def _format(path: str, options: argparse.Namespace) -> int:
    try:
        document = cast("Mapping", load(path))
        read(document, path, Report())
    except Findings as findings:
        show(findings.diagnostics)
        return 1
    changed = _changed(document)
    if changed is None:
        print(f"specc fmt: {path} is left as it is: its layout is too unusual", file=sys.stderr)
        return 2
    if changed == document.span.source.text:
        return 0
    if options.diff:
        old = document.span.source.text.splitlines(keepends=True)
        new = changed.splitlines(keepends=True)
        sys.stdout.writelines(difflib.unified_diff(old, new, path, f"{path} (formatted)"))
    if options.check:
        print(f"{path} has another layout: run `specc fmt {path}`", file=sys.stderr)
    return 1 if options.check or options.diff else _write(path, changed)


def _changed(document: Mapping) -> str | None:
    """Return the formatted text; nothing if it would not say the same."""
    try:
        result = formatted(document)
    except Findings:
        return None
    return result.span.source.text if says_the_same(document, result) else None


def _write(path: str, text: str) -> int:
    """Write a file in place: through a link to what it names, with the rights that it has."""
    try:
        target = Path(path).resolve(strict=True)
        write_whole(target, text.encode(), mode=stat.S_IMODE(target.stat().st_mode))
    except OSError as error:
        print(f"specc fmt: {path} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    print(f"{path}: formatted")
    return 0
