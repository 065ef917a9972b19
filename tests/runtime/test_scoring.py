"""Scores computed beside training are those computed at once, of the weights of their own step."""

import json
import os
import signal
import threading
from dataclasses import replace
from functools import partial

import pytest
import torch

from specc_runtime import tensorfile
from specc_runtime.data import synth
from specc_runtime.reproduce import compare_metrics, compare_weights
from specc_runtime.run import Run
from specc_runtime.session import Job, start

from .ranks import together
from .training import RECIPE, STEPS_PER_EPOCH, TINY, batches, forked, trainer

torch.set_num_threads(1)

INLINE = replace(RECIPE, epochs=5, score_beside="never")
BESIDE = replace(INLINE, score_beside="always")
SCORES = (0.1, 0.4, 0.2, 0.3, 0.3)


def of_epoch(network: dict[str, torch.Tensor]) -> float:
    """A score that only these very weights have."""
    return float(sum(value.double().abs().sum() for value in network.values())) % 1


def validate(detector, between):
    return {"map50": of_epoch(detector.network.state_dict())}


def recorded(run: Run) -> list[tuple[int, float]]:
    lines = map(json.loads, run.metrics.read_text().splitlines())
    return [(line["step"], line["map50"]) for line in lines if line["kind"] == "validation"]


def test_a_run_is_the_same_whenever_its_scores_are_computed(tmp_path):
    inline = trainer(tmp_path / "inline", INLINE, validate=validate)
    beside = trainer(tmp_path / "beside", BESIDE, validate=validate)
    assert inline.fit() == beside.fit() == 0
    assert recorded(inline.run) == recorded(beside.run) and len(recorded(beside.run)) == 5
    assert compare_metrics(inline.run, beside.run) == []
    assert compare_weights(inline.run, beside.run) == []
    assert inline.run.best.read_bytes() == beside.run.best.read_bytes()


def test_of_equal_scores_the_first_is_the_best(tmp_path):
    run = trainer(tmp_path, INLINE, validate=lambda detector, between: {"map50": 0.3})
    assert run.fit() == 0
    assert len(recorded(run.run)) == INLINE.epochs
    _, about = tensorfile.read(run.run.best)
    assert about["step"] == str(STEPS_PER_EPOCH)
    assert run.scoring.stale == INLINE.epochs - 1


def test_the_best_weights_are_those_of_the_step_that_was_scored(tmp_path):
    run = trainer(tmp_path, BESIDE, validate=validate)
    assert run.fit() == 0
    step, best = max(recorded(run.run), key=lambda line: line[1])
    kept, about = tensorfile.read(run.run.best)
    assert of_epoch(kept) == best and about["step"] == str(step)


def test_training_goes_on_while_scores_are_computed(tmp_path):
    computing, trained, threads = threading.Event(), threading.Event(), []

    def slow(detector, between):
        def compute():
            threads.append(threading.current_thread())
            computing.set()
            assert trained.wait(30)
            return {"map50": 0.5}

        return compute

    def watched(epoch, skip):
        for made in batches(epoch, skip):
            if epoch == 1 and skip == 0:
                assert computing.wait(30)  # not before the first step of the next epoch
                trained.set()
            yield made

    run = trainer(tmp_path, replace(BESIDE, epochs=2), batches=watched)
    run.validate = slow
    assert run.fit() == 0
    assert [step for step, _ in recorded(run.run)] == [STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH]
    assert threading.main_thread() not in threads


def test_scores_have_landed_before_a_checkpoint_within_an_epoch(tmp_path):
    run = trainer(tmp_path, replace(BESIDE, checkpoint_every=6), validate=validate)
    seen, save = [], run.save

    def saving():
        seen.append((run.step, run.scoring.state_dict()["validated"], len(recorded(run.run))))
        save()

    run.save = saving
    assert run.fit() == 0
    assert seen == [
        (4, 0, 0),
        (6, 4, 1),
        (8, 4, 1),
        (12, 8, 2),
        (16, 12, 3),
        (18, 16, 4),
        (20, 20, 5),
    ]


def test_patience_ends_a_run_at_the_same_step_however_long_scores_take(tmp_path):
    """One epoch after the last that counts, whose scores were known when it had been trained."""

    def ending(folder, recipe):
        scores = iter(SCORES)
        run = trainer(
            folder, replace(recipe, patience=2), validate=lambda *_: {"map50": next(scores)}
        )
        assert run.fit() == 0
        return run.step // STEPS_PER_EPOCH, len(recorded(run.run))

    assert ending(tmp_path / "inline", INLINE) == (4, 4)
    assert ending(tmp_path / "beside", BESIDE) == (5, 5)


@pytest.mark.parametrize("stop_at", [4, 5, 8, 20])
def test_stopped_with_scores_on_their_way_it_resumes_exactly(tmp_path, stop_at):
    whole = trainer(tmp_path / "whole", BESIDE, validate=validate)
    assert whole.fit() == 0

    def signalled(epoch, skip):
        for number, made in enumerate(batches(epoch, skip), start=skip):
            if epoch * STEPS_PER_EPOCH + number + 1 == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            yield made

    first = trainer(tmp_path / "cut", BESIDE, batches=signalled, validate=validate)
    assert first.fit() == 143
    second = trainer(tmp_path / "cut", BESIDE, validate=validate)
    second.resume()
    assert second.fit() == 0
    assert sorted(recorded(second.run)) == recorded(whole.run)
    assert compare_metrics(second.run, whole.run) == []
    assert compare_weights(second.run, whole.run) == []
    assert second.run.best.read_bytes() == whole.run.best.read_bytes()


def run_until_killed(folder):
    def dying(detector, between):
        scores = validate(detector, between)
        return lambda: os._exit(9) if scores["map50"] == third else scores

    run = trainer(folder, BESIDE)
    third = json.loads((folder.parent / "third.json").read_text())
    run.validate = dying
    run.fit()


def test_killed_with_scores_on_their_way_they_are_computed_again(tmp_path):
    whole = trainer(tmp_path / "whole", BESIDE, validate=validate)
    assert whole.fit() == 0
    (tmp_path / "third.json").write_text(json.dumps(recorded(whole.run)[2][1]))
    process = forked(partial(run_until_killed, tmp_path / "cut"))
    process.join()
    assert process.exitcode == 9
    second = trainer(tmp_path / "cut", BESIDE, validate=validate)
    second.resume()
    assert second.fit() == 0
    assert sorted(recorded(second.run)) == recorded(whole.run)
    assert compare_weights(second.run, whole.run) == []
    assert second.run.best.read_bytes() == whole.run.best.read_bytes()


def test_an_error_in_the_computation_is_an_error_of_the_run(tmp_path):
    run = trainer(tmp_path, BESIDE)
    run.validate = lambda *_: partial(int, "no score")
    with pytest.raises(ValueError, match="no score"):
        run.fit()


@pytest.mark.parametrize("metric", ["voc", "coco"])
def test_with_a_real_data_set_it_is_the_same_run(tmp_path, metric):
    synth.write(tmp_path / "data", images=40, size=(64, 64))
    runs = {}
    for beside in ("never", "always"):
        run = runs[beside] = Run(tmp_path / beside)
        recipe = replace(RECIPE, epochs=2, metric=metric, score_beside=beside)
        assert start(Job(run, TINY, recipe, tmp_path / "data", "train", "val")) == 0
    inline, beside = runs.values()
    assert compare_metrics(inline, beside) == compare_weights(inline, beside) == []
    assert inline.best.read_bytes() == beside.best.read_bytes()


def test_ranks_weigh_what_rank_0_computes(tmp_path):
    synth.write(tmp_path / "data", images=40, size=(64, 64))
    run = Run(tmp_path / "run")
    recipe = replace(RECIPE, epochs=3, score_beside="always")
    job = Job(run, TINY, recipe, tmp_path / "data", "train", "val")
    assert together(lambda: start(job), tmp_path / "ranks") == [0, 0]
    assert [step for step, _ in recorded(run)] == [7, 14, 21]
    step, _ = max(recorded(run), key=lambda line: line[1])
    assert tensorfile.read(run.best)[1]["step"] == str(step)
