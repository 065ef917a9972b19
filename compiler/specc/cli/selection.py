"""What the commands have in common: which spec, which variant, which values, which size."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from specc.documents.scalars import resolve

if TYPE_CHECKING:
    from specc.driver import Model

__all__ = ["add_input", "add_values", "compile_selected", "depth", "size"]


def add_values(parser: argparse.ArgumentParser) -> None:
    """Add `--set`."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        dest="values",
        help="a value for a parameter of the spec",
    )


def add_input(parser: argparse.ArgumentParser) -> None:
    """Add `--input`."""
    parser.add_argument("--input", type=size, metavar="512|512x640", help="another input size")


def _assignment(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        message = f"{text!r} is not NAME=VALUE"
        raise argparse.ArgumentTypeError(message)
    return name, resolve(value)


def size(text: str) -> tuple[int, int]:
    """Read `512` or `512x640` as height and width."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 0 < int(part) < 2**20 for part in parts):
        message = f"{text!r} is not a size such as 512 or 512x640"
        raise argparse.ArgumentTypeError(message)
    return int(parts[0]), int(parts[-1])


def depth(text: str) -> int:
    """Read how many levels of modules to open."""
    if not text.isdecimal():
        message = f"{text!r} is not a depth: 0, 1, 2, ..."
        raise argparse.ArgumentTypeError(message)
    return int(text)


def compile_selected(
    path: str, options: argparse.Namespace, resize: tuple[int, int] | None = None
) -> Model:
    """Compile `SPEC[:VARIANT]` with the values of `--set`."""
    from specc.driver import compile_spec

    return compile_spec(path, params=dict(options.values), resize=resize)
