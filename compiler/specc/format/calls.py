"""Space the tokens of a row or expression as PyTorch's listings and Python's formatters do."""

from __future__ import annotations

import io
import keyword
import tokenize

__all__ = ["spaced", "tokens"]

_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")
_SIGNS = frozenset("-+*")
_LAYOUT = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def tokens(text: str) -> list[str]:
    """Return the tokens of a row or expression; of a text that is none, its words."""
    try:
        return [token.string for token in _tokens(text)]
    except (tokenize.TokenError, SyntaxError):
        return text.split()


def spaced(text: str) -> str:
    """Return a row or expression in its one layout; a text that is none comes back as it is."""
    try:
        found = _tokens(text)
    except (tokenize.TokenError, SyntaxError):
        return text
    written = ""
    brackets: list[str] = []
    for place, token in enumerate(found):
        is_apart = place > 0 and token.start != found[place - 1].end
        earlier = [before.string for before in found[max(0, place - 2) : place]]
        if earlier and _is_spaced(earlier, token.string, brackets, is_apart=is_apart):
            written += " "
        written += token.string
        if token.string in _OPENING:
            brackets.append(token.string)
        elif token.string in _CLOSING and brackets:
            brackets.pop()
    return written


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    found = tokenize.generate_tokens(io.StringIO(text.strip()).readline)
    return [token for token in found if token.type not in _LAYOUT]


def _is_spaced(earlier: list[str], word: str, brackets: list[str], *, is_apart: bool) -> bool:
    """Whether a space stands before a word; `earlier` are the one or two before it."""
    left = earlier[-1]
    if left in _OPENING or word in _CLOSING or word == "," or "." in (left, word):
        return False
    if left == ",":
        return True
    if ":" in (left, word):
        # YAML would take a space behind the colon of a mapping for the end of a key.
        return left == ":" and brackets[-1:] == ["{"] and is_apart
    if "=" in (left, word) and brackets:
        return False
    if left in _SIGNS and (len(earlier) == 1 or _awaits_operand(earlier[0])):
        return False
    return word not in ("(", "[") or _awaits_operand(left)


def _awaits_operand(token: str) -> bool:
    """Whether what follows a token begins an operand: a sign, a list, parentheses."""
    is_word = token[0].isalnum() or token[0] in "_'\""
    return keyword.iskeyword(token) if is_word else token not in _CLOSING
