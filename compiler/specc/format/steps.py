"""The steps from any layout to the canonical one; each reads the text that the last one wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from specc.documents import Mapping, Source, parse
from specc.format.indentation import with_indentation
from specc.format.lines import Line, joined, split
from specc.format.sections import with_sections
from specc.format.spacing import with_spacing

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["formatted"]


def formatted(root: Mapping) -> Mapping:
    """Return the same spec in the canonical layout; its text is `span.source.text`.

    The document has to be one that the compiler can read.
    """
    for step in STEPS:
        source = Source(root.span.source.path, step(root))
        root = cast("Mapping", parse(source))
    return root


def _without_excess(root: Mapping) -> str:
    """Return the text without blanks at line ends, and with one empty line where there are more."""
    kept: list[Line] = []
    for line in split(root):
        if not line.is_blank or (kept and not kept[-1].is_blank):
            kept.append(line)
    while kept and kept[-1].is_blank:
        kept.pop()
    return joined(kept)


STEPS: tuple[Callable[[Mapping], str], ...] = (
    with_spacing,
    with_indentation,
    with_sections,
    _without_excess,
)
