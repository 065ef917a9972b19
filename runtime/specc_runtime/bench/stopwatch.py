"""The times of a step's phases, taken without making anybody wait."""

import time
from collections.abc import Callable

import torch


class Stopwatch:
    """Takes times where things happen: by events on a GPU, elsewhere by the clock.

    A phase is all that lies between two marks, so phases add up to the whole. On a GPU that is what
    the device did in the order it was told to: a phase of the host counts as far as the device stood
    idle for it. Nothing waits for the device before `read`.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._steps = 0
        self._marks: list[tuple[int, str, torch.cuda.Event | float]] = []

    def begin(self) -> None:
        """Begin a step, where the one before it ended."""
        if not self._marks:
            self.wait()
            self._mark("")
        self._steps += 1

    def lap(self, phase: str) -> None:
        """End a phase: all since the last mark counts for it. A phase may come again in a step.

        Before any step has begun, nothing is measured.
        """
        if self._steps:
            self._mark(phase)

    def read(self) -> list[dict[str, float]]:
        """Seconds by phase of each step, in order; what was measured is forgotten."""
        self.wait()
        steps: list[dict[str, float]] = [{} for _ in range(self._steps)]
        for (_, _, before), (step, phase, after) in zip(self._marks, self._marks[1:], strict=False):
            phases = steps[step - 1]
            phases[phase] = phases.get(phase, 0.0) + _seconds(before, after)
        self._steps, self._marks = 0, []
        return steps

    def time(self, action: Callable[[], object]) -> float:
        """Seconds that an action takes, from a device at rest to a device at rest."""
        self.wait()
        start = time.perf_counter()
        action()
        self.wait()
        return time.perf_counter() - start

    def wait(self) -> None:
        """Wait until the device has done what it was told to."""
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
