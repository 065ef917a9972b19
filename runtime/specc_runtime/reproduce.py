"""Repeat the training that a run's folder records, and say what differs."""

import sys
from pathlib import Path
from typing import Any

import torch

from specc_runtime import checkpoint, distributed, logs, tensorfile
from specc_runtime import recipe as recipes
from specc_runtime.checkpoint import CheckpointError
from specc_runtime.run import Run, RunError, machine
from specc_runtime.session import Job, start

TIMING = "images_per_second"


def reproduce(
    folder: Path, output: Path, data: Path | None = None, weights: Path | None = None
) -> int:
    """Repeat a run in `output`; return 0 if losses, scores and weights are the same to the bit, else 1.

    `data` and `weights` are the new places of the data set and of the starting weights, if they have
    moved. On the CPU the same number of threads is used. Raises what `specc_runtime.session.start`
    raises, and `RunError` if the first run has not ended.
    """
    first, second = Run(folder), Run(output)
    began = first.read()
    if not _has_ended(first):
        raise RunError(f"{folder}: has not come to its end: --resume it first")
    torch.set_num_threads(began["threads"])
    with distributed.joined():
        code = start(Job.again(folder, output, data, weights))
        if code:
            return code
        return (
            code
            or distributed.all_gather(_compare(first, second) if distributed.is_main() else 0)[0]
        )


def _has_ended(run: Run) -> bool:
    """Whether a run has come to its end. With `patience` that can be at any step."""
    recipe = recipes.read(run.recipe)
    if not run.last.exists() or recipe.patience is not None:
        return run.last.exists()
    try:
        an_epoch = checkpoint.load_last(run.checkpoints).state["steps_per_epoch"]
    except (CheckpointError, KeyError):
        return True  # checkpoints may have been removed since
    steps = recipe.steps or recipe.epochs * int(an_epoch)
    return max((step for step, _ in _metrics(run)), default=0) >= steps


def _compare(first: Run, second: Run) -> int:
    """Print what differs between two runs; return 0 if nothing does, else 1."""
    found = [*compare_metrics(first, second), *compare_weights(first, second)]
    for line in found:
        print(f"differs: {line}", file=sys.stderr)
    began, now = first.read(), machine()
    if found and any(now[name] != began.get(name) for name in now):
        print(f"the machine: {now}; at first { ({n: began.get(n) for n in now}) }", file=sys.stderr)
    if not found:
        print(f"{second.path}: losses, scores and weights are those of {first.path}, to the bit")
    return int(bool(found))


def compare_metrics(first: Run, second: Run) -> list[str]:
    """The first difference of each kind between the losses and scores of two runs."""
    one, other = _metrics(first), _metrics(second)
    found: dict[str, str] = {}
    for place in sorted(one.keys() | other.keys()):
        if one.get(place) != other.get(place):
            step, kind = place
            found.setdefault(kind, f"{kind}, from step {step:,} on")
    return list(found.values())


def compare_weights(first: Run, second: Run) -> list[str]:
    """How far apart the last weights of two runs are; empty if they are equal."""
    one, other = (tensorfile.read(run.last)[0] for run in (first, second))
    if one.keys() != other.keys():
        return ["weights, which have other names"]
    apart = [
        (one[name].double() - other[name].double()).abs().max().item()
        for name in one
        if not torch.equal(one[name], other[name])
    ]
    return [f"weights, {len(apart)} of {len(one)}, by up to {max(apart):.3g}"] if apart else []


def _metrics(run: Run) -> dict[tuple[int, str], dict[str, Any]]:
    """Losses and scores by step and kind, without the speed."""
    return {
        (line["step"], line["kind"]): {k: v for k, v in line.items() if k != TIMING}
        for line in logs.read(run.metrics)
    }
