"""Validation scores: which weights are the best so far, and how many validations ago that was.

Scores may be computed in a thread while training goes on. They take effect only at fixed points: before
the next validation, before a checkpoint within an epoch, at the end. So a run never depends on
how long they take.
"""

import copy
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch

from specc_runtime import distributed
from specc_runtime.detector import Detector
from specc_runtime.logs import Log
from specc_runtime.recipe import Recipe

Compute = Callable[[], dict[str, Any]]
"""Computes the scores of a validation, without the device. `map`, or else `map50`, decides which weights
are best."""


@dataclass(frozen=True)
class _Awaited:
    """Scores that are being computed, for the detector of a step; `before` is the validation before it."""

    step: int
    before: int
    detector: Detector
    scores: Future[dict[str, Any]]


class Scoring:
    """Keeps track of a run's scores, computed in a thread if the recipe's `score_beside` says so.

    `keep` is called with each detector that has the best score so far, and its step.

    Attributes:
        validated: the last step that was scored, or needed no score.
        best: the best score so far, minus infinity before the first.
        stale: validations since the best one.
    """

    def __init__(
        self,
        recipe: Recipe,
        device: torch.device,
        log: Log,
        keep: Callable[[Detector, int], None],
    ) -> None:
        self._patience, self._log, self._keep = recipe.patience, log, keep
        wanted = recipe.score_beside
        beside = wanted == "always" or (wanted == "auto" and device.type == "cuda")
        self._pool = ThreadPoolExecutor(1, "scoring") if beside else None
        self._awaited: _Awaited | None = None
        self.validated, self.best, self.stale = 0, -math.inf, 0

    @property
    def out_of_patience(self) -> bool:
        """Whether `patience` validations in a row have brought no better score."""
        return self._patience is not None and self.stale >= self._patience

    def begin(self, step: int, detector: Detector, compute: Compute) -> None:
        """Score a detector, at once or in the thread; training may then change the detector meanwhile."""
        if self._pool is None:
            self._record(step, detector, compute())
        else:
            kept, scores = copy.deepcopy(detector), self._pool.submit(compute)
            self._awaited = _Awaited(step, self.validated, kept, scores)

    def finish(self) -> None:
        """Wait for the scores that are being computed, if any, and record them."""
        if self._awaited:
            awaited, self._awaited = self._awaited, None
            self._record(awaited.step, awaited.detector, awaited.scores.result())

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, without scores still awaited: those are computed again."""
        return {
            "validated": self._awaited.before if self._awaited else self.validated,
            "best": None if math.isinf(self.best) else self.best,
            "stale": self.stale,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`. Raises `KeyError`, `TypeError` or `ValueError`."""
        self._awaited = None
        self.validated, self.stale = int(state["validated"]), int(state["stale"])
        self.best = -math.inf if state["best"] is None else float(state["best"])

    def _record(self, step: int, detector: Detector, scores: dict[str, Any]) -> None:
        """Log scores, on all ranks those of rank 0, and keep the weights if they are the best."""
        scores = distributed.all_gather(scores)[0]
        self._log.record("validation", step, scores)
        score = float(scores.get("map", scores["map50"]))
        self._log.say(f"step {step:,}: mAP {score:.4f}, best {max(score, self.best):.4f}")
        self.stale += 1
        if score > self.best:
            self.best, self.stale = score, 0
            self._keep(detector, step)
        if self.stale == self._patience:
            self._log.say(f"no better score in {self.stale} validations: training ends")
