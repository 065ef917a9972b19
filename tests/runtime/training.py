"""A training run in miniature: a tiny network, batches made from (epoch, number), quiet logs."""

import multiprocessing
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from specc_runtime import distributed, model
from specc_runtime.data import Batch
from specc_runtime.display import Status
from specc_runtime.logs import Log, NullLog
from specc_runtime.recipe import Recipe
from specc_runtime.run import Run
from specc_runtime.trainer import Trainer

TINY = Path(__file__).parent / "fixtures" / "tiny_ssd.py"
CLASSES = ("disc", "ring", "star")
STEPS_PER_EPOCH = 4
RECIPE = Recipe(
    epochs=3, batch=4, lr=0.02, ema=0.9, precision="fp32", workers=0, log_every=1, warmup_steps=0
)


class Silence:
    """A display that remembers instead of printing."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.losses: dict[int, dict[str, float]] = {}

    def show(self, status: Status, left: float) -> None:
        self.losses[status.step] = dict(status.losses)

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        pass


def batch(epoch: int, number: int, size: int = 4) -> Batch:
    """Noise with a bright square for an object: a function of its place alone."""
    made = torch.Generator().manual_seed(epoch * 1000 + number)
    images = torch.randint(0, 90, (size, 3, 64, 64), generator=made, dtype=torch.uint8)
    corners = torch.randint(0, 40, (size, 2), generator=made)
    labels = torch.full((size, 2), -1)
    labels[:, 0] = torch.randint(0, 3, (size,), generator=made)
    boxes = torch.zeros(size, 2, 4)
    for i, (x, y) in enumerate(corners.tolist()):
        boxes[i, 0] = torch.tensor([x, y, x + 20, y + 20])
        images[i, labels[i, 0], y : y + 20, x : x + 20] = 250
    return Batch(
        images,
        boxes,
        labels,
        torch.zeros(size, 2, dtype=torch.bool),
        torch.full((size, 2), 64, dtype=torch.int32),
        torch.arange(size) + number * size,
    )


def batches(epoch: int, skip: int):
    return (batch(epoch, number) for number in range(skip, STEPS_PER_EPOCH))


def trainer(
    folder: Path,
    recipe: Recipe = RECIPE,
    batches=batches,
    validate=None,
    device="cpu",
    *,
    classes: int = len(CLASSES),
    steps_per_epoch: int = STEPS_PER_EPOCH,
    network: Path = TINY,
) -> Trainer:
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder, CLASSES)
    log = Log(run.metrics, Silence()) if distributed.is_main() else NullLog()
    detector = model.load(network).build(classes).to(device)
    return Trainer(
        detector, recipe, batches, steps_per_epoch, run, log, validate and scoring(validate)
    )


def scoring(validate):
    """What looks at a split, made of what scores a detector."""
    return lambda *given: partial(dict, validate(*given))


def forked(function: Callable[[], object]) -> BaseProcess:
    """A process that runs a function, begun at once as a copy of this one: it may be killed."""
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    return process
