"""Compare two ways of doing a thing by alternating between them, on a machine that others may use too.

Neighbouring runs are disturbed alike, so the ratio of each pair is what is summarised.
"""

import random
import statistics
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def alternate(ours: Callable[[], T], theirs: Callable[[], T], pairs: int) -> list[tuple[T, T]]:
    """Alternate between both, after one run each to warm up; return what they measured, in pairs.

    Which one goes first alternates too.
    """
    ours()
    theirs()
    measured: list[tuple[T, T]] = []
    for number in range(pairs):
        if number % 2:
            second, first = theirs(), ours()
        else:
            first, second = ours(), theirs()
        measured.append((first, second))
    return measured


def summary(values: Sequence[float]) -> dict[str, Any]:
    """The median with its 95 % interval, from a bootstrap of 10,000 draws."""
    draw = random.Random(0)  # noqa: S311 - the same values give the same interval
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(10_000))
    interval = [medians[250], medians[9749]]
    return {
        "median": round(statistics.median(values), 4),
        "interval_95": [round(value, 4) for value in interval],
        "runs": len(values),
    }
