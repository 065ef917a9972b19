"""The log of a run: to people on a display, to programs in `metrics.jsonl`, and to trackers."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from specc_runtime.display import Display, Lines, Status, display
from specc_runtime.files import append, write_text


class Tracker(Protocol):
    """Records a run's numbers elsewhere, as TensorBoard does."""

    name: str

    def start(self, step: int) -> None:
        """Forget what was recorded from `step` on, if that is possible."""
        ...

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Record a step's numbers by name."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class Log:
    """Writes `metrics.jsonl`, passes its numbers to trackers, and updates the display.

    A tracker that fails is reported, and not used from then on.
    """

    def __init__(
        self, path: Path, shown: Display | None = None, trackers: Iterable[Tracker] = ()
    ) -> None:
        self.path = path
        self.shown = shown or display()
        self._trackers = list(trackers)
        self._since = time.perf_counter()
        self._step = 0
        self._lost = 0

    def start(self, step: int, *, scored: bool = True) -> None:
        """Continue after `step`, dropping the later lines of a run that was cut off.

        The scores of `step` itself are dropped too unless it is `scored`: they will come again.
        """
        self._since, self._step = time.perf_counter(), step
        try:
            _drop_after(step, self.path, scored=scored)
        except OSError as error:
            self.say(f"{self.path} keeps lines of steps after {step:,} that were undone: {error}")
        self._tell(step, lambda tracker: tracker.start(step + 1))

    def status(self, status: Status) -> None:
        """Show and record where the run stands."""
        now = time.perf_counter()
        done = max(status.step - self._step, 1)
        left = (status.steps - status.step) * (now - self._since) / done
        self._since, self._step = now, status.step
        self.shown.show(status, left)
        self.record(
            "train",
            status.step,
            {
                "epoch": status.epoch,
                "loss": sum(status.losses.values()),
                **status.losses,
                "lr": status.lr,
                "images_per_second": status.images_per_second,
            },
        )

    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Add one line to `metrics.jsonl`; if the disk is full, say once that lines are missing."""
        numbers = dict(_numbers(kind, values))
        if numbers:
            at = max(step, self._step)  # scores may come late, and some trackers only go forward
            self._tell(at, lambda tracker: tracker.scalars(at, numbers))
        line = json.dumps(_finite({"kind": kind, **values, "step": step})) + "\n"
        try:
            append(self.path, line.encode())
        except OSError as error:
            self._lost += 1
            if self._lost == 1:
                self.say(f"{self.path} lacks lines from step {step:,} on: {error}")
        else:
            self._lost = 0

    def restart_clock(self) -> None:
        """Restart the clock that estimates the time left, after something that is not training."""
        self._since = time.perf_counter()

    def say(self, text: str) -> None:
        self.shown.say(text)

    def close(self) -> None:
        self._tell(self._step, lambda tracker: tracker.close())
        self.shown.close()

    def _tell(self, step: int, what: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                what(tracker)
            except Exception as error:  # noqa: BLE001 - whatever it is, training goes on
                self._trackers.remove(tracker)
                self.say(f"{tracker.name} lacks what comes from step {step:,} on: {error}")


class NullLog(Log):
    """The log of a rank other than 0, which neither prints nor writes."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull), Lines())

    def start(self, step: int, *, scored: bool = True) -> None: ...
    def status(self, status: Status) -> None: ...
    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None: ...
    def restart_clock(self) -> None: ...
    def say(self, text: str) -> None: ...


def read(path: Path) -> list[dict[str, Any]]:
    """The intact lines of a run's log; none if there is no log."""
    found: list[dict[str, Any]] = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        match record:
            case {"kind": str(), "step": int()}:
                found.append(cast(dict[str, Any], record))
            case _:
                continue
    return found


def _drop_after(step: int, path: Path, *, scored: bool) -> None:
    """Keep a log's lines up to a step, that step's scores only if `scored`. Raises `OSError`."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    last = (step, scored)
    write_text(path, "".join(f"{line}\n" for line in lines if _place(line) <= last))


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The finite numbers in nested mappings with their paths, such as `validation/map50`."""
    if isinstance(value, Mapping):
        for key, item in cast(Mapping[str, Any], value).items():
            yield from _numbers(f"{name}/{key}", item)
    elif isinstance(value, int | float) and math.isfinite(value):
        yield name, float(value)


def _finite(value: Any) -> Any:
    """The value with None for NaN, which JSON lacks: the score of a class without objects is NaN."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in cast(Mapping[str, Any], value).items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _place(line: str) -> tuple[int, bool]:
    """The step of a line, and whether it has scores; beyond all steps for a damaged line."""
    try:
        found = json.loads(line)
        return int(found["step"]), found["kind"] == "validation"
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return sys.maxsize, True
