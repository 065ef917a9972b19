"""Print diagnostics."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import specc
from specc.documents import render_json, render_sarif, render_text
from specc.explain import page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specc.documents import Diagnostic

__all__ = ["show", "show_sarif"]


def show(diagnostics: Iterable[Diagnostic], *, is_json: bool = False) -> None:
    """Print diagnostics: as text on the error stream, as JSON on the output."""
    found = list(diagnostics)
    if is_json:
        print(render_json(found))
    elif found:
        print(render_text(found, color=_has_color()), file=sys.stderr)


def show_sarif(diagnostics: Iterable[Diagnostic]) -> int:
    """Print diagnostics as one SARIF log; return the exit code that they make."""
    found = list(diagnostics)
    print(render_sarif(found, specc.__version__, page))
    return int(any(diagnostic.severity == "error" for diagnostic in found))


def _has_color() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ
