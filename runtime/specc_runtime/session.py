"""From what was asked for to a trainer at work: data, detector, folder and log put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from specc_runtime import inference, model, weights
from specc_runtime import recipe as recipes
from specc_runtime.data import AUGMENTATIONS, Batch, Dataset, Loader, open_dataset
from specc_runtime.device import choose
from specc_runtime.logs import Log
from specc_runtime.recipe import Recipe
from specc_runtime.run import Run
from specc_runtime.trainer import Trainer, Validate


@dataclass(frozen=True)
class Job:
    """A training run as asked for; with `resumed` it goes on from the run's last checkpoint."""

    run: Run
    model: Path
    recipe: Recipe
    data: Path
    split: str
    val_split: str | None
    weights: Path | None = None
    resumed: bool = False

    @classmethod
    def of_run(cls, folder: Path, options: Sequence[str]) -> "Job":
        """The job that a run's folder records, with recipe options changed."""
        run = Run(folder)
        data = run.read()["data"]
        return cls(
            run=run,
            model=run.model,
            recipe=recipes.read(run.recipe, options),
            data=Path(data["root"]),
            split=data["split"],
            val_split=data["val_split"],
            resumed=True,
        )


def start(job: Job) -> int:
    """Do the job; its exit code."""
    emitted = model.load(job.model)
    memory = job.recipe.cache * 2**20
    dataset = open_dataset(job.data, job.split, cache_bytes=memory)
    validation = open_dataset(job.data, job.val_split) if job.val_split else None
    run = Run(job.run.path, dataset.classes)
    with run.lock():
        log = Log(run.metrics)
        try:
            if job.resumed:
                run.check_data(dataset)
            else:
                root = str(job.data.resolve())
                data = {"root": root, "split": job.split, "val_split": job.val_split}
                run.write(job.model, job.recipe, dataset, data)
            log.say(dataset.report.table())
            trainer = _trainer(job, emitted, dataset, validation, run, log)
            if job.resumed:
                trainer.resume()
                run.recipe.write_text(job.recipe.as_yaml())
            return trainer.fit()
        finally:
            log.close()


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
    detector = emitted.build(len(dataset.classes) + 1)
    if job.weights:
        fresh = weights.load_fitting(detector.network, weights.read(job.weights))
        log.say(f"weights: {job.weights}; freshly initialised: {', '.join(fresh) or 'none'}")
    loader = Loader(
        dataset,
        size=detector.input.size,
        batch=recipe.batch,
        seed=recipe.seed,
        epoch=0,
        train=True,
        workers=recipe.workers,
        max_boxes=recipe.max_boxes or max(1, dataset.most_boxes),
        augmentation=AUGMENTATIONS[recipe.augmentation],
    )

    def batches(epoch: int, skip: int) -> Iterable[Batch]:
        loader.set_epoch(epoch, skip)
        return loader

    validate = _validation(recipe, validation) if validation else None
    return Trainer(detector.to(choose()), recipe, batches, len(loader), run, log, validate)


def _validation(recipe: Recipe, dataset: Dataset) -> Validate:
    return partial(
        inference.evaluate,
        dataset=dataset,
        metric=recipe.metric,
        batch=recipe.batch,
        workers=recipe.workers,
        bf16=recipe.precision == "bf16",
    )
