"""How fast SSD300 trains on photographs, all that a training loop does counted, against torchvision's.

    python benchmarks/train_loop.py --data BCCD_Dataset/BCCD --out benchmarks/results/train_loop.json

Two processes, each as a user would start it, train from the same images with the same batch, precision,
layout, threads and optimizer. Theirs is torchvision's `ssd300_vgg16` with the loop, the loader and the
`ssd` preset (`transforms.v2`) of its reference training; ours is the runtime's loader and step, without
the average of weights, which the references do not keep for detectors. Both distort colours.

Each process is set as its own training sets it. Ours keeps the memory that it frees (`device.choose`), on
a GPU it lets cuDNN choose; so does theirs there, as who wants the best of it would.

They run in turns of as many images. Whoever is not measured is stopped, its readers too, so that nothing is
read ahead between turns.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from pairs import ROOT, alternate, report, summary
from torch.utils import data
from torchvision.models import detection

from specc_runtime import model
from specc_runtime.bench import ours as runtime
from specc_runtime.bench import peer, preset
from specc_runtime.bench.stopwatch import Stopwatch
from specc_runtime.data import Dataset, open_dataset
from specc_runtime.device import choose
from specc_runtime.recipe import Recipe

SIZE = (300, 300)
Step = Callable[[], None]
Maker = Callable[[Dataset, Recipe], tuple[Step, torch.device]]


def collate(samples: list[tuple[torch.Tensor, dict[str, torch.Tensor]]]) -> tuple[tuple, ...]:
    """Batch as the references do: images and objects in tuples; label 0 is the background."""
    counted = [(image, {**found, "labels": found["labels"] + 1}) for image, found in samples]
    return tuple(zip(*counted, strict=True))


def forever(loader: data.DataLoader) -> Iterator[object]:
    """Run through one epoch after the other."""
    while True:
        yield from loader


def theirs(dataset: Dataset, recipe: Recipe) -> tuple[Step, torch.device]:
    """Make torchvision's training: its model, loader, preset and step, and the device they run on."""
    device = choose() if torch.cuda.is_available() else torch.device("cpu")
    network = detection.ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=len(dataset.classes) + 1
    )
    batches = forever(
        data.DataLoader(
            preset.Samples(dataset, "pil"),
            batch_size=recipe.batch,
            shuffle=True,
            drop_last=True,
            num_workers=recipe.workers,
            collate_fn=collate,
            persistent_workers=True,
            multiprocessing_context="fork",
        )
    )
    take = peer.training(network, recipe, device)
    return lambda: take(*next(batches)), device


def ours(dataset: Dataset, recipe: Recipe) -> tuple[Step, torch.device]:
    """Make the runtime's training of the emitted module, and the device it runs on."""
    emitted = model.load(ROOT / "generated/ssd300_vgg.py")
    device = choose()
    batches = runtime.batches(dataset, SIZE, recipe, train=True)
    detector = emitted.build(len(dataset.classes)).to(device)
    take = runtime.training(detector, recipe, Stopwatch(device))
    return lambda: take(next(batches)), device


def work(make: Maker, options, batch: int, pipe: Connection) -> None:
    """Take as many steps as the pipe says each time, and answer with their images a second."""
    os.setpgid(0, 0)
    torch.manual_seed(0)
    recipe = Recipe(batch=batch, workers=options.workers, ema=None, lr=1e-4)
    step, device = make(open_dataset(options.data, options.split), recipe)
    watch = Stopwatch(device)
    while steps := pipe.recv():
        seconds = watch.time(lambda steps=steps: [step() for _ in range(steps)])
        pipe.send(batch * steps / seconds)


class Loop:
    """A training in a process group of its own, which stands still between its turns."""

    def __init__(self, make: Maker, options, batch: int) -> None:
        processes = multiprocessing.get_context("spawn")
        self.pipe, far = processes.Pipe()
        self.process = processes.Process(target=work, args=(make, options, batch, far))
        self.process.start()
        self.steps = max(options.images // batch, 1)

    def turn(self) -> float:
        """Return the images a second of a turn."""
        self.pipe.send(self.steps)
        speed = self.pipe.recv()
        os.killpg(self.process.pid, signal.SIGSTOP)
        return speed

    def __call__(self) -> float:
        """Wake it for a turn."""
        os.killpg(self.process.pid, signal.SIGCONT)
        return self.turn()

    def end(self) -> None:
        """End it and its readers."""
        os.killpg(self.process.pid, signal.SIGKILL)


def compare(options, batch: int) -> dict[str, object]:
    """Let both train in turns with batches of this size."""
    loops = []
    try:
        for make in (ours, theirs):
            loops.append(Loop(make, options, batch))
            loops[-1].turn()  # the first takes a process as long as it needs to start
        pairs = alternate(*loops, options.pairs)
    finally:
        for loop in loops:
            loop.end()
    return {
        "images_per_second": summary([mine for mine, _ in pairs]),
        "torchvision_images_per_second": summary([other for _, other in pairs]),
        "ratio": summary([mine / other for mine, other in pairs]),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a data set of photographs")
    parser.add_argument("--split", default="train")
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 32])
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--images", type=int, default=32, help="images of a turn")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    report(
        {
            "model": "ssd300_vgg",
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "precision": "bf16",
            "threads": torch.get_num_threads(),
            "workers": options.workers,
            "images_of_a_turn": options.images,
            **{f"batch_{batch}": compare(options, batch) for batch in options.batch},
        },
        options.out,
    )


if __name__ == "__main__":
    main()
