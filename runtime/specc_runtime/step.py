"""One step of the optimizer, in which the host never waits for the device.

Shapes are static, and a step whose loss or gradient is not finite is undone on the device: weights,
momentum and running statistics stay as they were. Of several processes each takes the same step: their
gradients are summed, and their weights stay equal.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from specc_runtime import distributed, norms
from specc_runtime.data import Batch, photometric
from specc_runtime.detector import Detector
from specc_runtime.device import can_compile, shortages
from specc_runtime.freezing import freeze
from specc_runtime.losses import Loss
from specc_runtime.optim import Average, RunningStatistics, build_optimizer, set_learning_rate
from specc_runtime.recipe import Recipe


class OutOfMemory(Exception):
    """Not even one image at a time fits into the device's memory."""


class _Part(NamedTuple):
    """A part of a rank's batch: images where the loader left them, everything else on the device."""

    images: Tensor
    boxes: Tensor
    labels: Tensor
    indices: Tensor


class StepResult(NamedTuple):
    """Losses of a step, still on the device."""

    losses: dict[str, Tensor]
    skipped: Tensor
    """1 if a loss or gradient was not finite and the step was undone, else 0."""


def read(steps: Sequence[StepResult]) -> list[dict[str, float] | None]:
    """The losses of steps, None for a skipped one; the host waits for the device once."""
    names = list(steps[0].losses)
    rows = torch.stack([torch.stack([*s.losses.values(), s.skipped]) for s in steps])
    values = cast(list[list[float]], rows.tolist())  # pyright: ignore[reportUnknownMemberType]
    return [
        None if skipped else dict(zip(names, losses, strict=True)) for *losses, skipped in values
    ]


@torch.no_grad()
def counted(detector: Detector, parts: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """What the loss counts in each part of a batch, given as boxes (B, M, 4) and labels (B, M)."""
    match, loss = detector.match, detector.criterion
    return [loss.counted(match(detector.anchors, *part).labels) for part in parts]


@torch.no_grad()
def shares(loss: Loss, counts: Sequence[Tensor]) -> list[Tensor]:
    """The factor that makes the loss of each part its share of the batch's, given `counted` of each part.

    The loss of a part is divided by a count of that part. It should be divided by the count of the whole
    batch, over all ranks; the factor is the ratio of the two divisors.
    """
    whole = torch.stack(list(counts)).sum()
    distributed.all_reduce(whole)
    return [loss.divisor(count) / loss.divisor(whole) for count in counts]


class Stepper:
    """Trains a detector step by step, on the device that it is on.

    A rank's batch is computed in `parts`, one after the other: at first the recipe's `accumulate`, and
    twice as many whenever memory runs out on any rank. Loss and gradient are those of the whole batch.
    Only norms see one part at a time, with `sync_norms` that of all ranks, else their own; running
    statistics move by the mean over the ranks. `say` shows a message to the user.

    Raises `specc_runtime.freezing.FreezeError`.
    """

    def __init__(self, detector: Detector, recipe: Recipe, say: Callable[[str], None]) -> None:
        self.recipe, self.parts, self._say = recipe, recipe.accumulate, say
        self._layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.detector = detector.to(memory_format=self._layout)  # pyright: ignore[reportCallIssue]
        self.device = detector.anchors.device
        if recipe.sync_norms:
            norms.synchronise(detector.network)
        self._frozen = freeze(detector.network, recipe.freeze)
        self.optimizer = build_optimizer(detector.network, recipe)
        self.average = Average(detector, recipe.ema) if recipe.ema is not None else None
        self._statistics = RunningStatistics(detector.network)
        compiled, why_not = can_compile(recipe.compile, self.device)
        self._losses = self._compiled() if compiled else self._forward
        if why_not:
            say(why_not)
        self.train()

    @property
    def scored(self) -> Detector:
        """The detector whose weights are scored and saved: the averaged one, if there is one."""
        return self.average.module if self.average else self.detector

    def train(self) -> None:
        """Put everything but frozen modules in training mode."""
        self.detector.train()
        for module in self._frozen:
            module.eval()

    def __call__(self, batch: Batch, epoch: int, step: int, rate: float) -> StepResult:
        """Take step number `step`, counted from 0, at this learning rate. Raises `OutOfMemory`."""
        before = self._statistics.read()
        while (losses := self._gradients(batch, epoch, step, before)) is None:
            self._statistics.write(before)
            self._halve(distributed.all_max(len(batch.images)))
        finite = self._check_and_clip(losses)
        set_learning_rate(self.optimizer, rate)
        skipped = torch.where(finite, 0.0, 1.0)
        self.optimizer.found_inf = skipped  # pyright: ignore[reportAttributeAccessIssue]
        self.optimizer.step()
        self._statistics.write(torch.where(finite, self._statistics.read(), before))
        if self.average:
            self.average.update(self.detector, step + 1)
        return StepResult(losses, skipped)

    def _gradients(
        self, batch: Batch, epoch: int, step: int, before: Tensor
    ) -> dict[str, Tensor] | None:
        """Compute a batch's gradients and return its losses, or None if any rank ran out of memory.

        Gradients, losses and the change of the running statistics since `before` are reduced over all
        ranks. Ranks exchange tensors only once all have had the memory for theirs.
        """
        seed = (self.recipe.seed * 1_000_003 + step) ^ distributed.rank() << 48
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        self.optimizer.zero_grad(set_to_none=True)
        try:
            with self._memory():
                parts = self._parts(batch)
                alone = len(parts) == distributed.world_size() == 1
                counts = [] if alone else counted(self.detector, [part[1:3] for part in parts])
            factors = shares(self.detector.criterion, counts) if counts else [1.0]
            with self._memory():
                losses = self._backward(parts, factors, epoch)
                if distributed.world_size() == 1:
                    return losses
                moved = (self._statistics.read() - before) / distributed.world_size()
                gradients = [p.grad for p in self.detector.parameters() if p.grad is not None]
                bucket = distributed.Bucket([*gradients, *losses.values(), moved])
        except torch.OutOfMemoryError:
            return None  # which also frees what the frames held on the device
        bucket.all_reduce()
        self._statistics.write(before + moved)
        return losses

    @contextmanager
    def _memory(self) -> Generator[None]:
        """Raise a lack of memory within as `torch.OutOfMemoryError` on all ranks.

        With synchronised norms ranks wait for one another midway and cannot agree: `OutOfMemory` then.
        """
        if not self.recipe.sync_norms or distributed.world_size() == 1:
            with distributed.raised_on_all(torch.OutOfMemoryError), shortages():
                yield
            return
        try:
            with shortages():
                yield
        except torch.OutOfMemoryError:
            raise OutOfMemory(f"out of memory: begin with `accumulate={self.parts * 2}`") from None

    def _parts(self, batch: Batch) -> list[_Part]:
        """This rank's batch in parts, with all but the images on the device."""
        boxes, labels, indices = (
            value.to(self.device, non_blocking=True)
            for value in (batch.boxes, batch.labels, batch.indices)
        )
        count = min(self.parts, len(batch.images))
        split = [value.tensor_split(count) for value in (batch.images, boxes, labels, indices)]
        return [_Part(*part) for part in zip(*split, strict=True)]

    def _backward(
        self, parts: Sequence[_Part], factors: Sequence[Tensor | float], epoch: int
    ) -> dict[str, Tensor]:
        """Sum gradients and losses over the parts of this rank's batch."""
        total: dict[str, Tensor] = {}
        for part, factor in zip(parts, factors, strict=True):
            found = self._losses(self._seen(part, epoch), part.boxes, part.labels)
            losses = {name: value * factor for name, value in found.items()}
            torch.stack(list(losses.values())).sum().backward()  # pyright: ignore[reportUnknownMemberType]
            for name, value in losses.items():
                total[name] = total.get(name, 0.0) + value.detach()
        return total

    def _seen(self, part: _Part, epoch: int) -> Tensor:
        """The images of a part on the device, with distorted colours if the recipe says so."""
        images = part.images.to(self.device, non_blocking=True)
        if self.recipe.distort_colours:
            images = photometric(images, self.recipe.seed, epoch, part.indices)
        return images.contiguous(memory_format=self._layout)

    def _forward(self, images: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        bf16 = self.recipe.precision == "bf16"
        return self.detector.losses(images, boxes, labels, bf16=bf16)

    def _compiled(self) -> Callable[..., dict[str, Tensor]]:
        """`_forward`, compiled; on a GPU captured as CUDA graphs, where one call starts all kernels.

        A graph overwrites its outputs when it runs again. So losses are copied, and a batch in several
        parts, whose gradients must add up, runs without graphs. So do synchronised norms, and detectors
        with dynamic shapes, which would be captured again for every size.
        """
        compiled = partial(torch.compile, self._forward, fullgraph=True, dynamic=False)
        plain, captured = compiled(), compiled(mode="reduce-overhead")
        may_capture = self.device.type == "cuda" and not (
            self.recipe.sync_norms or self.detector.dynamic_shapes
        )

        def run(images: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
            if not may_capture or self.parts > 1:
                return plain(images, boxes, labels)
            torch.compiler.cudagraph_mark_step_begin()
            losses = captured(images, boxes, labels)
            return {name: value.clone() for name, value in losses.items()}

        return run

    def _check_and_clip(self, losses: dict[str, Tensor]) -> Tensor:
        """Clip the gradient; return whether loss and gradient are finite, on the device."""
        trained = [p for p in self.detector.parameters() if p.grad is not None]
        norm = get_total_norm([p.grad for p in trained if p.grad is not None])
        if self.recipe.clip_norm is not None:
            clip_grads_with_norm_(trained, self.recipe.clip_norm, norm)
        return torch.stack([norm, *losses.values()]).isfinite().all()

    def _halve(self, images: int) -> None:
        """From now on compute half as many images at a time. Raises `OutOfMemory`."""
        if self.parts >= images:
            raise OutOfMemory("out of memory with one image at a time: choose a smaller input")
        self.parts = min(self.parts * 2, images)
        if self.device.type == "cuda":
            torch.compiler.reset()  # captured graphs keep the memory that they write to
            torch.cuda.empty_cache()
        self._say(
            f"out of memory: from now on {images} images are computed in {self.parts} parts; "
            f"`accumulate={self.parts}` begins with that"
        )
