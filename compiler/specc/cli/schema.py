"""`specc schema`: print the JSON Schema of spec files, write it, or check that it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.files import write_or_tell

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]

FILE = Path("specs/specc.schema.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it to a file")
    parser.add_argument(
        "--check", action="store_true", help=f"write nothing; fail if the file (or {FILE}) is stale"
    )


def run(options: argparse.Namespace) -> int:
    """Print or write the schema, or compare it with a file."""
    from specc.schema.publish import published_schema

    schema = published_schema()
    if options.check:
        return _check(options.output or FILE, schema)
    if options.output is None:
        print(schema, end="")
        return 0
    if not write_or_tell("schema", options.output, schema.encode()):
        return 2
    print(options.output)
    return 0


def _check(target: Path, schema: str) -> int:
    if target.is_file() and target.read_bytes() == schema.encode():
        return 0
    print(f"{target} is stale: run `specc schema -o {target}`", file=sys.stderr)
    return 1
