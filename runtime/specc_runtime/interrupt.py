"""Signals that ask a run to stop, taken note of and obeyed when it suits."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from specc_runtime import distributed

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A signal asked for a stop, and what was under way was left."""


class StopRequest:
    """Within `with StopRequest() as stop:` SIGINT and SIGTERM are only noted.

    A step is never cut in two: the trainer asks `agreed` between steps, saves, and leaves with
    `exit_code`, 130 or 143, as a shell expects. A second SIGINT breaks off at once.
    """

    def __init__(self) -> None:
        self.noted = 0
        """The signal that came to this process; 0 if there was none."""
        self._signal = 0
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """128 and the signal's number; 0 if there was none."""
        return 128 + self._signal if self._signal else 0

    def agreed(self) -> bool:
        """Whether to stop, for a signal that came to any rank; all ranks ask at the same time."""
        self._signal = distributed.most(self.noted)
        return self._signal > 0

    def obey(self) -> None:
        """Raise `Stopped` if a signal has come to this process."""
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
        # A shell or a batch system signals the whole group, and the processes that read data with it.
        mute_deaths()


def mute_deaths() -> None:
    """Have the death of a process that reads data raise an error where data is read, and only there.

    PyTorch's handler, set with the first such process, raises it in the middle of whatever runs.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
