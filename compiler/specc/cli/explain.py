"""`specc explain`: the page of a diagnostic's code, or the list of all codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from specc.documents import CODES, did_you_mean
from specc.explain import page

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="such as E0306; all if left out")


def run(options: argparse.Namespace) -> int:
    """Print a page, or a line for each code."""
    if options.code is None:
        print("\n".join(f"{code}  {title}" for code, title in CODES.items()))
        return 0
    code = options.code.upper()
    if code not in CODES:
        help = did_you_mean(code, CODES, "`specc explain` lists the codes")
        print(f"specc explain: there is no code {options.code}: {help}", file=sys.stderr)
        return 2
    print(plain(page(code)))
    return 0


def plain(markdown: str) -> str:
    """Lay out a page for a terminal: the title underlined, examples indented."""
    lines: list[str] = []
    is_example = False
    for line in markdown.splitlines():
        if line.startswith("```"):
            is_example = not is_example
        elif is_example:
            lines.append(f"    {line}".rstrip())
        elif line.startswith("# "):
            lines += [line[2:], "=" * (len(line) - 2)]
        else:
            lines.append(line)
    return "\n".join(lines)
