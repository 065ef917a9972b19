"""What a run says while it runs: to people, to `metrics.jsonl` for programs, and to trackers."""

import errno
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from specc_runtime.display import Display, Lines, Status, display


class Tracker(Protocol):
    """Keeps a run's numbers elsewhere."""

    name: str

    def start(self, step: int) -> None:
        """Forget what was kept from `step` on, if that can be done."""
        ...

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Keep numbers by name, as of a step."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class Log:
    """Writes `metrics.jsonl`, hands its numbers to trackers, and keeps the display and the clock.

    A tracker that fails is told of and left alone from then on.
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
        """Go on after `step`: later lines, of a run that was cut off, are dropped.

        So are the scores of `step` itself unless it counts as `scored`: they will come again.
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
        """Add one line to `metrics.jsonl`; on a disk that is full, say once that lines are lost."""
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

    def rest(self) -> None:
        """Start the clock anew, after something that is not training."""
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


class Unheard(Log):
    """The log of a process that leaves it to another to speak and write."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull), Lines())

    def start(self, step: int, *, scored: bool = True) -> None: ...
    def status(self, status: Status) -> None: ...
    def record(self, kind: str, step: int, values: Mapping[str, Any]) -> None: ...
    def rest(self) -> None: ...
    def say(self, text: str) -> None: ...


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a run's log, without those that were cut off or are damaged; none without a log."""
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
    """Keep a log's lines up to a step, with its scores or not; as it is if that cannot be written."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    last = (step, scored)
    kept = "".join(f"{line}\n" for line in lines if _place(line) <= last)
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(kept, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def append(path: Path, line: bytes) -> None:
    """Add bytes to a file, or nothing of them. Raises `OSError`."""
    with path.open("ab", buffering=0) as file:
        end, written = file.tell(), 0
        try:
            written = file.write(line)
        finally:
            if written < len(line):
                file.truncate(end)
    if written < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The finite numbers in nested mappings, with the path to each, as `validation/map50`."""
    if isinstance(value, Mapping):
        for key, item in cast(Mapping[str, Any], value).items():
            yield from _numbers(f"{name}/{key}", item)
    elif isinstance(value, int | float) and math.isfinite(value):
        yield name, float(value)


def _finite(value: Any) -> Any:
    """The value with null for NaN, which JSON lacks: the score of a class without objects."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in cast(Mapping[str, Any], value).items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _place(line: str) -> tuple[int, bool]:
    """The step of a line, and whether it has scores; for one that was cut off, what is never kept."""
    try:
        found = json.loads(line)
        return int(found["step"]), found["kind"] == "validation"
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return sys.maxsize, True
