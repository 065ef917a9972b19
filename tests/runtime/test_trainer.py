"""The loop: a run that was interrupted is the run that was not, to the last bit."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from specc_runtime import tensorfile
from specc_runtime.checkpoint import CheckpointError
from specc_runtime.device import can_compile
from specc_runtime.reproduce import compare_metrics
from specc_runtime.step import read

from .training import RECIPE, STEPS_PER_EPOCH, batch, batches, forked, trainer


def weights(path: Path) -> dict[str, torch.Tensor]:
    return tensorfile.read(path)[0]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def interrupting(after: int, number: int = signal.SIGTERM):
    """Batches that send this process a signal once `after` of them were given out."""
    given = 0

    def interrupted(epoch: int, skip: int):
        nonlocal given
        for made in batches(epoch, skip):
            given += 1
            if given == after:
                os.kill(os.getpid(), number)
            yield made

    return interrupted


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run."""
    run = trainer(tmp_path_factory.mktemp("whole"))
    assert run.fit() == 0
    return run


def test_training_lowers_the_loss(tmp_path):
    run = trainer(tmp_path, replace(RECIPE, epochs=15, lr=0.05, distort_colours=False))
    assert run.fit() == 0
    losses = [sum(parts.values()) for _, parts in sorted(run.log.shown.losses.items())]
    assert sum(losses[-8:]) < 0.6 * sum(losses[:8])


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, optimizer="adamw", lr=1e-3, ema=None)])
@pytest.mark.parametrize("after", [2, STEPS_PER_EPOCH, 6])
def test_resumed_is_uninterrupted(tmp_path, recipe, after):
    reference = trainer(tmp_path / "whole", recipe)
    reference.fit()
    first = trainer(tmp_path / "cut", recipe, interrupting(after))
    assert first.fit() == 143
    assert first.step == after
    second = trainer(tmp_path / "cut", recipe)
    second.resume()
    assert second.step == after
    assert second.fit() == 0
    expected = reference.log.shown.losses
    assert first.log.shown.losses == {s: v for s, v in expected.items() if s <= after}
    assert second.log.shown.losses == {s: v for s, v in expected.items() if s > after}
    assert same(weights(reference.run.last), weights(second.run.last))
    assert same(reference.detector.state_dict(), second.detector.state_dict())


@pytest.mark.parametrize("after", [2, STEPS_PER_EPOCH, 5])
@pytest.mark.parametrize("schedule", ["step", "cosine"])
def test_the_log_of_a_resumed_run_is_that_of_an_uninterrupted_one(tmp_path, schedule, after):
    """Also where it stopped between two lines, each of which has the mean of some steps."""
    recipe = replace(RECIPE, log_every=3, schedule=schedule)
    reference = trainer(tmp_path / "whole", recipe)
    reference.fit()
    assert trainer(tmp_path / "cut", recipe, interrupting(after)).fit() == 143
    second = trainer(tmp_path / "cut", recipe)
    second.resume()
    assert second.fit() == 0
    assert compare_metrics(reference.run, second.run) == []


def test_a_signal_from_the_keyboard_has_its_own_code(tmp_path):
    assert trainer(tmp_path, batches=interrupting(1, signal.SIGINT)).fit() == 130


def test_a_killed_run_goes_on_from_its_last_checkpoint(tmp_path, whole):
    class Killed(Exception):
        pass

    def until_killed(epoch, skip):
        for number, made in enumerate(batches(epoch, skip), start=skip):
            if (epoch, number) == (1, 3):
                raise Killed
            yield made

    first = trainer(tmp_path, replace(RECIPE, checkpoint_every=2), until_killed)
    with pytest.raises(Killed):
        first.fit()
    second = trainer(tmp_path)
    second.resume()
    assert second.step == 6
    assert second.fit() == 0
    assert same(weights(second.run.last), weights(whole.run.last))
    steps = [json.loads(line)["step"] for line in second.run.metrics.read_text().splitlines()]
    assert steps == list(range(1, 13))


def test_the_average_is_what_is_kept(whole):
    kept = weights(whole.run.last)
    trained = whole.detector.network.state_dict()
    assert kept.keys() == trained.keys()
    assert not torch.equal(kept["loc.0.weight"], trained["loc.0.weight"])


def test_the_best_weights_are_those_with_the_best_score(tmp_path):
    scores, seen = iter([0.2, 0.7, 0.5]), []

    def validate(detector, between):
        seen.append({k: v.clone() for k, v in detector.network.state_dict().items()})
        return {"map50": next(scores), "per_class": {"disc": float("nan")}}

    run = trainer(tmp_path, validate=validate)
    run.fit()
    assert len(seen) == 3
    assert same(weights(run.run.best), seen[1])
    records = [json.loads(line) for line in run.run.metrics.read_text().splitlines()]
    scored = [r for r in records if r["kind"] == "validation"]
    assert [r["step"] for r in scored] == [4, 8, 12]
    assert scored[0]["per_class"] == {"disc": None}


def test_a_run_stopped_at_the_end_of_an_epoch_is_scored_when_it_resumes(tmp_path):
    steps = []

    def validate(detector, between):
        steps.append(True)
        return {"map50": 0.5}

    trainer(tmp_path, batches=interrupting(STEPS_PER_EPOCH), validate=validate).fit()
    assert steps == []
    second = trainer(tmp_path, validate=validate)
    second.resume()
    second.fit()
    assert len(steps) == 3


def test_a_run_that_is_behind_its_new_end_is_refused(tmp_path):
    trainer(tmp_path, replace(RECIPE, epochs=2)).fit()
    with pytest.raises(CheckpointError, match="has come to step 8, and would end at 4: give more"):
        trainer(tmp_path, replace(RECIPE, epochs=1)).resume()


def test_a_run_at_its_end_says_so(tmp_path):
    trainer(tmp_path, replace(RECIPE, epochs=1)).fit()
    again = trainer(tmp_path, replace(RECIPE, epochs=1))
    again.resume()
    assert again.fit() == 0
    assert again.log.shown.said == ["at its end, step 4: more `epochs` or `steps` make it longer"]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_momentum_may_change_but_not_begin_or_end(tmp_path, momentum):
    run = trainer(tmp_path, replace(RECIPE, epochs=1, momentum=momentum))
    run.fit()
    other = 0.9 if momentum == 0.0 else 0.0
    with pytest.raises(CheckpointError, match="`momentum` switched on or off"):
        trainer(tmp_path, replace(RECIPE, momentum=other)).resume()
    same_kind = trainer(tmp_path, replace(RECIPE, momentum=0.95 if momentum else 0.0))
    same_kind.resume()
    assert same_kind.step == run.step


def test_resuming_with_another_seed_batch_or_average_is_refused(tmp_path):
    trainer(tmp_path, replace(RECIPE, epochs=1)).fit()
    with pytest.raises(CheckpointError, match="seed 5: it was 0"):
        trainer(tmp_path, replace(RECIPE, seed=5)).resume()
    with pytest.raises(CheckpointError, match="batch 8: it was 4"):
        trainer(tmp_path, replace(RECIPE, batch=8)).resume()
    with pytest.raises(CheckpointError, match="optimizer adamw: it was sgd"):
        trainer(tmp_path, replace(RECIPE, optimizer="adamw")).resume()
    with pytest.raises(CheckpointError, match="`ema`"):
        trainer(tmp_path, replace(RECIPE, ema=None)).resume()


def test_training_ends_after_some_validations_without_a_better_score(tmp_path):
    scores = iter([0.2, 0.5, 0.4, 0.5, 0.6])
    run = trainer(
        tmp_path, replace(RECIPE, epochs=9, patience=2), validate=lambda *_: {"map50": next(scores)}
    )
    assert run.fit() == 0
    assert run.step == 4 * STEPS_PER_EPOCH
    assert "no better score in 2 validations: training ends" in run.log.shown.said
    assert weights(run.run.best).keys() == weights(run.run.last).keys()
    again = trainer(tmp_path, replace(RECIPE, epochs=9, patience=2))
    again.resume()
    assert again.fit() == 0 and again.step == run.step
    more = trainer(
        tmp_path, replace(RECIPE, epochs=9, patience=3), validate=lambda *_: {"map50": 0.1}
    )
    more.resume()
    assert more.fit() == 0 and more.step == 5 * STEPS_PER_EPOCH


def test_what_is_frozen_stays_also_its_statistics_and_after_a_validation(tmp_path):
    recipe = replace(RECIPE, freeze=("stem",), ema=None)
    run = trainer(tmp_path, recipe, validate=lambda *_: {"map50": 0.0})
    before = {name: v.clone() for name, v in run.detector.network.state_dict().items()}
    assert run.fit() == 0
    for name, value in run.detector.network.state_dict().items():
        assert torch.equal(value, before[name]) is name.startswith("stem."), name
    assert run.detector.network.deeper.training and not run.detector.network.stem[1].training
    with pytest.raises(CheckpointError, match=r"freeze \[\]: it was \['stem'\]"):
        trainer(tmp_path, replace(recipe, freeze=())).resume()


def test_bf16_and_channels_last_train_on_the_cpu_too(tmp_path):
    run = trainer(tmp_path, replace(RECIPE, precision="bf16", channels_last=True, clip_norm=5.0))
    losses = run.train_step(batch(0, 0)).losses
    assert all(value.dtype == torch.float32 and value > 0 for value in losses.values())
    convolution = run.detector.network.stem[0].weight
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    assert convolution.dtype == torch.float32


def test_a_compiled_step_is_the_same_step(tmp_path):
    recipe = replace(RECIPE, distort_colours=False)
    losses = trainer(tmp_path / "a", recipe).train_step(batch(0, 0)).losses
    compiled = trainer(tmp_path / "b", replace(recipe, compile="always"))
    compiled.detector.network.deeper[0].p = 0.0
    eager = trainer(tmp_path / "c", recipe)
    eager.detector.network.deeper[0].p = 0.0
    expected = eager.train_step(batch(0, 0)).losses
    for name, value in compiled.train_step(batch(0, 0)).losses.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-4)
        assert not torch.equal(losses[name], expected[name])  # dropout was at work there


def test_auto_compiles_on_a_gpu_with_a_c_compiler_and_says_so_where_there_is_none(monkeypatch):
    assert can_compile("auto", torch.device("cpu")) == (False, "")
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/gcc" if name == "gcc" else None)
    assert can_compile("auto", torch.device("cuda")) == (True, "")
    monkeypatch.setattr("shutil.which", lambda name: None)
    compiled, why_not = can_compile("auto", torch.device("cuda"))
    assert not compiled and "needs a C compiler" in why_not and "\n" not in why_not


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_device_is_never_waited_for_in_a_step(tmp_path, optimizer):
    recipe = replace(RECIPE, optimizer=optimizer, precision="bf16", clip_norm=5.0, compile="never")
    run = trainer(tmp_path, recipe, device="cuda")
    on_device = [
        made._replace(**{name: value.cuda() for name, value in made._asdict().items()})
        for made in (batch(0, number) for number in range(4))
    ]
    on_device[2] = on_device[2]._replace(boxes=on_device[2].boxes * float("nan"))
    run.train_step(on_device[0])
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        taken = [run.train_step(made) for made in on_device[1:]]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [losses is None for losses in read(taken)] == [False, True, False]


def test_clipping_bounds_the_step(tmp_path):
    recipe = replace(RECIPE, clip_norm=1e-3, momentum=0.0, weight_decay=0.0, ema=None)
    run = trainer(tmp_path, recipe)
    before = [p.detach().clone() for p in run.detector.parameters()]
    run.train_step(batch(0, 0))
    moved = [(p - q).square().sum() for p, q in zip(run.detector.parameters(), before, strict=True)]
    assert torch.stack(moved).sum().sqrt().item() == pytest.approx(1e-3 * recipe.lr, rel=1e-2)


def test_readers_that_die_of_the_same_signal_do_not_spoil_the_stop(tmp_path):
    def dying(epoch, skip):
        yield batch(epoch, skip)
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("DataLoader worker is killed by signal: Terminated.")

    assert trainer(tmp_path, batches=dying).fit() == 143
    again = trainer(tmp_path)
    again.resume()
    assert again.step == 1


def test_sigterm_stops_a_process_within_a_step_and_leaves_a_checkpoint(tmp_path):
    endless = replace(RECIPE, epochs=100000)
    process = forked(lambda: sys.exit(trainer(tmp_path, endless).fit()))
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("checkpoints/step-*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGTERM)
        process.join(timeout=60)
        assert process.exitcode == 143
    finally:
        process.kill()
    again = trainer(tmp_path, endless)
    again.resume()
    logged = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert again.step == json.loads(logged[-1])["step"]
