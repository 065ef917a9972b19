"""The runtime's own steps, with a stopwatch between their phases."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from specc_runtime.bench.stopwatch import Stopwatch
from specc_runtime.data import AUGMENTATIONS, Batch, Dataset, Loader
from specc_runtime.detector import Detector
from specc_runtime.device import can_compile
from specc_runtime.inference import detect
from specc_runtime.recipe import Recipe
from specc_runtime.step import Stepper

Step = Callable[[Batch], object]


def batches(
    dataset: Dataset, size: tuple[int, int], recipe: Recipe, *, train: bool
) -> Iterator[Batch]:
    """The loader's batches: endless in training, else of one epoch.

    Raises `specc_runtime.data.DataError`.
    """
    loader = Loader(
        dataset,
        size=size,
        batch=recipe.batch,
        seed=recipe.seed,
        epoch=0,
        train=train,
        workers=recipe.workers,
        max_boxes=recipe.max_boxes or max(1, dataset.most_boxes),
        augmentation=AUGMENTATIONS[recipe.augmentation],
    )
    for epoch in itertools.count() if train else [0]:
        loader.set_epoch(epoch)
        yield from loader


def training(detector: Detector, recipe: Recipe, watch: Stopwatch) -> Step:
    """A training step with the phases copy, forward, loss, backward, optimizer, average.

    A compiled step cannot be split before its loss: `backward` then covers all up to the optimizer. `copy`
    includes the distortion of colours, `average` all that follows the optimizer.
    """
    stepper = Stepper(detector, recipe, say=_nothing)
    compiled, _ = can_compile(recipe.compile, stepper.device)
    if not compiled:
        _watch(detector, watch, "loss")
    stepper.optimizer.register_step_pre_hook(_end(watch, "backward"))
    stepper.optimizer.register_step_post_hook(_end(watch, "optimizer"))
    steps = itertools.count()

    def take(batch: Batch) -> None:
        stepper(batch, 0, next(steps), recipe.lr)
        watch.lap("average")

    return take


def gradients(detector: Detector, images: Tensor, boxes: Tensor, labels: Tensor) -> None:
    """Compute the gradients of a detector's weights on images (B, 3, H, W) with objects."""
    losses = detector.losses(images, boxes, labels)
    torch.stack(list(losses.values())).sum().backward()  # pyright: ignore[reportUnknownMemberType]


def inference(detector: Detector, recipe: Recipe, watch: Stopwatch) -> Step:
    """A detection step, back to host memory, with the phases copy, forward, select, read."""
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    detector = detector.to(memory_format=layout).eval()  # pyright: ignore[reportCallIssue]
    _watch(detector, watch, "detect", "select")

    def find(batch: Batch) -> object:
        found = detect(detector, batch.images, batch.sizes, bf16=recipe.precision == "bf16")
        watch.lap("read")
        return found

    return find


def _watch(detector: Detector, watch: Stopwatch, method: str, phase: str | None = None) -> None:
    """End `copy` before and `forward` after the network runs, and a phase when a method returns."""
    original = getattr(detector, method)

    def watched(*arguments: Any) -> Any:
        result = original(*arguments)
        watch.lap(phase or method)
        return result

    setattr(detector, method, watched)
    detector.register_forward_pre_hook(_end(watch, "copy"))
    detector.register_forward_hook(_end(watch, "forward"))


def _end(watch: Stopwatch, phase: str) -> Callable[..., None]:
    """A hook that ends a phase."""

    def end(*_: object) -> None:
        watch.lap(phase)

    return end


def _nothing(_: str) -> None:
    pass
