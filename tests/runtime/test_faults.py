"""What befalls a run, provoked: afterwards it is the run that nothing befell, or it says why not."""

import itertools
import json
import os
import random
import signal
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from specc_runtime import checkpoint, inference
from specc_runtime.checkpoint import Checkpoint
from specc_runtime.data import Loader, open_dataset, synth
from specc_runtime.reproduce import compare_metrics, compare_weights
from specc_runtime.run import Run, RunError
from specc_runtime.session import EpochReader, Job, start
from specc_runtime.trainer import Trainer, TrainingError

from .training import RECIPE, STEPS_PER_EPOCH, TINY, batch, batches, forked, trainer

torch.set_num_threads(1)

REAL = replace(RECIPE, checkpoint_every=3, evaluate_every=1, cache=1)
PATIENCE = 60.0  # seconds until a test gives up waiting


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """40 small images, 28 of them to train on: 7 batches."""
    folder = tmp_path_factory.mktemp("data")
    synth.write(folder, images=40, size=(64, 64))
    return folder


def job(folder: Path, data: Path, recipe=REAL) -> Job:
    return Job(Run(folder), TINY, recipe, data, "train", "val")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """The run that nothing befell."""
    run = Run(tmp_path_factory.mktemp("whole") / "run")
    assert start(job(run.path, data)) == 0
    return run


def assert_same(run: Run, other: Run) -> None:
    assert compare_metrics(run, other) == []
    assert compare_weights(run, other) == []


def wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# Killed


def begin_or_go_on(folder: Path, data: Path, workers: int) -> None:
    torch.set_num_threads(1)
    if any(Run(folder).checkpoints.glob("step-*")):
        start(Job.of_run(folder, [f"workers={workers}"]))
    else:
        start(job(folder, data, replace(REAL, workers=workers)))


def test_killed_anywhere_and_gone_on_with_other_readers_it_is_the_whole_run(tmp_path, data, whole):
    chance, run, killed = random.Random(7), Run(tmp_path / "run"), 0
    for workers in itertools.chain([2, 0, 1, 2, 0], itertools.repeat(1)):
        lines = len(run.metrics.read_text().splitlines()) if run.metrics.exists() else 0
        goal = lines + chance.randint(2, 4) if killed < 5 else 10**9
        process = forked(partial(begin_or_go_on, run.path, data, workers))

        def reached(process=process, goal=goal):
            grown = run.metrics.exists() and len(run.metrics.read_text().splitlines()) >= goal
            return grown or process.exitcode is not None

        wait_until(reached)
        process.join(chance.uniform(0, 0.015))
        if process.exitcode is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed += 1
    assert killed >= 3
    assert process.exitcode == 0
    assert_same(run, whole)


def save_for_ever(folder: Path) -> None:
    weights = torch.randn(50_000)
    for number in itertools.count():
        step = 1 + number // 2  # each step twice: the second takes the place of the first
        checkpoint.save(folder, Checkpoint(step, {"model": {"w": weights + step}}, {"n": number}))


def test_killed_while_a_checkpoint_is_written_one_always_loads(tmp_path):
    chance = random.Random(3)
    for turn in range(12):
        folder, goal = tmp_path / str(turn), chance.randint(1, 4)
        process = forked(partial(save_for_ever, folder))
        wait_until(lambda folder=folder, goal=goal: list(folder.glob(f"step-{goal:08d}")))
        time.sleep(chance.uniform(0, 0.03))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = checkpoint.load_last(folder)
        assert found.tensors["model"]["w"].shape == (50_000,)
        assert found.step == 1 + found.state["n"] // 2 >= goal


def test_of_two_checkpoints_of_a_step_one_is_whole_whenever_it_stops(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    now = Checkpoint(5, {"model": {"w": torch.ones(3)}}, {"n": 1})
    renames = []

    def rename_and_die(path, target, rename=Path.rename):
        done = rename(path, target)
        renames.append(target.name)
        if len(renames) == at:
            raise Killed
        return done

    for at in (1, 2):
        folder = tmp_path / str(at)
        checkpoint.save(folder, replace(now, state={"n": 0}))
        renames.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename_and_die)
            with pytest.raises(Killed):
                checkpoint.save(folder, now)
        assert checkpoint.load_last(folder).step == 5
        checkpoint.save(folder, replace(now, state={"n": 2}))
        assert checkpoint.load_last(folder).state == {"n": 2}
        assert len(list(folder.iterdir())) == 1


def real_loader(data: Path, workers: int) -> Loader:
    dataset = open_dataset(data, "train")
    settings = {"batch": 4, "seed": 0, "epoch": 0, "train": True, "max_boxes": 20}
    return Loader(dataset, size=(64, 64), workers=workers, **settings)


def readers(reading: EpochReader) -> list[int]:
    return [process.pid for process in reading._loader._batches._iterator._workers]


def test_a_reader_that_is_killed_is_replaced_and_the_run_is_the_same(tmp_path, data, monkeypatch):
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)
    reading = EpochReader(partial(real_loader, data, 2))
    steps = []

    def losing_one(epoch, skip):
        for made in reading(epoch, skip):
            steps.append((epoch, made.indices.tolist()))
            if len(steps) in (3, 12):
                os.kill(readers(reading)[0], signal.SIGKILL)
            yield made

    of_data = {"classes": 5, "steps_per_epoch": len(reading)}
    run = trainer(tmp_path / "run", batches=losing_one, **of_data)
    assert run.fit() == 0
    alone = EpochReader(partial(real_loader, data, 0))
    reference = trainer(tmp_path / "alone", batches=alone, **of_data)
    assert reference.fit() == 0
    assert sum("has died, others read on" in said for said in run.log.shown.said) == 2
    assert len(steps) == 3 * 7
    assert_same(run.run, reference.run)


def test_readers_that_keep_dying_end_the_run(tmp_path):
    def dying(epoch, skip):
        if skip < 2:
            yield batch(epoch, skip)
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Segmentation fault.")

    run = trainer(tmp_path, batches=dying)
    with pytest.raises(TrainingError, match=r"keep dying .*Segmentation.*workers=0"):
        run.fit()
    assert run.step == 2


def test_another_error_of_a_reader_ends_the_run_at_once(tmp_path):
    def broken(epoch, skip):
        yield batch(epoch, skip)
        raise RuntimeError("stack expects each tensor to be equal size")

    with pytest.raises(RuntimeError, match="equal size"):
        trainer(tmp_path, batches=broken).fit()


def test_readers_that_die_in_a_validation_are_replaced(tmp_path):
    calls = []

    def validate(detector, between):
        calls.append(True)
        if len(calls) == 1:
            raise RuntimeError("DataLoader worker (pid 7) exited unexpectedly")
        return {"map50": 0.5}

    assert trainer(tmp_path, validate=validate).fit() == 0
    assert len(calls) == 4


def test_a_clock_that_goes_back_does_no_harm(tmp_path, data, whole, monkeypatch):
    hours = itertools.count(1_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: float(next(hours)))
    run = Run(tmp_path / "run")
    assert start(job(run.path, data)) == 0
    assert_same(run, whole)


# Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_a_validation_stops_it_between_two_batches(tmp_path, data, whole, number, code):
    """With a real data set; the validation that was cut short is done over when the run resumes."""
    run, validations = Run(tmp_path / "run"), []

    def signalling(detector, dataset, metric, *, between, collect=inference.collect, **options):
        validations.append(0)

        def count():
            validations[-1] += 1
            if validations == [1, 1]:
                pytest.fail("went on after the signal")
            if len(validations) == 1:
                os.kill(os.getpid(), number)
            between()

        return collect(detector, dataset, metric, between=count, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("specc_runtime.inference.collect", signalling)
        patch.setattr("sys.argv", ["specc"])
        assert start(job(run.path, data)) == code
    assert validations == [1]  # of two batches
    assert max(path.name for path in run.checkpoints.iterdir()) == "step-00000007"
    assert start(Job.of_run(run.path, [])) == 0
    assert_same(run, whole)


# Losses that are not finite


def spoilt_at(*steps: int):
    """Batches of which those of some steps, counted from 1, give a loss that is not finite."""

    def spoilt(epoch, skip):
        for number, made in enumerate(batches(epoch, skip), start=skip):
            bad = epoch * STEPS_PER_EPOCH + number + 1 in steps
            yield made._replace(boxes=made.boxes * float("nan")) if bad else made

    return spoilt


def records(run: Trainer, kind: str) -> list[dict]:
    lines = map(json.loads, run.run.metrics.read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


@pytest.mark.parametrize("log_every", [1, 3, 100])
def test_steps_that_are_not_finite_are_skipped_and_their_images_named(tmp_path, log_every):
    recipe = replace(RECIPE, log_every=log_every, max_skips=3)
    run = trainer(tmp_path, recipe, spoilt_at(2, 6, 7))
    assert run.fit() == 0
    assert [r["step"] for r in records(run, "skipped")] == [2, 6, 7]
    assert records(run, "skipped")[1]["images"] == ["4", "5", "6", "7"]
    assert "step 6 skipped, not finite: 4, 5, 6, 7" in run.log.shown.said
    assert all(v.isfinite().all() for v in run.detector.state_dict().values())
    reference = trainer(tmp_path / "other", replace(recipe, log_every=2), spoilt_at(2, 6, 7))
    reference.fit()
    assert compare_weights(run.run, reference.run) == []


@pytest.mark.parametrize("log_every", [1, 2, 100])
def test_after_some_skips_in_a_row_it_goes_back_and_on_at_half_the_rate(tmp_path, log_every):
    """A loss that is not finite for the weights that come of the whole rate, but not of half."""
    recipe = replace(
        RECIPE, log_every=log_every, max_skips=2, checkpoint_every=2, schedule="constant"
    )
    given = []

    def until_slower(epoch, skip):
        bad = spoilt_at(7, 8) if run.rollbacks == 0 else batches
        for made in bad(epoch, skip):
            given.append(run.step)
            yield made

    run = trainer(tmp_path, recipe, until_slower)
    assert run.fit() == 0
    assert given == [*range(8), *range(6, 12)]
    (said,) = [text for text in run.log.shown.said if "back to step" in text]
    assert said.endswith("back to step 6, at 1/2 of the rate")
    assert run.take_step.optimizer.param_groups[0]["lr"] == recipe.lr / 2
    assert [r["step"] for r in records(run, "train")][-1] == 12
    again = trainer(tmp_path, recipe)
    again.resume()
    assert again.rollbacks == 1


def test_a_run_that_does_not_recover_ends_with_advice(tmp_path):
    recipe = replace(RECIPE, max_skips=2)
    run = trainer(tmp_path, recipe, spoilt_at(6, 7, 8))
    with pytest.raises(TrainingError, match="after going back 3 times: lower `lr`"):
        run.fit()
    again = trainer(tmp_path, recipe)
    again.resume()
    assert again.step == STEPS_PER_EPOCH
    assert all(v.isfinite().all() for v in again.detector.state_dict().values())


def test_no_checkpoint_is_written_right_after_a_skipped_step(tmp_path):
    run = trainer(tmp_path, replace(RECIPE, epochs=1, checkpoint_every=1), spoilt_at(3))
    assert run.fit() == 0
    kept = sorted(path.name for path in run.run.checkpoints.iterdir())
    assert kept == ["step-00000002", "step-00000004"]


def test_before_the_first_checkpoint_it_ends_at_once(tmp_path):
    run = trainer(tmp_path, replace(RECIPE, max_skips=2), spoilt_at(1, 2))
    with pytest.raises(
        TrainingError, match=r"2 steps in a row up to 2 .* no checkpoint yet: lower"
    ):
        run.fit()


@pytest.mark.parametrize("stop_at", [6, 7, 8])
def test_stopped_between_skips_it_goes_back_where_the_whole_run_does(tmp_path, stop_at):
    recipe = replace(RECIPE, max_skips=3, log_every=4, schedule="constant")

    def made(run, stops):
        def of(epoch, skip):
            bad = spoilt_at(6, 7, 8) if run().rollbacks == 0 else batches
            for number, one in enumerate(bad(epoch, skip), start=skip):
                if stops and epoch * STEPS_PER_EPOCH + number + 1 == stop_at:
                    os.kill(os.getpid(), signal.SIGTERM)
                yield one

        return of

    reference = trainer(tmp_path / "whole", recipe, made(lambda: reference, False))
    assert reference.fit() == 0
    assert reference.rollbacks == 1
    first = trainer(tmp_path / "cut", recipe, made(lambda: first, True))
    assert first.fit() == 143
    second = trainer(tmp_path / "cut", recipe, made(lambda: second, False))
    second.resume()
    assert second.fit() == 0
    assert compare_weights(reference.run, second.run) == []


# The folder


def test_a_run_killed_in_its_first_checkpoint_begins_anew(tmp_path, data, whole):
    run = Run(tmp_path / "run")
    (run.checkpoints / ".step-00000003.partial").mkdir(parents=True)
    run.metrics.write_text('{"kind": "train", "step": 1}\n{"kind": "tr')
    assert start(job(run.path, data)) == 0
    assert_same(run, whole)


@pytest.mark.parametrize("file", ["model.safetensors", "manifest.json"])
def test_a_damaged_checkpoint_costs_one_interval_and_nothing_else(tmp_path, data, file):
    run = Run(tmp_path / "run")
    start(job(run.path, data, replace(REAL, epochs=1)))
    last = max(run.checkpoints.iterdir())
    assert last.name == "step-00000007"
    (last / file).write_bytes((last / file).read_bytes()[:-20])
    with pytest.warns(UserWarning, match="checkpoint passed over"):
        assert start(Job.of_run(run.path, ["epochs=3"])) == 0
    assert [path.name for path in run.checkpoints.iterdir() if "07" in path.name] == []
    assert json.loads(run.metrics.read_text().splitlines()[-1])["step"] == 21


def test_a_folder_that_is_in_use_is_left_as_it_is(tmp_path, data):
    run = Run(tmp_path / "run")

    def hold():
        with run.lock():
            run.model.write_text("theirs")
            time.sleep(PATIENCE)

    process = forked(hold)
    try:
        wait_until(run.model.exists)
        with pytest.raises(RunError, match="another process is training in this folder"):
            start(job(run.path, data))
        assert sorted(path.name for path in run.path.iterdir()) == [".lock", "model.py"]
        assert run.model.read_text() == "theirs"
    finally:
        process.kill()
        process.join()
    assert start(job(run.path, data, replace(REAL, epochs=1, evaluate_every=0))) == 0
