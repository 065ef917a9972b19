"""The training loop.

A step is a function of the weights and of (seed, step): the order of the images, their
augmentation and the randomness inside the network all follow from these two numbers. So a run that
resumes from a checkpoint goes on as if it had never stopped, to the last bit on the same machine.
What steps gave stays on the device until a status is due.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
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
from specc_runtime.step import Stepper, Taken, read

Batches = Callable[[int, int], Iterable[Batch]]
"""From an epoch and a number of batches to skip to the rest of that epoch's batches."""

Validate = Callable[[Detector, Callable[[], None]], Compute]
"""Looks at a split with a detector; what is returned computes its scores.

The second argument is to be called now and then: it raises when the run is to stop.
"""

ROLLBACKS = 3
"""Times that a run goes back to a checkpoint before it is given up."""
LOST_READERS = 3
"""Times in an epoch that processes that read images are replaced after a death."""
_NOT_OF_THIS_RUN = (
    AttributeError,
    ContractError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What comes of a checkpoint whose parts are there but are not those of the run."""


class TrainingError(Exception):
    """The run cannot go on; the message says what to change."""


class _Unread(NamedTuple):
    """A step whose outcome has not been read from the device."""

    step: int
    images: Tensor
    taken: Taken


class Trainer:
    """Trains a detector, on the device that it lies on.

    `batches` has `steps_per_epoch` batches an epoch; `name` says what an image is called. `validate`
    scores the averaged weights where the recipe asks for an average, else the weights themselves.
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
        self._unread: list[_Unread] = []
        self._since = time.perf_counter()

    @property
    def detector(self) -> Detector:
        """The detector in training."""
        return self.take_step.detector

    def fit(self) -> int:
        """Train to the end, or to a signal: 0, or the exit code that the signal asks for.

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
            self.scoring.land()
            if stop.exit_code:
                self.save()
                self.log.say(f"stopped at step {self.step:,}: `--resume {self.run.path}` goes on")
        if distributed.leads():
            self._save_weights(self.run.last, self.take_step.scored, self.step)
        return stop.exit_code

    def train_step(self, batch: Batch) -> Taken:
        """One step of the optimizer; what came of it, still on the device."""
        rate = learning_rate(self.recipe, self.step, self.steps) * 0.5**self.rollbacks
        epoch = self.step // self.steps_per_epoch
        taken = self.take_step(batch, epoch, self.step, rate)
        self.step += 1
        return taken

    def save(self) -> None:
        """Write a checkpoint to `resume` from, unless the last step was skipped.

        A disk that is full is told of and borne: the checkpoint before this one stays.
        """
        self._report()
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
            **self.scoring.state(),
            "rollbacks": self.rollbacks,
            "parts": self.take_step.parts,
            "preprocess": self.detector.input.preprocess,
            **self._fixed(),
        }
        now = Checkpoint(self.step, tensors, state)
        self._bear("checkpoint", now.step, lambda: checkpoint.save(self.run.checkpoints, now))

    def resume(self) -> None:
        """Go on from the run's last checkpoint. Raises `CheckpointError`."""
        last = checkpoint.load_last(self.run.checkpoints)
        if len(set(distributed.gathered(last.step))) > 1:
            raise CheckpointError(f"{self.run.path}: is another folder to other processes")
        try:
            self._take_up(last)
        except _NOT_OF_THIS_RUN as error:
            raise CheckpointError(f"{self.run.checkpoints}: not of this run: {error}") from error

    def _take_up(self, last: Checkpoint) -> None:
        """Become as a checkpoint says. Raises what comes of one that lacks something."""
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
        stepper = self.take_step
        if ("average" in last.tensors) != (stepper.average is not None):
            raise CheckpointError(f"{self.run.path}: cannot go on with `ema` switched on or off")
        kept = optimizer_tensors(self.detector.network, stepper.optimizer)
        if bool(last.tensors["optimizer"]) != bool(kept):  # SGD keeps nothing but its momentum
            raise CheckpointError(
                f"{self.run.path}: cannot go on with `momentum` switched on or off"
            )
        self.detector.network.load_state_dict(last.tensors["model"])
        load_optimizer_tensors(self.detector.network, stepper.optimizer, last.tensors["optimizer"])
        if stepper.average:
            stepper.scored.network.load_state_dict(last.tensors["average"])
        for detector in (self.detector, stepper.scored):
            detector.expect(last.state["preprocess"])
        stepper.parts = max(stepper.parts, last.state["parts"])
        self.scoring.take_up(last.state)
        self.step, self.rollbacks, self.skips = last.step, int(last.state["rollbacks"]), 0

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
        """Whether an epoch, or the run within one, has ended that was not scored."""
        ended = self.step % self.steps_per_epoch == 0 or self.step == self.steps
        return ended and self.step != self.scoring.validated

    def _finished(self) -> bool:
        return not self._at_an_end() and (self.step >= self.steps or self.scoring.is_tired)

    def _run_epoch(self, stop: StopRequest) -> None:
        """Train to the end of the epoch, to a signal, or to where the run had to go back."""
        for batch in self._rest_of_epoch(stop):
            taken = self.train_step(batch)
            self._unread.append(_Unread(self.step, batch.indices, taken))
            to_save = self.step % self.recipe.checkpoint_every == 0 and not self._at_an_end()
            if (to_save or self.step % self.recipe.log_every == 0) and not self._report():
                return
            if stop.agreed():
                return
            if to_save:
                self.scoring.land()
                self.save()
            if self.step == self.steps:
                return

    def _rest_of_epoch(self, stop: StopRequest) -> Iterator[Batch]:
        """Batches from the next step on, to the epoch's end; none once the run is to stop.

        Where a process that reads has died, others read on from the same place. Raises
        `TrainingError` if they keep dying.
        """
        epoch, deaths = self.step // self.steps_per_epoch, 0
        while (done := self.step - epoch * self.steps_per_epoch) < self.steps_per_epoch:
            try:
                for batch in self.batches(epoch, done):
                    mute_deaths()
                    yield batch
            except RuntimeError as error:
                if stop.noted and distributed.world() == 1:
                    return  # those who read were told to stop as well
                deaths += 1
                self._bear_death(error, deaths)

    def _bear_death(self, error: RuntimeError, deaths: int) -> None:
        """Say that a process that reads images has died. Raises what is another error, or too many."""
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
        self.scoring.land()
        epochs, every = self.step // self.steps_per_epoch, self.recipe.evaluate_every
        if self.validate and every and (epochs % every == 0 or self.step == self.steps):
            try:
                compute = self._look(self.validate, stop)
            except Stopped:
                return
            self.scoring.begin(self.step, self.take_step.scored, compute)
            self.log.rest()
            self._since = time.perf_counter()
        self.scoring.validated = self.step
        if self._finished():
            self.scoring.land()
        self.save()

    def _look(self, validate: Validate, stop: StopRequest) -> Compute:
        """Look at the validation split; what computes its scores. Raises `Stopped`."""
        deaths = 0
        while True:
            try:
                return validate(self.take_step.scored, stop.obey)
            except RuntimeError as error:
                deaths += 1
                self._bear_death(error, deaths)
            finally:
                self.take_step.train()

    def _keep_best(self, detector: Detector, step: int) -> None:
        self._bear("best weights", step, lambda: self._save_weights(self.run.best, detector, step))

    def _save_weights(self, path: Path, detector: Detector, step: int) -> None:
        preprocess = detector.input.preprocess
        weights.save(path, detector.network, self.run.classes, preprocess, step=step)

    def _bear(self, what: str, step: int, write: Callable[[], object]) -> None:
        """Write something that training can do without; say so if it cannot be written."""
        if not distributed.leads():
            return
        try:
            write()
        except OSError as error:
            self.log.say(f"{what} of step {step:,} not written, training goes on: {error}")

    def _report(self) -> bool:
        """Read what steps since the last report gave, which waits for the device, and show it.

        False if the run had to go back to its last checkpoint. Raises `TrainingError`.
        """
        if not self._unread:
            return True
        unread, self._unread = self._unread, []
        outcomes = read([step.taken for step in unread])
        now = time.perf_counter()
        speed = len(unread) * self.recipe.batch / max(now - self._since, 1e-9)
        self._since = now
        good = [losses for losses in outcomes if losses]
        names = unread[0].taken.losses
        means = {n: sum(g[n] for g in good) / len(good) if good else math.nan for n in names}
        rate = self.take_step.optimizer.param_groups[0]["lr"]
        epochs = math.ceil(self.steps / self.steps_per_epoch)
        place = ((self.step - 1) // self.steps_per_epoch, epochs, self.step, self.steps)
        best = math.nan if math.isinf(self.scoring.best) else self.scoring.best
        used = peak_memory(self.take_step.device)
        self.log.status(Status(*place, means, rate, speed, best, used))
        longest = 0
        for step, losses in zip(unread, outcomes, strict=True):
            self.skips = 0 if losses else self.skips + 1
            longest = max(longest, self.skips)
            if not losses:
                self._tell_skip(step)
        if longest >= self.recipe.max_skips:
            self._roll_back(longest)
            return False
        return True

    def _tell_skip(self, step: _Unread) -> None:
        indices = cast(list[int], step.images.tolist())  # pyright: ignore[reportUnknownMemberType]
        images = [
            self.name(index) for of_rank in distributed.gathered(indices) for index in of_rank
        ]
        self.log.record("skipped", step.step, {"images": images})
        self.log.say(f"step {step.step:,} skipped, not finite: {', '.join(images)}")

    def _roll_back(self, skips: int) -> None:
        """Go back to the last checkpoint, and on at half the rate. Raises `TrainingError`."""
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
