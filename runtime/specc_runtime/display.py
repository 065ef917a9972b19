"""What people see while a run trains: a progress bar on a terminal, plain lines elsewhere."""

import importlib.util
import math
import sys
from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Status(NamedTuple):
    """The progress of a run, with means over the steps since the last status.

    `score` is the best mAP so far, NaN before the first; `memory` the peak memory used on a GPU in
    bytes, 0 on a CPU. `images_per_second` is NaN where there was no step since the last status.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    losses: Mapping[str, float]
    lr: float
    images_per_second: float
    score: float = math.nan
    memory: int = 0

    def line(self, left: float) -> str:
        """The status in one line; `left` is in seconds."""
        return f"{self.place}  {self.figures}  {clock(left)} left"

    @property
    def place(self) -> str:
        """The epoch and step."""
        return f"epoch {self.epoch + 1}/{self.epochs}  step {self.step:,}/{self.steps:,}"

    @property
    def figures(self) -> str:
        """Losses, learning rate, speed, score and memory."""
        parts = ", ".join(f"{name} {value:.3f}" for name, value in self.losses.items())
        score = "" if math.isnan(self.score) else f"  best mAP {self.score:.4f}"
        speed = (
            ""
            if math.isnan(self.images_per_second)
            else f"  {self.images_per_second:,.0f} images/s"
        )
        memory = f"  {self.memory / 2**30:.1f} GiB" if self.memory else ""
        return (
            f"loss {sum(self.losses.values()):.3f} ({parts})  lr {self.lr:.2e}"
            f"{speed}{score}{memory}"
        )


class Display(Protocol):
    """Shows a run to people."""

    def show(self, status: Status, left: float) -> None:
        """Show the status, and the seconds left."""
        ...

    def say(self, text: str) -> None:
        """Print a message that stays on the screen."""
        ...

    def close(self) -> None:
        """Stop drawing."""
        ...


class Lines:
    """Plain lines, for files and pipes."""

    def show(self, status: Status, left: float) -> None:
        self.say(status.line(left))

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass


class Bar:
    """A progress bar with the figures below it, drawn by `rich`."""

    def __init__(self) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.text import Text

        text = TextColumn("{task.description}", markup=False)
        self._progress = Progress(BarColumn(bar_width=20), text)
        self._task = self._progress.add_task("starting", total=None)
        self._figures = Text()
        self._live = Live(Group(self._progress, self._figures), console=Console(stderr=True))
        self._live.start()

    def show(self, status: Status, left: float) -> None:
        where = f"{status.place}  {clock(left)} left"
        self._progress.update(
            self._task, completed=status.step, total=status.steps, description=where
        )
        self._figures.plain = status.figures

    def say(self, text: str) -> None:
        self._live.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        self._live.stop()


def display() -> Display:
    """A bar if standard error is a terminal and `rich` is installed, lines elsewhere."""
    return Bar() if sys.stderr.isatty() and importlib.util.find_spec("rich") else Lines()


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
