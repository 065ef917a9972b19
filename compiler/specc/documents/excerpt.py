"""A line of source as a terminal shows it, and the underline that fits beneath."""

import unicodedata

WIDEST = 160
_BEFORE = 60
_TAB = " " * 4


def visible(text: str) -> str:
    """The text on one line, with what a terminal would obey or hide written as an escape."""
    return "".join(map(_shown, text))


def excerpt(line: str, start: int, end: int) -> tuple[str, int, int]:
    """The line made visible, and the column and width of its characters from `start` to `end`.

    A line wider than 160 columns is cut to the part around `start`. The underline is at least
    one column wide.
    """
    first = _window_start(line, min(start, len(line))) if is_wide(line) else 0
    shown = "..." if first else ""
    columns = [len(shown)]
    last = first
    while last < len(line) and last - first < WIDEST and columns[-1] < WIDEST:
        cell = _shown(line[last])
        shown += cell
        columns.append(columns[-1] + display_width(cell))
        last += 1
    shown += "..." if last < len(line) else ""
    left, right = (columns[min(offset, last) - first] for offset in (start, end))
    return shown, left, max(1, right - left)


def is_wide(line: str) -> bool:
    """Whether `excerpt` may cut the line."""
    return len(line) > WIDEST or display_width(visible(line)) > WIDEST


def _window_start(line: str, start: int) -> int:
    room = _BEFORE
    while start > 0 and room > 0:
        start -= 1
        room -= max(1, display_width(_shown(line[start])))
    return start


def _shown(char: str) -> str:
    if char == "\t":
        return _TAB
    if char.isprintable() or unicodedata.category(char) in ("Mn", "Mc", "Me"):
        return char
    return char.encode("unicode_escape").decode()


def display_width(text: str) -> int:
    """How many columns of a terminal or an editor a text takes."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
