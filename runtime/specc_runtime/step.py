"""One step of the optimizer, in which the host never waits for the device.

Shapes are static, and what must not count is undone on the device: a step whose loss or gradient is
not finite leaves weights, momentum and running statistics as they were. Where several processes train,
each takes the same step: they add up what they found, and end with the same numbers.
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
    """Some of a rank's images, where the loader left them, and the rest of their batch on the device."""

    images: Tensor
    boxes: Tensor
    labels: Tensor
    indices: Tensor


class Taken(NamedTuple):
    """What came of a step, still on the device."""

    losses: dict[str, Tensor]
    skipped: Tensor
    """1 if something was not finite, so that nothing was changed; else 0."""


def read(steps: Sequence[Taken]) -> list[dict[str, float] | None]:
    """The losses of steps, for which the host waits once; None for a step that was skipped."""
    names = list(steps[0].losses)
    rows = torch.stack([torch.stack([*s.losses.values(), s.skipped]) for s in steps])
    values = cast(list[list[float]], rows.tolist())  # pyright: ignore[reportUnknownMemberType]
    return [
        None if skipped else dict(zip(names, losses, strict=True)) for *losses, skipped in values
    ]


@torch.no_grad()
def counted(detector: Detector, parts: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """What the loss of each part of a batch counts, given the boxes (B, M, 4) and labels (B, M) of each."""
    match, loss = detector.match, detector.criterion
    return [loss.counted(match(detector.anchors, *part).labels) for part in parts]


@torch.no_grad()
def shares(loss: Loss, counts: Sequence[Tensor]) -> list[Tensor]:
    """By which factor the loss of each part of a batch counts, given what `counted` says of them.

    A loss is divided by a number that follows from the whole batch, all ranks' parts of it. So the loss
    of a part counts as much as what it was divided by is of what the whole is divided by.
    """
    whole = torch.stack(list(counts)).sum()
    distributed.add_up(whole)
    return [loss.divisor(count) / loss.divisor(whole) for count in counts]


class Stepper:
    """Takes steps with a detector, on the device that it lies on.

    A rank's batch is computed in `parts`, one after the other. They begin as the recipe's `accumulate`
    and double when memory runs out on any rank; loss and gradient are those of the whole batch, but for
    norms, whose statistics are those of a part: with `sync_norms`, of all ranks' parts, else of each
    rank's, and running ones move as they do on average. `say` gets what the user is to know.

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
        """The detector whose weights are scored and kept: the averaged one, if there is one."""
        return self.average.module if self.average else self.detector

    def train(self) -> None:
        """Put all that is trained in training mode."""
        self.detector.train()
        for module in self._frozen:
            module.eval()

    def __call__(self, batch: Batch, epoch: int, step: int, rate: float) -> Taken:
        """Step number `step`, counted from 0, at this learning rate. Raises `OutOfMemory`."""
        before = self._statistics.read()
        while (losses := self._gradients(batch, epoch, step, before)) is None:
            self._statistics.write(before)
            self._halve(distributed.most(len(batch.images)))
        finite = self._check_and_clip(losses)
        set_learning_rate(self.optimizer, rate)
        skipped = torch.where(finite, 0.0, 1.0)
        self.optimizer.found_inf = skipped  # pyright: ignore[reportAttributeAccessIssue]
        self.optimizer.step()
        self._statistics.write(torch.where(finite, self._statistics.read(), before))
        if self.average:
            self.average.update(self.detector, step + 1)
        return Taken(losses, skipped)

    def _gradients(
        self, batch: Batch, epoch: int, step: int, before: Tensor
    ) -> dict[str, Tensor] | None:
        """Leave a batch's gradients with the weights; its losses, or None if a rank lacks the memory.

        Both are those of all ranks, and so is how the running statistics moved from `before`. Ranks wait
        for one another's tensors only when all had the memory for theirs.
        """
        own_random = (self.recipe.seed * 1_000_003 + step) ^ distributed.rank() << 48
        torch.manual_seed(own_random)  # pyright: ignore[reportUnknownMemberType]
        self.optimizer.zero_grad(set_to_none=True)
        try:
            with self._memory():
                parts = self._parts(batch)
                alone = len(parts) == distributed.world() == 1
                counts = [] if alone else counted(self.detector, [part[1:3] for part in parts])
            factors = shares(self.detector.criterion, counts) if counts else [1.0]
            with self._memory():
                losses = self._backward(parts, factors, epoch)
                if distributed.world() == 1:
                    return losses
                moved = (self._statistics.read() - before) / distributed.world()
                gradients = [p.grad for p in self.detector.parameters() if p.grad is not None]
                found = distributed.Row([*gradients, *losses.values(), moved])
        except torch.OutOfMemoryError:
            return None  # and with the frames all that they held on the device
        found.add_up()
        self._statistics.write(before + moved)
        return losses

    @contextmanager
    def _memory(self) -> Generator[None]:
        """What lacks memory within raises `torch.OutOfMemoryError` on all ranks.

        Norms that wait for other ranks leave no place to agree: there, `OutOfMemory` on this one.
        """
        if not self.recipe.sync_norms or distributed.world() == 1:
            with distributed.alike(torch.OutOfMemoryError), shortages():
                yield
            return
        try:
            with shortages():
                yield
        except torch.OutOfMemoryError:
            raise OutOfMemory(f"out of memory: begin with `accumulate={self.parts * 2}`") from None

    def _parts(self, batch: Batch) -> list[_Part]:
        """This rank's batch in parts, with the objects on the device and the images where they were."""
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
        """Add up gradients and losses of the parts of this rank's batch."""
        total: dict[str, Tensor] = {}
        for part, factor in zip(parts, factors, strict=True):
            found = self._losses(self._seen(part, epoch), part.boxes, part.labels)
            losses = {name: value * factor for name, value in found.items()}
            torch.stack(list(losses.values())).sum().backward()  # pyright: ignore[reportUnknownMemberType]
            for name, value in losses.items():
                total[name] = total.get(name, 0.0) + value.detach()
        return total

    def _seen(self, part: _Part, epoch: int) -> Tensor:
        """The images of a part on the device, as the network gets to see them."""
        images = part.images.to(self.device, non_blocking=True)
        if self.recipe.distort_colours:
            images = photometric(images, self.recipe.seed, epoch, part.indices)
        return images.contiguous(memory_format=self._layout)

    def _forward(self, images: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        bf16 = self.recipe.precision == "bf16"
        return self.detector.losses(images, boxes, labels, bf16=bf16)

    def _compiled(self) -> Callable[..., dict[str, Tensor]]:
        """`_forward`, compiled; on a GPU captured as CUDA graphs, where one call starts all kernels.

        A graph writes where it wrote before. So losses are copied, and a batch in parts, whose
        gradients are to add up, is computed without graphs, as are norms that wait for other ranks, and
        what `varies` in size, which would be captured anew for each.
        """
        compiled = partial(torch.compile, self._forward, fullgraph=True, dynamic=False)
        plain, captured = compiled(), compiled(mode="reduce-overhead")
        may_capture = self.device.type == "cuda" and not (
            self.recipe.sync_norms or self.detector.varies
        )

        def run(images: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
            if not may_capture or self.parts > 1:
                return plain(images, boxes, labels)
            torch.compiler.cudagraph_mark_step_begin()
            losses = captured(images, boxes, labels)
            return {name: value.clone() for name, value in losses.items()}

        return run

    def _check_and_clip(self, losses: dict[str, Tensor]) -> Tensor:
        """Whether loss and gradient are finite, on the device; the gradient is clipped."""
        trained = [p for p in self.detector.parameters() if p.grad is not None]
        norm = get_total_norm([p.grad for p in trained if p.grad is not None])
        if self.recipe.clip_norm is not None:
            clip_grads_with_norm_(trained, self.recipe.clip_norm, norm)
        return torch.stack([norm, *losses.values()]).isfinite().all()

    def _halve(self, images: int) -> None:
        """Compute half as many images at a time from now on. Raises `OutOfMemory`."""
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
