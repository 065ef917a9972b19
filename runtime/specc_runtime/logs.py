"""What a run says while it runs: a line for people, and `metrics.jsonl` for programs."""

import errno
import importlib.util
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast


class Status(NamedTuple):
    """Where a run stands, over the steps since the last status."""

    epoch: int
    epochs: int
    step: int
    steps: int
    losses: Mapping[str, float]
    lr: float
    images_per_second: float

    def line(self, steps_per_second: float) -> str:
        """The status in one line."""
        parts = ", ".join(f"{name} {value:.3f}" for name, value in self.losses.items())
        left = (self.steps - self.step) / steps_per_second if steps_per_second else 0.0
        return (
            f"epoch {self.epoch + 1}/{self.epochs}  step {self.step:,}/{self.steps:,}  "
            f"loss {sum(self.losses.values()):.3f} ({parts})  lr {self.lr:.2e}  "
            f"{self.images_per_second:,.0f} images/s  {clock(left)} left"
        )


class Display(Protocol):
    """Shows a run to people."""

    def show(self, status: Status, line: str) -> None:
        """Show where the run stands."""
        ...

    def say(self, text: str) -> None:
        """Say something that stays on the screen."""
        ...

    def close(self) -> None:
        """Leave the screen in order."""
        ...


class Lines:
    """Plain lines, for files and pipes."""

    def show(self, status: Status, line: str) -> None:
        self.say(line)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Bar:
    """One moving line, where standard error is a terminal and `rich` is there to draw it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            BarColumn(bar_width=20), TextColumn("{task.description}"), console=Console(stderr=True)
        )
        self._task = self._progress.add_task("starting", total=None)
        self._progress.start()

    def show(self, status: Status, line: str) -> None:
        self._progress.update(
            self._task, completed=status.step, total=status.steps, description=line
        )

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        self._progress.stop()


def display() -> Display:
    """A bar on a terminal, lines elsewhere."""
    return Bar() if sys.stderr.isatty() and importlib.util.find_spec("rich") else Lines()


class Log:
    """Writes `metrics.jsonl` and keeps the display and the clock."""

    def __init__(self, path: Path, shown: Display | None = None) -> None:
        self.path = path
        self.shown = shown or display()
        self._since = time.perf_counter()
        self._step = 0
        self._lost = 0

    def start(self, step: int) -> None:
        """Go on after `step`: later lines, of a run that was cut off, are dropped."""
        self._since, self._step = time.perf_counter(), step
        if self.path.exists():
            lines = self.path.read_text().splitlines()
            kept = [line for line in lines if _step_of(line) <= step]
            whole = self.path.with_suffix(".partial")
            whole.write_text("".join(f"{line}\n" for line in kept))
            whole.replace(self.path)

    def status(self, status: Status) -> None:
        """Show and record where the run stands."""
        now = time.perf_counter()
        rate = (status.step - self._step) / max(now - self._since, 1e-9)
        self._since, self._step = now, status.step
        self.shown.show(status, status.line(rate))
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
        line = json.dumps(_finite({"kind": kind, **values, "step": step})) + "\n"
        try:
            _append(self.path, line.encode())
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
        self.shown.close()


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _append(path: Path, line: bytes) -> None:
    """Add a line to a file, or nothing of it. Raises `OSError`."""
    with path.open("ab", buffering=0) as file:
        end, written = file.tell(), 0
        try:
            written = file.write(line)
        finally:
            if written < len(line):
                file.truncate(end)
    if written < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _finite(value: Any) -> Any:
    """The value with null for NaN, which JSON lacks: the score of a class without objects."""
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in cast(Mapping[str, Any], value).items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _step_of(line: str) -> int:
    """The step of a line; of one that was cut off in writing, one that is never kept."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return sys.maxsize
