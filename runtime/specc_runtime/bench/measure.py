"""Measure the speed of a detector in one of several modes."""

import statistics
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from specc_runtime.bench import ours, peer, preset
from specc_runtime.bench.capacity import flops, matmul_peak, memory
from specc_runtime.bench.pairs import alternate, summary
from specc_runtime.bench.stopwatch import Stopwatch
from specc_runtime.data import Batch, Dataset, open_dataset, synth
from specc_runtime.detector import Detector
from specc_runtime.device import can_compile, choose
from specc_runtime.evaluation import Evaluator
from specc_runtime.freezing import freeze
from specc_runtime.inference import detect
from specc_runtime.model import Emitted
from specc_runtime.recipe import AUTO, Recipe

MODES = {
    "train": "steps of training",
    "infer": "objects found on images",
    "loader": "images read and augmented",
    "eval": "a split read and scored",
}
WARM_UP = 2
RUNS = 5
"""Pairs of runs of two loaders; they read ahead, so the time of a single batch means little."""


class BenchError(Exception):
    """This cannot be measured; the message says why."""


@dataclass(frozen=True)
class Job:
    """What to measure: `steps` steps of a mode, after two to warm up.

    Without `data` a set of drawn shapes is made. The recipe is that of a training run.
    """

    emitted: Emitted
    mode: str
    recipe: Recipe
    data: Path | None = None
    split: str = "train"
    steps: int = 10
    against_torchvision: bool = False


def measure(job: Job) -> dict[str, Any]:
    """The figures, ready for JSON.

    Raises:
        BenchError: torchvision has no such detector or nothing to compare in this mode, or the batch
            size is `auto`.
        specc_runtime.data.DataError: the data cannot be read.
    """
    if job.against_torchvision and job.mode == "eval":
        raise BenchError(
            "torchvision has nothing that scores: compare --train, --infer or --loader"
        )
    if job.against_torchvision and job.mode == "loader":
        if job.recipe.augmentation != "ssd":
            raise BenchError("torchvision's preset is compared with the recipe's augmentation=ssd")
        job = replace(job, recipe=replace(job.recipe, cache=0))
    if job.recipe.batch == AUTO:
        raise BenchError("`batch=auto` is for training: give the number of images")
    device = choose()
    with _dataset(job) as dataset:
        torch.manual_seed(job.recipe.seed)  # pyright: ignore[reportUnknownMemberType]
        bench = _Bench(job, dataset, device)
        match job.mode:
            case "train":
                figures = bench.train()
            case "infer":
                figures = bench.infer()
            case "eval":
                figures = bench.evaluate()
            case _:
                figures = bench.load()
        if job.against_torchvision:
            compare = bench.compare_loaders if job.mode == "loader" else bench.compare
            figures["torchvision"] = compare()
    return {**bench.setting(), **figures, "memory": memory(device)}


class _Bench:
    """A job with its data and device."""

    def __init__(self, job: Job, dataset: Dataset, device: torch.device) -> None:
        self.job, self.recipe = job, job.recipe
        self.dataset, self.device = dataset, device
        self.watch = Stopwatch(device)
        self.size: tuple[int, int] = self.detector().input.size

    def setting(self) -> dict[str, Any]:
        """The settings that the figures depend on."""
        on_gpu = self.device.type == "cuda"
        return {
            "model": self.job.emitted.name,
            "mode": self.job.mode,
            "batch": self.recipe.batch,
            "size": list(self.size),
            "classes": self.classes,
            "data": str(self.job.data) if self.job.data else "drawn shapes",
            "precision": self.recipe.precision,
            "compiled": self.compiled and self.job.mode == "train",
            "workers": self.recipe.workers,
            "device": torch.cuda.get_device_name() if on_gpu else "cpu",
            "threads": torch.get_num_threads(),
            "versions": {name: version(name) for name in ("torch", "torchvision")},
        }

    @property
    def classes(self) -> int:
        """The number of classes of the data; for drawn shapes, at least the spec's, unless scored."""
        emitted, found = self.job.emitted, len(self.dataset.classes)
        if self.job.data or self.job.mode == "eval":
            return found
        return max(found, emitted.num_classes - emitted.background)

    @property
    def compiled(self) -> bool:
        return can_compile(self.recipe.compile, self.device)[0]

    def detector(self) -> Detector:
        """A new detector, untrained."""
        return self.job.emitted.build(self.classes).to(self.device)

    def train(self) -> dict[str, Any]:
        """Steps as in training; if those are compiled, the phases are of eager steps."""
        batches = partial(ours.batches, self.dataset, self.size, self.recipe, train=True)
        whole = self._steps(ours.training(self.detector(), self.recipe, self.watch), batches())
        parts = whole
        if self.compiled:
            eager = replace(self.recipe, compile="never")
            parts = self._steps(ours.training(self.detector(), eager, self.watch), batches())
        return {**self._speed(whole), **self._phases(parts), **self._use(whole, train=True)}

    def infer(self) -> dict[str, Any]:
        """Images read and processed, and their detections copied back."""
        batches = ours.batches(self.dataset, self.size, self.recipe, train=True)
        steps = self._steps(ours.inference(self.detector(), self.recipe, self.watch), batches)
        return {**self._speed(steps), **self._phases(steps), **self._use(steps, train=False)}

    def load(self) -> dict[str, Any]:
        """Images read and augmented."""
        batches = ours.batches(self.dataset, self.size, self.recipe, train=True)
        steps = self._steps(lambda _: None, batches)
        return {**self._speed(steps), **self._phases(steps)}

    def evaluate(self) -> dict[str, Any]:
        """A whole split read, processed and scored."""
        find: Any = ours.inference(self.detector(), self.recipe, self.watch)
        evaluator = Evaluator(self.dataset, self.recipe.metric)
        self.watch.begin()
        for batch in ours.batches(self.dataset, self.size, self.recipe, train=False):
            self.watch.lap("load")
            evaluator.add(batch.indices, find(batch))
            self.watch.lap("collect")
        evaluator.summary()
        self.watch.lap("score")
        [phases] = self.watch.read()
        return {
            "images": len(self.dataset),
            "images_per_second": summary([len(self.dataset) / sum(phases.values())]),
            **self._phases([phases]),
        }

    def compare(self) -> dict[str, Any]:
        """Steps alternating with torchvision's, on the same batch in host memory."""
        recipe = replace(self.recipe, ema=None, distort_colours=False)
        detector = self.detector()
        try:
            model = peer.build(self.job.emitted.name, detector)
        except peer.NoPeer as error:
            raise BenchError(str(error)) from error
        batch = next(ours.batches(self.dataset, self.size, recipe, train=True))
        images = peer.pictures(batch)
        if self.job.mode == "train":
            targets = peer.targets(batch, self.job.emitted.background)
            step = ours.training(detector, recipe, Stopwatch(self.device))
            other = partial(peer.training(model, recipe, self.device), images, targets)
        else:
            step = ours.inference(detector, recipe, Stopwatch(self.device))
            other = partial(peer.inference(model, recipe, self.device), images)
        return _compared(
            alternate(
                partial(self.watch.time, partial(step, batch)),
                partial(self.watch.time, other),
                self.job.steps,
            )
        )

    def compare_loaders(self) -> dict[str, Any]:
        """Runs of batches alternating with torchvision's preset for SSD, without a cache on either side."""
        recipe = self.recipe
        mine = partial(ours.batches, self.dataset, self.size, recipe, train=True)
        theirs = partial(
            preset.batches, self.dataset, self.size, recipe.batch, workers=recipe.workers
        )
        return _compared(alternate(partial(self._read, mine), partial(self._read, theirs), RUNS))

    def _read(self, batches: Callable[[], Iterator[object]]) -> float:
        """Seconds per batch, after the first."""
        endless = batches()
        next(endless)
        seconds = self.watch.time(lambda: deque(islice(endless, self.job.steps), maxlen=0))
        return seconds / self.job.steps

    def _steps(self, step: ours.Step, batches: Iterator[Batch]) -> list[dict[str, float]]:
        """Seconds of each phase of each step, after the warm-up."""
        for batch in islice(batches, WARM_UP):
            step(batch)
        self.watch.read()
        for _ in range(self.job.steps):
            self.watch.begin()
            batch = next(batches)
            self.watch.lap("load")
            step(batch)
        return self.watch.read()

    def _speed(self, steps: list[dict[str, float]]) -> dict[str, Any]:
        speeds = [self.recipe.batch / sum(step.values()) for step in steps]
        return {"images_per_second": summary(speeds)}

    def _phases(self, steps: list[dict[str, float]]) -> dict[str, Any]:
        medians = {p: statistics.median(step[p] for step in steps) for p in steps[0]}
        return {"phases_ms": {phase: round(1000 * s, 3) for phase, s in medians.items()}}

    def _use(self, steps: list[dict[str, float]], *, train: bool) -> dict[str, Any]:
        """The fraction of the device's arithmetic peak that is reached."""
        bf16 = self.recipe.precision == "bf16"
        done = self._operations(train=train)
        peak = matmul_peak(self.device, torch.bfloat16 if bf16 else torch.float32)
        speed = statistics.median(self.recipe.batch / sum(step.values()) for step in steps)
        return {
            "gflop_per_image": round(done / 1e9, 6),
            "matmul_peak_tflops": round(peak / 1e12, 3),
            "mfu": round(speed * done / peak, 4),
        }

    def _operations(self, *, train: bool) -> float:
        """Floating-point operations per image, counted on two images."""
        detector = self.detector()
        freeze(detector.network, self.recipe.freeze)
        batch = next(ours.batches(self.dataset, self.size, self.recipe, train=True))
        images, boxes, labels = (
            value[:2].to(self.device) for value in (batch.images, batch.boxes, batch.labels)
        )
        if train:
            done = flops(lambda: ours.gradients(detector, images, boxes, labels))
        else:
            done = flops(partial(detect, detector.eval(), images, batch.sizes[:2]))
        return done / len(images)


def _compared(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """Summaries of pairs of seconds, of a step of ours and one of torchvision's."""
    return {
        "milliseconds": summary([1000 * seconds for seconds, _ in pairs]),
        "torchvision_milliseconds": summary([1000 * seconds for _, seconds in pairs]),
        "ratio": summary([theirs / mine for mine, theirs in pairs]),
    }


@contextmanager
def _dataset(job: Job) -> Generator[Dataset]:
    """The data set asked for, or a temporary one of drawn shapes."""
    memory = job.recipe.cache * 2**20
    if job.data:
        yield open_dataset(job.data, job.split, cache_bytes=memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        synth.write(folder, images=40 + 2 * job.recipe.batch)
        yield open_dataset(Path(folder), "train", cache_bytes=memory)
