"""The training loop.

A step is a function of the weights and of (seed, step): the order of the images, their
augmentation and the randomness inside the network all follow from these two numbers. So a run that
resumes from a checkpoint continues as if it had never stopped, to the last bit on the same machine.
The losses of steps stay on the device until a status is due.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from torch import Tensor

from specc_runtime import checkpoint, distributed, weights
from specc_runtime.checkpoint import Checkpoint, CheckpointError
from specc_runtime.contract import ContractError
from specc_runtime.data import Batch
from specc_runtime.detector import Detector
from specc_runtime.device import peak_memory
from specc_runtime.display import Status
from specc_runtime.interrupt import Stopped, StopRequest, mute_deaths
from specc_runtime.logs import Log
from specc_runtime.optim import learning_rate, load_optimizer_tensors, optimizer_tensors
from specc_runtime.recipe import Recipe
from specc_runtime.run import Run
from specc_runtime.scoring import Compute, Scoring
from specc_runtime.step import Stepper, StepResult, read

Batches = Callable[[int, int], Iterable[Batch]]
"""The batches of an epoch, given its number and how many batches to skip."""

Validate = Callable[[Detector, Callable[[], None]], Compute]
"""Runs a detector over the validation split; what is returned computes the scores.

The second argument is to be called between batches: it raises `Stopped` when the run is to stop.
"""

ROLLBACKS = 3
"""How often a run goes back to a checkpoint before it gives up."""
LOST_READERS = 3
"""How often in an epoch dead data loader workers are replaced."""
_NOT_OF_THIS_RUN = (
    AttributeError,
    ContractError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What loading an intact checkpoint of another run may raise."""


class TrainingError(Exception):
    """The run cannot go on; the message says what to change."""


class _Pending(NamedTuple):
    """A step whose result has not been read from the device; `images` are their indices."""

    step: int
    images: Tensor
    result: StepResult


class Trainer:
    """Trains a detector, on the device that it is on.

    `batches` has `steps_per_epoch` batches per epoch; `name` gives the name of an image by its index.
    `validate` gets the averaged weights if the recipe has an `ema`, else the weights themselves.
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
        *,
        name: Callable[[int], str] = str,
    ) -> None:
        self.recipe, self.run, self.log = recipe, run, log
        self.batches, self.validate, self.name = batches, validate, name
        self.steps_per_epoch = steps_per_epoch
        self.steps = recipe.steps or recipe.epochs * steps_per_epoch
        self.take_step = Stepper(detector, recipe, log.say)
        self.scoring = Scoring(recipe, self.take_step.device, log, self._keep_best)
        self.step = self.skips = self.rollbacks = 0
        self._pending: list[_Pending] = []
        self._unlogged: list[dict[str, float]] = []
        self._since = time.perf_counter()

    @property
    def detector(self) -> Detector:
        """The detector being trained."""
        return self.take_step.detector

    def fit(self) -> int:
        """Train to the end, or until a signal; return 0, or the signal's exit code.

        Raises `TrainingError`.
        """
        self.log.start(self.step, scored=not self._at_an_end())
        self._since = time.perf_counter()
        if self._finished():
            self.log.say(f"at its end, step {self.step:,}: more `epochs` or `steps` make it longer")
        with StopRequest() as stop:
            while not stop.agreed() and not self._finished():
                if self._at_an_end():
                    self._end_epoch(stop)
                else:
                    self._run_epoch(stop)
            self.scoring.finish()
            if stop.exit_code:
                self.save()
                self.log.say(f"stopped at step {self.step:,}: `--resume {self.run.path}` goes on")
        if distributed.is_main():
            self._save_weights(self.run.last, self.take_step.scored, self.step)
        return stop.exit_code

    def train_step(self, batch: Batch) -> StepResult:
        """Take one step of the optimizer; its losses stay on the device."""
        epoch = self.step // self.steps_per_epoch
        result = self.take_step(batch, epoch, self.step, self._rate(self.step))
        self.step += 1
        return result

    def _rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return learning_rate(self.recipe, step, self.steps) * 0.5**self.rollbacks

    def save(self) -> None:
        """Write a checkpoint to `resume` from, unless the last step was skipped.

        If the disk is full, say so and go on: the checkpoint before this one stays.
        """
        self._report(log=False)
        if self.skips:
            return
        network, optimizer = self.detector.network, self.take_step.optimizer
        tensors = {
            "model": network.state_dict(),
            "optimizer": optimizer_tensors(network, optimizer),
        }
        if self.take_step.average:
            tensors["average"] = self.take_step.scored.network.state_dict()
        state = {
            **self.scoring.state_dict(),
            "rollbacks": self.rollbacks,
            "parts": self.take_step.parts,
            "unlogged": self._unlogged,
            "preprocess": self.detector.input.preprocess,
            **self._fixed(),
        }
        now = Checkpoint(self.step, tensors, state)
        self._try_to_write(
            "checkpoint", now.step, lambda: checkpoint.save(self.run.checkpoints, now)
        )

    def resume(self) -> None:
        """Continue from the run's last checkpoint. Raises `CheckpointError`."""
        last = checkpoint.load_last(self.run.checkpoints)
        if len(set(distributed.all_gather(last.step))) > 1:
            raise CheckpointError(f"{self.run.path}: is another folder to other processes")
        try:
            self._restore(last)
        except _NOT_OF_THIS_RUN as error:
            raise CheckpointError(f"{self.run.checkpoints}: not of this run: {error}") from error

    def _restore(self, last: Checkpoint) -> None:
        """Load a checkpoint. Raises one of `_NOT_OF_THIS_RUN` if it lacks something."""
        self._require_same(last)
        stepper = self.take_step
        self.detector.network.load_state_dict(last.tensors["model"])
        load_optimizer_tensors(self.detector.network, stepper.optimizer, last.tensors["optimizer"])
        if stepper.average:
            stepper.scored.network.load_state_dict(last.tensors["average"])
        for detector in (self.detector, stepper.scored):
            detector.expect(last.state["preprocess"])
        stepper.parts = max(stepper.parts, last.state["parts"])
        self.scoring.load_state_dict(last.state)
        self._unlogged = [
            {name: float(loss) for name, loss in losses.items()}
            for losses in last.state["unlogged"]
        ]
        self.step, self.rollbacks, self.skips = last.step, int(last.state["rollbacks"]), 0

    def _require_same(self, last: Checkpoint) -> None:
        """Raise `CheckpointError` if an option was changed that may not change."""
        for name, now in self._fixed().items():
            if last.state[name] != now:
                raise CheckpointError(
                    f"{self.run.path}: cannot go on with {name} {now}: it was {last.state[name]}"
                )
        if last.step > self.steps:
            raise CheckpointError(
                f"{self.run.path}: has come to step {last.step:,}, and would end at {self.steps:,}: "
                "give more `epochs` or `steps`"
            )
        if ("average" in last.tensors) != (self.take_step.average is not None):
            raise CheckpointError(f"{self.run.path}: cannot go on with `ema` switched on or off")
        kept = optimizer_tensors(self.detector.network, self.take_step.optimizer)
        if bool(last.tensors["optimizer"]) != bool(kept):  # SGD keeps nothing but its momentum
            raise CheckpointError(
                f"{self.run.path}: cannot go on with `momentum` switched on or off"
            )

    def _fixed(self) -> dict[str, Any]:
        """What may not change between a checkpoint and the run that resumes from it."""
        return {
            "batch": self.recipe.batch,
            "seed": self.recipe.seed,
            "optimizer": self.recipe.optimizer,
            "freeze": list(self.recipe.freeze),
            "steps_per_epoch": self.steps_per_epoch,
        }

    def _at_an_end(self) -> bool:
        """Whether an epoch, or the run, has just ended and has not been scored yet."""
        ended = self.step % self.steps_per_epoch == 0 or self.step == self.steps
        return ended and self.step != self.scoring.validated

    def _finished(self) -> bool:
        return not self._at_an_end() and (self.step >= self.steps or self.scoring.out_of_patience)

    def _run_epoch(self, stop: StopRequest) -> None:
        """Train until the epoch or the run ends, a signal comes, or the run has to go back."""
        for batch in self._rest_of_epoch(stop):
            result = self.train_step(batch)
            self._pending.append(_Pending(self.step, batch.indices, result))
            to_save = self.step % self.recipe.checkpoint_every == 0 and not self._at_an_end()
            if (to_save or self.step % self.recipe.log_every == 0) and not self._report():
                return
            if stop.agreed():
                return
            if to_save:
                self.scoring.finish()
                self.save()
            if self.step == self.steps:
                return

    def _rest_of_epoch(self, stop: StopRequest) -> Iterator[Batch]:
        """The epoch's batches from the next step on; none once the run is to stop.

        If a data loader worker dies, others continue from the same place. Raises `TrainingError` if
        they keep dying.
        """
        epoch, deaths = self.step // self.steps_per_epoch, 0
        while (done := self.step - epoch * self.steps_per_epoch) < self.steps_per_epoch:
            try:
                for batch in self.batches(epoch, done):
                    mute_deaths()
                    yield batch
            except RuntimeError as error:
                if stop.noted and distributed.world_size() == 1:
                    return  # the signal has ended the workers too
                deaths += 1
                self._accept_death(error, deaths)

    def _accept_death(self, error: RuntimeError, deaths: int) -> None:
        """Report the death of a data loader worker. Raises `TrainingError` after too many.

        Any other error is raised again.
        """
        if "DataLoader worker" not in str(error):
            raise error
        if deaths > LOST_READERS:
            raise TrainingError(
                f"the processes that read images keep dying ({error}): set `workers` or `cache` "
                f"lower if memory is short, or find the image with `workers=0`"
            ) from error
        self.log.say(f"a process that reads images has died, others read on: {error}")

    def _end_epoch(self, stop: StopRequest) -> None:
        """Score, keep the best, and save."""
        if not self._report():
            return
        self.scoring.finish()
        epochs, every = self.step // self.steps_per_epoch, self.recipe.evaluate_every
        if self.validate and every and (epochs % every == 0 or self.step == self.steps):
            try:
                compute = self._run_validation(self.validate, stop)
            except Stopped:
                return
            self.scoring.begin(self.step, self.take_step.scored, compute)
            self.log.restart_clock()
            self._since = time.perf_counter()
        self.scoring.validated = self.step
        if self._finished():
            self.scoring.finish()
        self.save()

    def _run_validation(self, validate: Validate, stop: StopRequest) -> Compute:
        """Run the scored detector over the validation split. Raises `Stopped`."""
        deaths = 0
        while True:
            try:
                return validate(self.take_step.scored, stop.obey)
            except RuntimeError as error:
                deaths += 1
                self._accept_death(error, deaths)
            finally:
                self.take_step.train()

    def _keep_best(self, detector: Detector, step: int) -> None:
        self._try_to_write(
            "best weights", step, lambda: self._save_weights(self.run.best, detector, step)
        )

    def _save_weights(self, path: Path, detector: Detector, step: int) -> None:
        preprocess = detector.input.preprocess
        weights.save(path, detector.network, self.run.classes, preprocess, step=step)

    def _try_to_write(self, what: str, step: int, write: Callable[[], object]) -> None:
        """Write, on rank 0, what training can do without; if that fails, say so and go on."""
        if not distributed.is_main():
            return
        try:
            write()
        except OSError as error:
            self.log.say(f"{what} of step {step:,} not written, training goes on: {error}")

    def _report(self, *, log: bool = True) -> bool:
        """Read the losses of all steps since the last report, which waits for the device, and log them.

        Without `log` they are left to the next report, that of the run that resumes after a stop: its
        log is the same as if it had never stopped. False if the run had to go back to its last
        checkpoint. Raises `TrainingError`.
        """
        if not (self._pending or (log and self._unlogged)):
            return True
        pending, self._pending = self._pending, []
        steps = read([step.result for step in pending]) if pending else []
        self._unlogged += [losses for losses in steps if losses]
        if log:
            names = self._unlogged[0] if self._unlogged else pending[0].result.losses
            self._log_status(list(names), len(steps))
        longest = 0
        for step, losses in zip(pending, steps, strict=True):
            self.skips = 0 if losses else self.skips + 1
            longest = max(longest, self.skips)
            if not losses:
                self._log_skip(step)
        if longest >= self.recipe.max_skips:
            self._roll_back(longest)
            return False
        return True

    def _log_status(self, names: Sequence[str], steps: int) -> None:
        """Log the means of the losses of these names, and how fast the last so many steps were."""
        now = time.perf_counter()
        speed = steps * self.recipe.batch / max(now - self._since, 1e-9) if steps else math.nan
        self._since = now
        good, self._unlogged = self._unlogged, []
        means = {n: sum(g[n] for g in good) / len(good) if good else math.nan for n in names}
        self.log.status(
            Status(
                epoch=(self.step - 1) // self.steps_per_epoch,
                epochs=math.ceil(self.steps / self.steps_per_epoch),
                step=self.step,
                steps=self.steps,
                losses=means,
                lr=self._rate(self.step - 1),
                images_per_second=speed,
                score=math.nan if math.isinf(self.scoring.best) else self.scoring.best,
                memory=peak_memory(self.take_step.device),
            )
        )

    def _log_skip(self, step: _Pending) -> None:
        indices = cast(list[int], step.images.tolist())  # pyright: ignore[reportUnknownMemberType]
        images = [
            self.name(index) for of_rank in distributed.all_gather(indices) for index in of_rank
        ]
        self.log.record("skipped", step.step, {"images": images})
        self.log.say(f"step {step.step:,} skipped, not finite: {', '.join(images)}")

    def _roll_back(self, skips: int) -> None:
        """Continue from the last checkpoint at half the learning rate. Raises `TrainingError`."""
        advice = "lower `lr`, set `clip_norm`, or use `precision=fp32`"
        what = (
            f"{skips} steps in a row up to {self.step:,} had a loss or gradient that is not finite"
        )
        rollbacks = self.rollbacks + 1
        if rollbacks > ROLLBACKS:
            raise TrainingError(f"{what}, after going back {ROLLBACKS} times: {advice}")
        try:
            self.resume()
        except CheckpointError as error:
            raise TrainingError(f"{what}, and there is no checkpoint yet: {advice}") from error
        self.rollbacks = rollbacks
        self.log.start(self.step, scored=not self._at_an_end())
        self.log.say(f"{what}: back to step {self.step:,}, at 1/{2**rollbacks} of the rate")
