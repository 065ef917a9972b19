"""Did you mean: the known word that an unknown one was probably meant to be."""

from collections.abc import Iterable

_LONGEST = 64


def did_you_mean(word: str, options: Iterable[str], otherwise: str) -> str:
    """The help for an unknown word: the option that it is near to, or `otherwise`."""
    near = suggest(word, options)
    return f"did you mean `{near}`?" if near else otherwise


def suggest(word: str, options: Iterable[str]) -> str | None:
    """The option nearest to `word`, or None where none is near.

    A difference in case only is nearest of all (`Conv2D` for `Conv2d`). Otherwise about one
    letter in three may be wrong, missing, added or swapped with its neighbour.
    """
    allowed = max(1, len(word) // 3) if len(word) > 1 else 0
    best: tuple[int, str] | None = None
    for option in options:
        if option.casefold() == word.casefold():
            return option
        if abs(len(option) - len(word)) > allowed or len(word) > _LONGEST:
            continue
        edits = _edits(word.casefold(), option.casefold())
        if edits <= allowed and (best is None or edits < best[0]):
            best = edits, option
    return best[1] if best else None


def _edits(a: str, b: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours that lead from `a` to `b`."""
    before: list[int] = []
    above = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        row = [i]
        for j, right in enumerate(b, 1):
            cost = min(above[j] + 1, row[-1] + 1, above[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
