"""`specc completion`: a script that completes `specc` in bash, zsh or fish.

What can be completed is read from the parsers of the commands. The one thing that a script asks
for as you type are the variants of a spec: `specc completion --variants SPEC`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.cli.shells import SCRIPTS
from specc.cli.words import commands
from specc.documents import Findings, Mapping, load

__all__ = ["add_arguments", "run"]

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument(
        "shell", nargs="?", choices=tuple(SCRIPTS), help="the shell to print a script for"
    )
    wanted.add_argument("--variants", metavar="SPEC", help="print the variants of a spec instead")


def run(options: argparse.Namespace) -> int:
    """Print a script, or the variants of a spec."""
    if options.variants is not None:
        print("\n".join(_variants(options.variants)))
    else:
        print(SCRIPTS[options.shell](commands()), end="")
    return 0


def _variants(path: str) -> Iterable[str]:
    """Return the variants of a spec; none of a file that cannot be read."""
    try:
        document = load(path)
    except Findings:
        return []
    variants = document.get("variants") if isinstance(document, Mapping) else None
    return variants.keys() if isinstance(variants, Mapping) else []
