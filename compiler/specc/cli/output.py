"""Print diagnostics."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from specc.documents import render_json, render_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specc.documents import Diagnostic

__all__ = ["show"]


def show(diagnostics: Iterable[Diagnostic], *, is_json: bool = False) -> None:
    """Print diagnostics: as text on the error stream, as JSON on the output."""
    found = list(diagnostics)
    if is_json:
        print(render_json(found))
    elif found:
        print(render_text(found, color=_has_color()), file=sys.stderr)


def _has_color() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ
