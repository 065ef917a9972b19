"""`specc expand`: print a spec with all that it repeats, decides and uses written out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.cli.output import show
from specc.cli.selection import add_input, add_values, compile_selected
from specc.documents import Findings
from specc.unroll import unrolled

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("spec", metavar="SPEC[:VARIANT]", help="a spec file")
    add_input(parser)
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Print the spec, which is one of its own."""
    try:
        model = compile_selected(options.spec, options, options.input)
    except Findings as findings:
        show(findings.diagnostics)
        return 1
    show(model.diagnostics)
    if not model.ok:
        return 1
    if model.spec.weights:
        names = ", ".join(model.spec.weights)
        print(f"# Without its maps of weights: {names}. `specc weights map` shows them.")
    print(unrolled(model), end="")
    return 0
