"""Signals that ask a run to stop, noted at once and obeyed between steps."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from specc_runtime import distributed

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A signal asked for a stop in the middle of a validation."""


class StopRequest:
    """Within `with StopRequest() as stop:` SIGINT and SIGTERM are only noted.

    A step is never cut in two: the trainer asks `agreed` between steps, saves, and leaves with
    `exit_code`, 130 or 143, as a shell expects. A second SIGINT breaks off at once.
    """

    def __init__(self) -> None:
        self.noted = 0
        """The last signal this process received; 0 if none."""
        self._signal = 0
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """128 plus the number of the signal agreed on; 0 if none."""
        return 128 + self._signal if self._signal else 0

    def agreed(self) -> bool:
        """Whether any rank has received a signal; all ranks must ask at the same time."""
        self._signal = distributed.all_max(self.noted)
        return self._signal > 0

    def obey(self) -> None:
        """Raise `Stopped` if this process has received a signal."""
        if self.noted:
            raise Stopped

    def __enter__(self) -> Self:
        self._before[signal.SIGCHLD] = signal.getsignal(signal.SIGCHLD)
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.noted == signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.noted = number
        # A shell or a batch system signals the whole process group, data loader workers included.
        mute_deaths()


def mute_deaths() -> None:
    """Let the death of a data loader worker raise an error where batches are read, and only there.

    PyTorch's SIGCHLD handler, installed with the first worker, raises it in the middle of anything.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
