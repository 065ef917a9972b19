"""The runtime from Python: train, score, predict, measure. The commands call these functions.

A model is named as on the command line: a generated file, or `SPEC.yaml` or `SPEC.yaml:variant`, which
is compiled first. Training options are a `specc_runtime.recipe.Recipe`. All functions
use the GPU if there is one, and print messages on standard error.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from specc_runtime import distributed, inference, lr_find, model
from specc_runtime import predict as prediction
from specc_runtime.batch_size import settled
from specc_runtime.bench import measure
from specc_runtime.bench.ours import batches
from specc_runtime.contract import ContractError
from specc_runtime.data import open_dataset
from specc_runtime.detector import Detector
from specc_runtime.device import choose
from specc_runtime.display import Lines
from specc_runtime.lr_find import RangeTest
from specc_runtime.model import Emitted
from specc_runtime.recipe import Recipe
from specc_runtime.run import Run
from specc_runtime.session import Job, start
from specc_runtime.weights import WeightsError
from specc_runtime.weights import read as read_weights

DEFAULT = Recipe()


def train(
    name: str | Path,
    data: str | Path,
    output: str | Path,
    recipe: Recipe = DEFAULT,
    *,
    split: str = "train",
    val_split: str | None = "val",
    weights: str | Path | None = None,
) -> Run:
    """Train a model on a split of a data set, scoring it on another; the run's folder is `output`.

    `weights` is a safetensors file to start from. Raises what `specc train` prints as errors; a signal
    that stopped the run is raised as `KeyboardInterrupt` or `SystemExit`.
    """
    spec = Path(str(name).partition(":")[0])
    is_spec = spec.suffix == ".yaml"
    run = Run(Path(output))
    run.require_new()
    with tempfile.TemporaryDirectory() as made:
        job = Job(
            run=run,
            model=generated(name, Path(made)),
            recipe=recipe,
            data=Path(data),
            split=split,
            val_split=val_split,
            spec=spec if is_spec else None,
            expanded=_expanded(name, Path(made)) if is_spec else None,
            weights=Path(weights) if weights else None,
        )
        return _finish(job)


def resume(run: str | Path, options: Sequence[str] = (), data: str | Path | None = None) -> Run:
    """Continue the run in a folder; options change its recipe, such as `epochs=200`.

    `data` is the new place of a data set that has moved.
    """
    return _finish(Job.of_run(Path(run), options, Path(data) if data else None))


def evaluate(
    name: str | Path,
    data: str | Path,
    weights: str | Path | None = None,
    *,
    split: str = "test",
    metric: str = "voc",
    batch: int = 32,
    workers: int = 4,
) -> dict[str, Any]:
    """Score a model on a split: `map50`, `per_class`, and with `metric="coco"` `map`.

    Without weights the untrained model is scored. Of several processes that `torchrun` started, each
    evaluates its share of the images, and all get the scores.
    """
    with distributed.joined():
        dataset = open_dataset(Path(data), split)
        dataset.require_objects()
        detector, _ = trained(emitted(name), Path(weights) if weights else None, dataset.classes)
        scores = inference.evaluate(detector, dataset, metric, batch=batch, workers=workers)
        if distributed.is_main() and dataset.report.bad:
            Lines().say(dataset.report.table())
        return scores


def predict(
    name: str | Path,
    sources: Sequence[str | Path],
    output: str | Path,
    weights: str | Path,
    *,
    score: float = 0.5,
    instances: str | Path | None = None,
) -> list[dict[str, Any]]:
    """Find objects on pictures, videos and folders of them: see `specc_runtime.predict.predict`."""
    detector, classes = trained(emitted(name), Path(weights), ())
    paths = [Path(source) for source in sources]
    coco = Path(instances) if instances else None
    return prediction.predict(detector, classes, paths, Path(output), score, coco)


def find_rate(
    name: str | Path,
    data: str | Path,
    recipe: Recipe = DEFAULT,
    *,
    split: str = "train",
    weights: str | Path | None = None,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
) -> RangeTest:
    """Run the learning rate range test of `specc_runtime.lr_find`; no run is left behind."""
    made = emitted(name)
    dataset = open_dataset(Path(data), split, cache_bytes=recipe.cache * 2**20)
    dataset.require_objects()
    recipe = settled(recipe, made, dataset)
    torch.manual_seed(recipe.seed)  # pyright: ignore[reportUnknownMemberType]
    detector = made.build(len(dataset.classes))
    if weights:
        detector.load_fitting(read_weights(Path(weights)))
    given = batches(dataset, detector.input.size, recipe, train=True)
    return lr_find.range_test(detector.to(choose()), given, recipe, low=low, high=high, steps=steps)


def bench(
    name: str | Path,
    mode: str = "train",
    recipe: Recipe = DEFAULT,
    *,
    data: str | Path | None = None,
    split: str = "train",
    steps: int = 10,
    against_torchvision: bool = False,
) -> dict[str, Any]:
    """Figures of training, `infer`, `loader` or `eval`: see `specc_runtime.bench.measure`."""
    job = measure.Job(
        emitted=emitted(name),
        mode=mode,
        recipe=recipe,
        data=Path(data) if data else None,
        split=split,
        steps=steps,
        against_torchvision=against_torchvision,
    )
    return measure.measure(job)


def generated(name: str | Path, folder: Path) -> Path:
    """The generated file that is named, or else the one compiled in `folder` from the spec named.

    Raises `ContractError`; the compiler prints what is wrong with the spec.
    """
    if not str(name).partition(":")[0].endswith(".yaml"):
        return Path(name)
    with tempfile.TemporaryDirectory() as made:
        build = [sys.executable, "-m", "specc", "build", str(name), "-o", made]
        if subprocess.run(build, check=False, stdout=subprocess.DEVNULL).returncode:  # noqa: S603
            raise ContractError(f"{name}: not compiled")
        [file] = Path(made).glob("*.py")
        return Path(shutil.copy(file, folder / "model.py"))


def emitted(name: str | Path) -> Emitted:
    """The detector of a generated file, or of a spec. Raises `ContractError`."""
    with tempfile.TemporaryDirectory() as folder:
        file = generated(name, Path(folder))
        return model.load(file, None if file == Path(name) else name)


def trained(
    made: Emitted, path: Path | None, classes: tuple[str, ...]
) -> tuple[Detector, tuple[str, ...]]:
    """A detector ready to run, untrained without weights, and the names of its classes.

    Raises `specc_runtime.weights.WeightsError`.
    """
    if path is None:
        torch.manual_seed(0)  # pyright: ignore[reportUnknownMemberType]
        return made.build(len(classes)).to(choose()).eval(), classes
    found = read_weights(path)
    if classes and found.classes and classes != found.classes:
        raise WeightsError(
            f"{path}: trained on {', '.join(found.classes)}; the data set has {', '.join(classes)}"
        )
    count = found.num_classes or made.num_classes
    numbered = tuple(f"class {i}" for i in range(count - made.background))
    names = found.classes or classes or numbered
    detector = made.build(len(names))
    detector.load(found)
    return detector.to(choose()).eval(), names


def _expanded(name: str | Path, folder: Path) -> Path:
    """The spec as `specc expand` prints it; its warnings have been printed by the build."""
    path = folder / "expanded.yaml"
    expand = [sys.executable, "-m", "specc", "expand", str(name)]
    with path.open("w", encoding="utf-8") as file:
        if subprocess.run(expand, check=False, stdout=file, stderr=subprocess.DEVNULL).returncode:  # noqa: S603
            raise ContractError(f"{name}: not expanded")
    return path


def _finish(job: Job) -> Run:
    """Do a job to its end; raise a signal that stopped it."""
    code = start(job)
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code:
        raise SystemExit(code)
    return job.run
