"""Sets up a training run as it was asked for: data, detector, folder, log and trainer."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from specc_runtime import distributed, inference, model, weights
from specc_runtime import recipe as recipes
from specc_runtime.batch_size import settled
from specc_runtime.data import AUGMENTATIONS, Batch, DataError, Dataset, Loader, open_dataset
from specc_runtime.detector import Detector
from specc_runtime.device import choose
from specc_runtime.evaluation import Evaluator
from specc_runtime.files import sha256
from specc_runtime.logs import Log, NullLog
from specc_runtime.recipe import Recipe
from specc_runtime.report import write_report
from specc_runtime.run import Run, RunError, git_state
from specc_runtime.scoring import Compute
from specc_runtime.trackers import TrackerError, trackers
from specc_runtime.trainer import Trainer, Validate


@dataclass(frozen=True)
class Job:
    """A training run as asked for; with `resumed` it continues from the run's last checkpoint.

    `spec` is the file that `model` was emitted from, if known, and `expanded` the same written out.
    `original` is a run that must have used the same data.
    """

    run: Run
    model: Path
    recipe: Recipe
    data: Path
    split: str
    val_split: str | None
    spec: Path | None = None
    expanded: Path | None = None
    weights: Path | None = None
    resumed: bool = False
    original: Run | None = None

    @classmethod
    def of_run(cls, folder: Path, options: Sequence[str], data: Path | None = None) -> "Job":
        """Resume the run recorded in a folder, with recipe options changed. Raises `RunError`.

        `data` is the new place of a data set that has moved.
        """
        return replace(cls._recorded(folder, options, data), resumed=True)

    @classmethod
    def again(
        cls, folder: Path, output: Path, data: Path | None = None, weights: Path | None = None
    ) -> "Job":
        """Repeat the run recorded in a folder from its start, in `output`. Raises `RunError`.

        `data` and `weights` are the new places of the data set and of the starting weights, if they
        have moved.
        """
        job = cls._recorded(folder, (), data)
        spec, expanded = (
            file if file.exists() else None for file in (job.run.spec, job.run.expanded)
        )
        return replace(
            job,
            run=Run(output),
            original=job.run,
            spec=spec,
            expanded=expanded,
            weights=job.run.start_weights(weights),
        )

    @classmethod
    def _recorded(cls, folder: Path, options: Sequence[str], data: Path | None) -> "Job":
        run = Run(folder)
        recorded = run.read()["data"]
        return cls(
            run=run,
            model=run.model,
            recipe=recipes.read(run.recipe, options),
            data=data or run.data(),
            split=recorded["split"],
            val_split=recorded["val_split"],
        )

    def sources(self) -> dict[Path, Path]:
        """The files to copy into the run's folder, by their places there."""
        pairs = (
            (self.run.model, self.model),
            (self.run.spec, self.spec),
            (self.run.expanded, self.expanded),
        )
        return {kept: source for kept, source in pairs if source}

    def record(self) -> dict[str, Any]:
        """What `Run.write` records besides model and recipe."""
        root = str(self.data.resolve())
        start_from = self.weights
        return {
            "data": {"root": root, "split": self.split, "val_split": self.val_split},
            "weights": start_from
            and {"path": str(start_from.resolve()), "sha256": sha256(start_from)},
            "git": git_state((self.spec or self.model).parent),
        }


def start(job: Job) -> int:
    """Do a job, together with all processes that `torchrun` started for it; return its exit code.

    If `torchrun` has started it again after a failure, it continues from its last checkpoint.
    """
    with distributed.joined():
        again = distributed.all_gather(job.run.is_restarted())[0]
        return _work(Job.of_run(job.run.path, ()) if again else job)


def _work(job: Job) -> int:
    """Do the job; return its exit code. Nothing is written before rank 0 has locked the run's folder."""
    emitted = model.load(job.model, job.spec)
    memory = job.recipe.cache * 2**20
    dataset = open_dataset(job.data, job.split, cache_bytes=memory)
    validation = open_dataset(job.data, job.val_split) if job.val_split else None
    if validation:
        Evaluator(
            validation, job.recipe.metric
        )  # a missing package is an error now, not after an epoch
    splits = [dataset, validation] if validation else [dataset]
    for split in splits:
        split.require_objects()
    job = replace(job, recipe=settled(job.recipe, emitted, dataset))
    run = Run(job.run.path, dataset.classes)
    for known in filter(None, (job.original, run if job.resumed else None)):
        known.check_data(splits)
    with run.lock() if distributed.is_main() else nullcontext():
        if distributed.is_main() and not job.resumed:
            run.require_new()
            run.write(job.sources(), job.recipe, splits, job.record())
        log = _log(job, run)
        try:
            scanned = _tables(splits)
            log.say(scanned)
            if distributed.world_size() > 1:
                log.say(
                    f"{distributed.world_size()} processes share each batch of {job.recipe.batch}"
                )
            trainer = _trainer(job, emitted, dataset, validation, run, log)
            if job.resumed:
                trainer.resume()
                if distributed.is_main():
                    run.keep_recipe(job.recipe)
                    run.keep_data(job.data)
            code = trainer.fit()
            for found in sorted(set(distributed.all_gather(_tables(splits))) - {scanned}):
                log.say(f"images were lost while training\n{found}")
            if code == 0 and distributed.is_main():
                _report(run, log)
            return code
        finally:
            log.close()


def _tables(splits: Sequence[Dataset]) -> str:
    return "\n".join(split.report.table() for split in splits)


def _log(job: Job, run: Run) -> Log:
    """The run's log, on which only rank 0 writes.

    If its tracker cannot start, a new run raises `TrackerError`, and a resumed one goes on without.
    """
    if not distributed.is_main():
        return NullLog()
    try:
        return Log(run.metrics, trackers=trackers(run, job.recipe))
    except TrackerError as error:
        if not job.resumed:
            raise
        log = Log(run.metrics, trackers=trackers(run, replace(job.recipe, track=None)))
        log.say(f"not tracked from here on: {error}")
        return log


class EpochReader:
    """Batches of any epoch, from one loader, which is replaced when one of its workers dies."""

    def __init__(self, make: Callable[[], Loader]) -> None:
        self._make = make
        self._loader = make()

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._loader)

    def __call__(self, epoch: int, skip: int) -> Iterator[Batch]:
        """The batches of an epoch after the first `skip`. Raises `RuntimeError` if a worker dies."""
        self._loader.set_epoch(epoch, skip)
        try:
            yield from self._loader
        except RuntimeError:
            self._loader = self._make()
            raise


def _report(run: Run, log: Log) -> None:
    """Write the run's report; if the disk is full or the data are gone, say so."""
    try:
        log.say(f"report: {write_report(run.path)}")
    except (OSError, DataError, RunError) as error:
        log.say(f"no report: {error}")


def _trainer(
    job: Job,
    emitted: model.Emitted,
    dataset: Dataset,
    validation: Dataset | None,
    run: Run,
    log: Log,
) -> Trainer:
    recipe = job.recipe
    torch.manual_seed(recipe.seed)  # pyright: ignore[reportUnknownMemberType]
    detector = emitted.build(len(dataset.classes))
    if job.weights:
        _start_from(job.weights, detector, log)
    make = partial(
        Loader,
        dataset,
        size=detector.input.size,
        batch=recipe.batch,
        seed=recipe.seed,
        epoch=0,
        train=True,
        workers=recipe.workers,
        max_boxes=recipe.max_boxes or max(1, dataset.most_boxes),
        augmentation=AUGMENTATIONS[recipe.augmentation],
        rank=distributed.rank(),
        world=distributed.world_size(),
    )
    batches = EpochReader(make)
    return Trainer(
        detector.to(choose()),
        recipe,
        batches,
        len(batches),
        run,
        log,
        _validation(recipe, validation) if validation else None,
        name=lambda index: dataset.annotations[index].path.name,
    )


def _start_from(path: Path, detector: Detector, log: Log) -> None:
    """Load the weights of a file that fit, and say which."""
    own_input = detector.input
    log.say(f"weights: {path}: {detector.load_fitting(weights.read(path))}")
    if detector.input != own_input:
        log.say(f"input, as these weights expect it: {detector.input.preprocess}")


def _validation(recipe: Recipe, dataset: Dataset) -> Validate:
    def validate(detector: Detector, between: Callable[[], None]) -> Compute:
        evaluator = inference.collect(
            detector,
            dataset,
            recipe.metric,
            batch=recipe.batch,
            workers=recipe.workers,
            bf16=recipe.precision == "bf16",
            between=between,
        )
        return evaluator.summary if distributed.is_main() else dict

    return validate
