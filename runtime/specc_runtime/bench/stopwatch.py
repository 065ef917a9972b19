"""Times the phases of steps without synchronising host and device."""

import time
from collections.abc import Callable

import torch


class Stopwatch:
    """Times phases by events on a GPU, by the clock elsewhere.

    A phase is everything between two marks, so phases add up to the whole. On a GPU they are phases of the
    device's work: work of the host counts only as far as the device stood idle for it. Nothing waits for
    the device before `read`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._steps = 0
        self._marks: list[tuple[int, str, torch.cuda.Event | float]] = []

    def begin(self) -> None:
        """Begin a step at the end of the one before it."""
        if not self._marks:
            self.wait()
            self._mark("")
        self._steps += 1

    def lap(self, phase: str) -> None:
        """End a phase, which began at the last mark. A phase may occur several times in a step.

        Before the first step nothing is measured.
        """
        if self._steps:
            self._mark(phase)

    def read(self) -> list[dict[str, float]]:
        """Seconds by phase for each step, in order; the stopwatch is then reset."""
        self.wait()
        steps: list[dict[str, float]] = [{} for _ in range(self._steps)]
        for (_, _, before), (step, phase, after) in zip(self._marks, self._marks[1:], strict=False):
            phases = steps[step - 1]
            phases[phase] = phases.get(phase, 0.0) + _seconds(before, after)
        self._steps, self._marks = 0, []
        return steps

    def time(self, action: Callable[[], object]) -> float:
        """Seconds that an action takes, with the device idle before and after."""
        self.wait()
        start = time.perf_counter()
        action()
        self.wait()
        return time.perf_counter() - start

    def wait(self) -> None:
        """Wait until the device is idle."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _mark(self, phase: str) -> None:
        if self._device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append((self._steps, phase, event))
        else:
            self._marks.append((self._steps, phase, time.perf_counter()))


def _seconds(before: torch.cuda.Event | float, after: torch.cuda.Event | float) -> float:
    if isinstance(before, torch.cuda.Event):
        assert isinstance(after, torch.cuda.Event)
        return before.elapsed_time(after) / 1000
    assert not isinstance(after, torch.cuda.Event)
    return after - before
