"""The training loop.

A step is a function of the weights and of (seed, step): the order of the images, their
augmentation and the randomness inside the network all follow from these two numbers. So a run that
resumes from a checkpoint goes on as if it had never stopped, to the last bit on the same machine.
The host never waits for the device within a step; losses stay there until a status is due.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from specc_runtime import checkpoint, weights
from specc_runtime.checkpoint import Checkpoint, CheckpointError
from specc_runtime.data import Batch, photometric
from specc_runtime.device import can_compile
from specc_runtime.interrupt import StopRequest
from specc_runtime.logs import Log, Status
from specc_runtime.model import Detector
from specc_runtime.optim import (
    Average,
    build_optimizer,
    learning_rate,
    load_optimizer_tensors,
    optimizer_tensors,
    set_learning_rate,
)
from specc_runtime.recipe import Recipe
from specc_runtime.run import Run

Batches = Callable[[int, int], Iterable[Batch]]
"""From an epoch and a number of batches to skip to the rest of that epoch's batches."""

Validate = Callable[[Detector], dict[str, Any]]
"""Scores a detector; `map50`, and `map` where there is one, say which weights are best."""


class TrainingError(Exception):
    """The run cannot go on; the message says what to change."""


class Trainer:
    """Trains a detector, on the device that it lies on.

    `batches` has `steps_per_epoch` batches an epoch. `validate` scores the averaged weights where the
    recipe asks for an average, else the weights themselves.
    """

    def __init__(
        self,
        detector: Detector,
        recipe: Recipe,
        batches: Batches,
        steps_per_epoch: int,
        run: Run,
        log: Log,
        validate: Validate | None = None,
    ) -> None:
        self.recipe, self.run, self.log = recipe, run, log
        self.batches, self.validate = batches, validate
        self.steps_per_epoch = steps_per_epoch
        self.steps = recipe.epochs * steps_per_epoch
        self.step = 0
        self.validated = 0
        self.best = -math.inf
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.detector = detector.to(memory_format=layout).train()  # pyright: ignore[reportCallIssue]
        self.device = detector.anchors.device
        self.layout = layout
        self.optimizer = build_optimizer(detector.network, recipe)
        self.average = Average(detector, recipe.ema) if recipe.ema is not None else None
        self._sums: dict[str, Tensor] = {}
        self._summed, self._since = 0, time.perf_counter()
        compiled, why_not = can_compile(recipe.compile, self.device)
        self._losses = torch.compile(self._forward, dynamic=False) if compiled else self._forward
        if why_not:
            log.say(why_not)

    def fit(self) -> int:
        """Train to the end, or to a signal: 0, or the exit code that the signal asks for."""
        self.log.start(self.step)
        self._since = time.perf_counter()
        with StopRequest() as stop:
            while self.step < self.steps and not stop.signal:
                self._end_epoch()  # of a run that stopped right before
                self._run_epoch(stop)
            if not stop.signal:
                self._end_epoch()
        if stop.signal:
            self.save()
            self.log.say(f"stopped at step {self.step:,}: `--resume {self.run.path}` goes on")
        self._save_weights(self.run.last)
        return stop.exit_code

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the optimizer; the parts of the loss, still on the device."""
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)  # pyright: ignore[reportUnknownMemberType]
        images, boxes, labels, indices = (
            value.to(self.device, non_blocking=True)
            for value in (batch.images, batch.boxes, batch.labels, batch.indices)
        )
        if self.recipe.distort_colours:
            images = photometric(images, self.recipe.seed, self._epoch, indices)
        losses = self._losses(images.contiguous(memory_format=self.layout), boxes, labels)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # pyright: ignore[reportUnknownMemberType]
        if self.recipe.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.detector.parameters(), self.recipe.clip_norm)
        set_learning_rate(self.optimizer, learning_rate(self.recipe, self.step, self.steps))
        self.optimizer.step()
        self.step += 1
        if self.average:
            self.average.update(self.detector, self.step)
        return {name: value.detach() for name, value in losses.items()}

    def save(self) -> None:
        """Write a checkpoint to `resume` from; never one after a loss that is not finite."""
        self._report()
        tensors = {
            "model": self.detector.network.state_dict(),
            "optimizer": optimizer_tensors(self.detector.network, self.optimizer),
        }
        if self.average:
            tensors["average"] = self._scored().network.state_dict()
        state = {
            "validated": self.validated,
            "best": None if math.isinf(self.best) else self.best,
            "steps_per_epoch": self.steps_per_epoch,
            "seed": self.recipe.seed,
            "optimizer": self.recipe.optimizer,
        }
        checkpoint.save(self.run.checkpoints, Checkpoint(self.step, tensors, state))

    def resume(self) -> None:
        """Go on from the run's last checkpoint. Raises `CheckpointError`."""
        last = checkpoint.load_last(self.run.checkpoints)
        same = {
            "steps_per_epoch": self.steps_per_epoch,
            "seed": self.recipe.seed,
            "optimizer": self.recipe.optimizer,
        }
        for name, now in same.items():
            if last.state[name] != now:
                raise CheckpointError(
                    f"{self.run.path}: cannot go on with {name} {now}: it was {last.state[name]}"
                )
        if ("average" in last.tensors) != (self.average is not None):
            raise CheckpointError(f"{self.run.path}: cannot go on with `ema` switched on or off")
        self.detector.network.load_state_dict(last.tensors["model"])
        load_optimizer_tensors(self.detector.network, self.optimizer, last.tensors["optimizer"])
        if self.average:
            self._scored().network.load_state_dict(last.tensors["average"])
        self.step, self.validated = last.step, last.state["validated"]
        self.best = -math.inf if last.state["best"] is None else last.state["best"]

    @property
    def _epoch(self) -> int:
        return self.step // self.steps_per_epoch

    def _scored(self) -> Detector:
        """The detector whose weights are scored and kept."""
        return self.average.module if self.average else self.detector

    def _forward(self, images: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        bf16 = self.recipe.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            predictions = self.detector(images)
        return self.detector.loss(predictions, boxes, labels)

    def _run_epoch(self, stop: StopRequest) -> None:
        for batch in self._rest_of_epoch(stop):
            self._note(self.train_step(batch))
            if self.step % self.recipe.log_every == 0:
                self._report()
            if stop.signal:
                return
            if self.step % self.recipe.checkpoint_every == 0:
                self.save()

    def _rest_of_epoch(self, stop: StopRequest) -> Iterator[Batch]:
        """Batches from the next step on; none if those who read them were told to stop as well."""
        try:
            yield from self.batches(self._epoch, self.step % self.steps_per_epoch)
        except RuntimeError:
            if not stop.signal:
                raise

    def _end_epoch(self) -> None:
        """Score, keep the best, and save; once, and only where an epoch has just ended."""
        if self.step % self.steps_per_epoch or self.step == self.validated:
            return
        self._report()
        epochs, every = self.step // self.steps_per_epoch, self.recipe.evaluate_every
        if self.validate and every and (epochs % every == 0 or self.step == self.steps):
            self._validate(self.validate)
        self.validated = self.step
        self.save()

    def _validate(self, validate: Validate) -> None:
        scores = validate(self._scored())
        self.log.record("validation", self.step, scores)
        score = float(scores.get("map", scores["map50"]))
        self.log.say(f"step {self.step:,}: mAP {score:.4f}, best {max(score, self.best):.4f}")
        if score > self.best:
            self.best = score
            self._save_weights(self.run.best)
        self.log.rest()
        self._since = time.perf_counter()

    def _save_weights(self, path: Any) -> None:
        weights.save(path, self._scored().network, self.run.classes, step=self.step)

    def _note(self, losses: dict[str, Tensor]) -> None:
        """Add up losses where they are: nobody waits for them."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._summed += 1

    def _report(self) -> None:
        """Read the losses since the last report, which waits for the device, and show them.

        Raises `TrainingError` if one is not finite.
        """
        if not self._summed:
            return
        losses = {name: float(value) / self._summed for name, value in self._sums.items()}
        now = time.perf_counter()
        speed = self._summed * self.recipe.batch / max(now - self._since, 1e-9)
        self._sums, self._summed, self._since = {}, 0, now
        if not all(map(math.isfinite, losses.values())):
            raise TrainingError(
                f"the loss is {losses} after step {self.step:,}: lower `lr`, set `clip_norm`, or "
                f"use `precision=fp32`, and go on from the last checkpoint with --resume"
            )
        rate = self.optimizer.param_groups[0]["lr"]
        place = ((self.step - 1) // self.steps_per_epoch, self.recipe.epochs, self.step, self.steps)
        self.log.status(Status(*place, losses, rate, speed))
