"""Prose of a spec as docstrings: nothing in it can end one, and every line fits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from specc.documents import display_width
from specc.emit.layout import WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KEEP", "docstring", "safe", "sentence", "wrapped"]

KEEP = "\N{NO-BREAK SPACE}"
_QUOTES = len('"""') * 2
_SENTENCE_END = re.compile(r"[.!?](?= [^a-z])")


def docstring(prose: str, indent: str = "", more: Sequence[str] = ()) -> list[str]:
    """Write prose as a docstring: a line if it fits, else a summary and a paragraph; then `more`."""
    summary, rest = _summary(sentence(prose), WIDTH - len(indent) - _QUOTES)
    paragraphs = [lines for lines in (wrapped(rest, indent) if rest else [], more) if lines]
    if not paragraphs:
        return [f'{indent}"""{summary}"""']
    below = [line for lines in paragraphs for line in ("", *lines)]
    return [f'{indent}"""{summary}', *below, f'{indent}"""']


def sentence(prose: str) -> str:
    """Make prose safe, and end it as a sentence ends."""
    ended = safe(prose)
    return ended if ended.endswith(("!", "?")) else f"{ended.rstrip('.')}."


def safe(prose: str) -> str:
    """Keep prose inside a docstring: no escapes, no quotes that could end it, no odd spaces."""
    words = ("".join(filter(str.isprintable, word)) for word in prose.split())
    return " ".join(filter(None, words)).replace("\\", "/").replace('"', "'")


def wrapped(prose: str, indent: str = "", width: int = WIDTH) -> list[str]:
    """Break prose at its spaces into lines; a `KEEP` holds its neighbours together."""
    lines = [indent]
    for word in prose.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] != indent else f"{indent}{word}"
        if display_width(longer) <= width or lines[-1] == indent:
            lines[-1] = longer
        else:
            lines.append(f"{indent}{word}")
    return [line.replace(KEEP, " ") for line in lines]


def _summary(prose: str, room: int) -> tuple[str, str]:
    """Split off what fits on the first line: up to the end of a sentence, else of a word."""
    if display_width(prose) <= room:
        return prose, ""
    ends = [match.end() for match in _SENTENCE_END.finditer(prose)]
    fitting = [end for end in ends if display_width(prose[:end]) <= room]
    if fitting:
        return prose[: fitting[-1]], prose[fitting[-1] + 1 :]
    first = wrapped(prose, width=room - len("..."))[0]
    rest = prose[len(first) :].lstrip()
    return (f"{first.rstrip(',;:')}...", f"...{rest}") if rest else (prose, "")
