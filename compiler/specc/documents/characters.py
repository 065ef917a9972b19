"""Characters that do not belong in a spec: invisible ones, full-width ones, Markdown's markup."""

import re
from collections.abc import Iterator

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

_ASCII = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **str.maketrans("　、。【】〔〕「」", ' ,.[][]""'),
    **str.maketrans("“”„‟‘’‚‛", "\"\"\"\"''''"),
    **str.maketrans("−–—‐‑\xa0", "----- "),
    **dict.fromkeys(map(ord, "→⇒⟶➔➜"), "->"),
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060"), ""),
}

_CROWDED = re.compile(r"([，、：])(?=[^\s，、：])")
_BREAK_TAG = re.compile(r"<br\s?/?>", re.IGNORECASE)
_SUSPECT = re.compile(
    rf"[{''.join(map(re.escape, map(chr, _ASCII)))}]+|{_BREAK_TAG.pattern}|\*\*", re.IGNORECASE
)


def unprintable(text: str) -> int | None:
    """The offset of the first character that YAML forbids in a document."""
    found = _UNPRINTABLE.search(text)
    return found.start() if found else None


def unusual(text: str) -> tuple[int, int] | None:
    """Offset and length of the first run that `mend` would replace."""
    return next(_unusual_runs(text), None)


def mend(text: str) -> str:
    """The text as it was probably meant.

    Full-width letters and punctuation, typographic quotes, dashes and arrows become ASCII; Markdown's
    `**` and `<br/>` go. A `**` between two operands is a power, and stays. Full-width commas and
    colons, which carry their own space, get one.
    """
    text = _CROWDED.sub(r"\1 ", text)
    pieces: list[str] = []
    done = 0
    for offset, length in _unusual_runs(text):
        run = text[offset : offset + length]
        pieces += text[done:offset], "" if is_markup(run) else run.translate(_ASCII)
        done = offset + length
    return "".join(pieces) + text[done:]


def quoted(text: str, limit: int = 60) -> str:
    """The text between backticks for use in a message, cut where it is long."""
    return f"`{text}`" if len(text) <= limit else f"`{text[: limit - 1]}…`"


def is_markup(run: str) -> bool:
    """Whether an unusual run is Markdown's, and no character that looks like another."""
    return run.startswith(("*", "<"))


def _unusual_runs(text: str) -> Iterator[tuple[int, int]]:
    emphasis = False
    for found in _SUSPECT.finditer(text):
        if found.group() == "**":
            if not emphasis and _is_power(text, found):
                continue
            emphasis = not emphasis
        yield found.start(), len(found.group())


def _is_power(text: str, stars: re.Match[str]) -> bool:
    left = text[max(0, stars.start() - 8) : stars.start()].rstrip()
    right = text[stars.end() : stars.end() + 8].lstrip()
    return bool(re.search(r"[\w)\]]$", left) and re.match(r"[\w(+-]", right))
