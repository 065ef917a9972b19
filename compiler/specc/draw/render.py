"""Make an image of DOT text, with the Graphviz that is there.

An installed `dot` goes first, driven by the `graphviz` package; the wheels of `pygraphviz` carry
Graphviz themselves. Neither is needed until a drawing is rendered.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["FORMATS", "NoRenderer", "render"]

FORMATS = ("svg", "png", "pdf")


class NoRenderer(Exception):
    """Graphviz is not here in any form."""


def render(dot: str, kind: str) -> bytes:
    """Return the image.

    Args:
        dot: the DOT text.
        kind: one of `FORMATS`.

    Raises:
        NoRenderer: neither `dot` nor `pygraphviz` is installed.
    """
    image = _with_executable(dot, kind)
    return image if image is not None else _with_library(dot, kind)


def _with_executable(dot: str, kind: str) -> bytes | None:
    try:
        import graphviz  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        return None
    try:
        return graphviz.pipe("dot", kind, dot.encode(), quiet=True)
    except graphviz.ExecutableNotFound:
        return None


def _with_library(dot: str, kind: str) -> bytes:
    try:
        import pygraphviz  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise NoRenderer from None
    with _quiet():
        drawing: Any = pygraphviz.AGraph(string=dot)
        return drawing.draw(format=kind, prog="dot")


@contextmanager
def _quiet() -> Generator[None]:
    """Keep the libraries' own warnings, of fonts above all, off the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
