"""Where the characters of a scalar stand in the file, if YAML does not show them as written.

A text may be folded over several lines, or hold escapes. Each of its characters is found in what
was written, so that a diagnostic can point into it.
"""

import re
from collections.abc import Iterator

Place = tuple[int, int]

_BLANKS = frozenset(" \t\r\n\x85\u2028\u2029")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n?|[\s\S]))")
_NAMED = {
    **dict(zip("0abtnvfre", "\0\a\b\t\n\v\f\r\x1b", strict=True)),
    **dict(zip("N_LP", "\x85\xa0\u2028\u2029", strict=True)),
    **dict.fromkeys(("\r\n", *"\r\n\x85\u2028\u2029"), ""),
}


def places(text: str, written: str, quote: str | None) -> list[Place]:
    """Start and end in `written` of each character of `text`, which YAML has made of it.

    The blanks of a fold stand for one another; `quote` is that around the text, if any.
    """
    characters = [*_characters(written, quote), ("", len(written), len(written))]
    found: list[Place] = []
    reached = 0
    for wanted in text:
        while wanted not in _BLANKS and characters[reached][0] not in (wanted, ""):
            reached += 1
        character, start, end = characters[reached]
        found.append((start, end))
        reached += character == wanted or (wanted in _BLANKS and character in _BLANKS)
    return found


def _characters(written: str, quote: str | None) -> Iterator[tuple[str, int, int]]:
    """What was written with its escapes resolved: each character, where it starts and ends."""
    place = 0
    while place < len(written):
        character, end = written[place], place + 1
        if quote == "'" and written.startswith("''", place):
            end = place + 2
        elif quote == '"' and (escape := _ESCAPE.match(written, place)):
            character, end = _escaped(escape), escape.end()
        if character:
            yield character, place, end
        place = end


def _escaped(escape: re.Match[str]) -> str:
    """The character that an escape stands for; none for an escaped line break."""
    digits = escape[1] or escape[2] or escape[3]
    return chr(int(digits, 16)) if digits else _NAMED.get(escape[4], escape[4])
