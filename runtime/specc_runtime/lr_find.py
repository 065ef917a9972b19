"""The learning rate range test (Smith, Cyclical Learning Rates, WACV 2017, section 3.3).

The rate grows by a constant factor from step to step. The loss is smoothed by an exponential average
with bias correction (Kingma, Ba, Adam, 2015, section 3), and the test ends when that reaches four
times its minimum or is no longer finite.
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from specc_runtime.data import Batch
from specc_runtime.detector import Detector
from specc_runtime.recipe import Recipe
from specc_runtime.report import svg
from specc_runtime.report.page import Section, figure, page
from specc_runtime.step import Stepper, read

MEMORY = 0.9
"""Decay of the exponential average."""
DIVERGED = 4.0
"""The test ends when the smoothed loss is this many times its minimum."""
RULE = "a tenth of the rate at which the smoothed loss is least"
EDGE = 0.1
"""A minimum within this fraction of the steps, at either end, means that the range is wrong."""


@dataclass(frozen=True)
class RangeTest:
    """The result of a test, step by step; the loss of the last step may be infinite."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    diverged: bool

    @property
    def suggestion(self) -> float | None:
        """The rate by `RULE`; None unless the loss fell and rose again."""
        return None if self.trouble else self.rates[self._least] / 10

    @property
    def trouble(self) -> str:
        """Why there is no suggestion, and what to do about it; empty if there is one."""
        edge = max(1, int(EDGE * len(self.rates)))
        if self._least < edge:
            return "the loss does not fall: begin with a lower rate, or look at the data"
        if not self.diverged and self._least >= len(self.rates) - edge:
            return "the loss still falls at the end: go on to a greater rate, or take more steps"
        return ""

    @property
    def verdict(self) -> str:
        """The suggestion as a recipe option, or why there is none."""
        return self.trouble or f"lr={self.suggestion:.1e}: {RULE}, {self.rates[self._least]:.1e}"

    def table(self, rows: int = 20) -> str:
        """About `rows` of the steps, and the verdict."""
        every = max(1, len(self.rates) // rows)
        shown = sorted({*range(0, len(self.rates), every), self._least, len(self.rates) - 1})
        lines = [
            f"{self.rates[i]:9.2e}  {self.losses[i]:9.4f}  {self.smoothed[i]:9.4f}"
            f"{'  least' if i == self._least else ''}"
            for i in shown
        ]
        return "\n".join(["     rate       loss   smoothed", *lines, "", self.verdict])

    def as_json(self) -> dict[str, Any]:
        """All steps, with null for a loss that is not finite."""
        finite = {
            key: [value if math.isfinite(value) else None for value in values]
            for key, values in asdict(self).items()
            if key != "diverged"
        }
        outcome = {"suggestion": self.suggestion, "rule": RULE, "trouble": self.trouble}
        return {**outcome, "diverged": self.diverged, **finite}

    def as_html(self) -> str:
        """A page with a chart of loss over rate."""
        powers = [math.log10(rate) for rate in self.rates]
        top = 2 * max(self.smoothed[: self._least + 1])
        chart = svg.lines(
            {
                "loss": [(x, min(y, top)) for x, y in zip(powers, self.losses, strict=True)],
                "smoothed": [(x, min(y, top)) for x, y in zip(powers, self.smoothed, strict=True)],
            },
            "rate, as a power of ten",
        )
        return page(
            "Range test of the learning rate", [Section("Loss", figure(self.verdict, chart))]
        )

    @property
    def _least(self) -> int:
        return min(range(len(self.smoothed)), key=self.smoothed.__getitem__)


def range_test(
    detector: Detector,
    batches: Iterable[Batch],
    recipe: Recipe,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
) -> RangeTest:
    """Train a detector for up to `steps` steps at rates from `low` to `high`; this changes its weights.

    Raises `specc_runtime.freezing.FreezeError`, `specc_runtime.step.OutOfMemory`.
    """
    stepper = Stepper(detector, replace(recipe, ema=None), say=lambda _: None)
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average, diverged = 0.0, False
    for step, batch in enumerate(islice(batches, steps)):
        rates.append(low * (high / low) ** (step / max(1, steps - 1)))
        (found,) = read([stepper(batch, 0, step, rates[-1])])
        losses.append(sum(found.values()) if found else math.inf)
        average = MEMORY * average + (1 - MEMORY) * losses[-1]
        smoothed.append(average / (1 - MEMORY ** (step + 1)))
        diverged = not smoothed[-1] <= DIVERGED * min(smoothed)
        if diverged:
            break
    return RangeTest(tuple(rates), tuple(losses), tuple(smoothed), diverged)
