"""Several processes train as one does: the same losses, the same weights, one set of scores."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from specc_runtime import distributed, inference, model, norms
from specc_runtime.data import open_dataset, photometric, synth
from specc_runtime.distributed import DistributedError
from specc_runtime.interrupt import Stopped
from specc_runtime.step import OutOfMemory, Stepper, read

from .ranks import PATIENCE, begun, together
from .test_step import (
    IN_PLACE,
    OLD,
    with_memory_for,
    without_memory_to_distort,
    without_memory_to_match,
)
from .training import RECIPE, STEPS_PER_EPOCH, TINY, batch, batches, trainer

torch.set_num_threads(1)

PLAIN = replace(RECIPE, momentum=0.9, weight_decay=1e-3, clip_norm=5.0)
NORM, DROPOUT = "nn.BatchNorm2d(8)", "nn.Dropout2d(0.2)"


def share(made):
    """What a rank gets of a batch."""
    return type(made)(*(value[distributed.rank() :: distributed.world_size()] for value in made))


def shared(epoch: int, skip: int):
    return map(share, batches(epoch, skip))


def variant(folder: Path, *changes: tuple[str, str]) -> Path:
    """The tiny network, changed, and without dropout, which a rank draws for itself."""
    text = TINY.read_text()
    for old, new in [(DROPOUT, "nn.Identity()"), *changes]:
        assert old in text
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "network.py"
    path.write_text(text)
    return path


def steps_of(path: Path, recipe=PLAIN, count: int = 3):
    """Losses of some steps and the tensors that come of them, of a rank's share of batches of 5."""
    torch.manual_seed(0)
    stepper = Stepper(model.load(path).build(), recipe, lambda _: None)
    taken = []
    for number in range(count):
        made = batch(0, number, 5)
        made.labels[1] = -1  # an image without objects, on the second rank
        taken.append(stepper(share(made), 0, number, 0.01))
    kept = {**stepper.detector.network.state_dict(), **average(stepper)}
    return read(taken), kept


def average(stepper: Stepper) -> dict[str, torch.Tensor]:
    return {f"average.{k}": v for k, v in stepper.scored.network.state_dict().items()}


def assert_near(found, expected) -> None:
    for losses, wanted in zip(found[0], expected[0], strict=True):
        assert losses == pytest.approx(wanted, rel=1e-5)
    assert found[1].keys() == expected[1].keys()
    for name, value in expected[1].items():
        torch.testing.assert_close(found[1][name], value, rtol=1e-5, atol=1e-6)


def assert_same(found, other) -> None:
    assert found[0] == other[0]
    assert all(torch.equal(found[1][name], value) for name, value in other[1].items())


# Steps


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("kind", IN_PLACE)
def test_ranks_take_the_step_of_one_process_with_their_batch(tmp_path, kind, world):
    path = variant(tmp_path, (NORM, "nn.Identity()"), (OLD, IN_PLACE[kind]))
    expected = steps_of(path)
    found = together(lambda: steps_of(path), tmp_path, world)
    assert_near(found[0], expected)
    for other in found[1:]:
        assert_same(found[0], other)


@pytest.mark.parametrize("accumulate", [2, 3])
def test_ranks_that_compute_in_parts_do_too(tmp_path, accumulate):
    path = variant(tmp_path, (NORM, "nn.Identity()"))
    found, _ = together(lambda: steps_of(path, replace(PLAIN, accumulate=accumulate)), tmp_path)
    assert_near(found, steps_of(path))


def test_norms_that_are_synchronised_see_the_whole_batch(tmp_path):
    path = variant(tmp_path)
    recipe = replace(PLAIN, sync_norms=True)
    found, other = together(lambda: steps_of(path, recipe), tmp_path)
    assert_near(found, steps_of(path))
    assert_same(found, other)


def test_norms_of_each_rank_keep_the_mean_of_what_they_saw(tmp_path):
    path = variant(tmp_path)
    found, other = together(lambda: steps_of(path, count=1), tmp_path)
    assert_same(found, other)
    torch.manual_seed(0)
    stem = model.load(path).build().network.stem
    normal = stepper_input(batch(0, 0, 5))
    halves = [stem[0](normal[rank::2]) for rank in range(2)]
    for name, of in (("running_mean", torch.mean), ("running_var", torch.var)):
        before = getattr(stem[1], name)
        seen = torch.stack([of(half.transpose(0, 1).flatten(1), dim=1) for half in halves])
        expected = before.lerp(seen.mean(dim=0), 0.1)
        torch.testing.assert_close(found[1][f"stem.1.{name}"], expected, rtol=1e-4, atol=1e-5)


def stepper_input(made) -> torch.Tensor:
    images = photometric(made.images, PLAIN.seed, 0, made.indices)
    return model.load(TINY).build().normalise(images)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.BatchNorm2d(3),
        lambda: nn.BatchNorm2d(3, eps=0.01, momentum=None),
        lambda: nn.BatchNorm2d(3, affine=False),
        lambda: nn.BatchNorm2d(3, track_running_stats=False),
        lambda: nn.BatchNorm1d(3),
    ],
    ids=["usual", "mean", "plain", "untracked", "flat"],
)
def test_a_synchronised_norm_is_the_norm_of_all_images(tmp_path, make):
    def run(x, weights):
        torch.manual_seed(1)
        network = nn.Sequential(make().double())
        for parameter in network.parameters():
            nn.init.normal_(parameter)
        norms.synchronise(network)
        x = x.requires_grad_()
        for _ in range(2):
            y = network(x)
            (y * weights).sum().backward()
        gradients = [p.grad for p in network.parameters()]
        if gradients:
            distributed.Bucket(gradients).all_reduce()
        network.eval()
        later = [network(x).detach()] if network[0].track_running_stats else []
        return [y.detach(), x.grad, *gradients, *network.buffers(), *later]

    torch.manual_seed(2)
    shape = (5, 3) if isinstance(make(), nn.BatchNorm1d) else (5, 3, 4, 6)
    x, weights = torch.randn(2, *shape, dtype=torch.float64).unbind()
    whole = run(x.clone(), weights)
    parts = together(
        lambda: run(*(value[distributed.rank() :: 2].clone() for value in (x, weights))), tmp_path
    )
    for rank, part in enumerate(parts):
        for found, expected in zip(part, whole, strict=True):
            own = expected[rank::2] if expected.shape[:1] == (5,) else expected
            torch.testing.assert_close(found, own, rtol=1e-12, atol=1e-12)


# Runs

LEAN = replace(PLAIN, checkpoint_every=3, log_every=1)


@pytest.fixture(scope="module")
def lean(tmp_path_factory):
    """The tiny network without norms: as ranks or parts compute it, so does one process."""
    return variant(tmp_path_factory.mktemp("lean"), (NORM, "nn.Identity()"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, lean):
    """An uninterrupted run of one process."""
    run = trainer(tmp_path_factory.mktemp("whole"), LEAN, network=lean)
    assert run.fit() == 0
    return run


def lines(folder: Path, kind: str = "train") -> list[dict]:
    found = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in found if line["kind"] == kind]


def assert_run_is(folder: Path, whole) -> None:
    """Whether the losses in a run's folder are those of a whole run."""
    found = {line["step"]: line["loss"] for line in lines(folder)}
    expected = {step: sum(v.values()) for step, v in whole.log.shown.losses.items()}
    assert found == pytest.approx(expected, rel=1e-5)


def signalled_at(rank: int, step: int):
    """Batches on the way of which one rank is told to stop."""

    def given(epoch, skip):
        for number, made in enumerate(shared(epoch, skip), start=skip + 1):
            if (distributed.rank(), epoch * STEPS_PER_EPOCH + number) == (rank, step):
                os.kill(os.getpid(), signal.SIGTERM)
            yield made

    return given


def test_a_signal_to_one_rank_stops_all_and_others_may_go_on(tmp_path, lean, whole):
    """Two ranks begin, three go on, one finishes."""
    folder = tmp_path / "run"

    def fit(given):
        run = trainer(folder, LEAN, given, network=lean)
        if run.run.checkpoints.exists():
            run.resume()
        return run.fit(), run.step

    assert together(lambda: fit(signalled_at(1, 5)), tmp_path / "a") == [(143, 5)] * 2
    assert together(lambda: fit(signalled_at(0, 7)), tmp_path / "b", 3) == [(143, 7)] * 3
    assert fit(shared) == (0, 12)
    assert_run_is(folder, whole)


def test_what_is_not_finite_on_one_rank_is_skipped_on_all(tmp_path, lean):
    def spoilt(epoch, skip):
        for number, made in enumerate(shared(epoch, skip), start=skip):
            bad = (distributed.rank(), epoch, number) == (1, 0, 2)
            yield made._replace(boxes=made.boxes * float("nan")) if bad else made

    def fit():
        run = trainer(tmp_path / "run", LEAN, spoilt, network=lean)
        assert run.fit() == 0
        return dict(run.detector.network.state_dict())

    one, other = together(fit, tmp_path)
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert all(value.isfinite().all() for value in one.values())
    (skipped,) = lines(tmp_path / "run", "skipped")
    assert skipped["step"] == 3 and sorted(skipped["images"], key=int) == ["8", "9", "10", "11"]


def test_a_rank_that_goes_back_goes_back_with_all(tmp_path, lean):
    recipe = replace(LEAN, max_skips=2, schedule="constant")

    def fit():
        def until_slower(epoch, skip):
            for number, made in enumerate(shared(epoch, skip), start=skip + 1):
                bad = run.rollbacks == distributed.rank() - 1 == 0
                bad &= epoch * STEPS_PER_EPOCH + number in (7, 8)
                yield made._replace(boxes=made.boxes * float("nan")) if bad else made

        run = trainer(tmp_path / "run", recipe, until_slower, network=lean)
        assert run.fit() == 0
        return run.rollbacks, dict(run.detector.network.state_dict())

    (rollbacks, one), (_, other) = together(fit, tmp_path)
    assert rollbacks == 1
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    "bound", [with_memory_for, without_memory_to_distort, without_memory_to_match]
)
def test_when_one_rank_lacks_memory_all_compute_half_at_a_time(tmp_path, lean, whole, bound):
    def fit():
        run = trainer(tmp_path / "run", LEAN, shared, network=lean)
        if distributed.rank() == 1:
            bound(run.take_step, 1)
        assert run.fit() == 0
        return run.take_step.parts, run.log.shown.said if distributed.is_main() else []

    (parts, said), (others, _) = together(fit, tmp_path)
    assert parts == others == 2
    assert sum("out of memory" in text for text in said) == 1
    assert_run_is(tmp_path / "run", whole)


def test_a_rank_with_less_to_do_halves_until_all_are_at_one_image(tmp_path, lean):
    """Of five images one rank has three, and lacks memory for two when the other is done halving."""

    def fit():
        uneven = (batch(0, number, size=5) for number in range(STEPS_PER_EPOCH))
        recipe = replace(LEAN, epochs=1, batch=5)
        run = trainer(tmp_path / "run", recipe, lambda *_: map(share, uneven), network=lean)
        with_memory_for(run.take_step, 1)
        return run.fit(), run.take_step.parts

    assert together(fit, tmp_path) == [(0, 3), (0, 3)]


def test_norms_that_wait_for_others_leave_a_lack_of_memory_to_the_user(tmp_path):
    recipe = replace(RECIPE, sync_norms=True)

    def fit():
        run = trainer(tmp_path / "run", recipe, shared)
        if distributed.rank() == 1:
            with_memory_for(run.take_step, 1)
        try:
            run.fit()
        except (OutOfMemory, DistributedError) as error:
            os._exit(0 if ("accumulate=2" in str(error)) == (distributed.rank() == 1) else 1)

    for process in begun(fit):
        process.join(PATIENCE)
        assert process.exitcode == 0


def test_when_a_rank_is_killed_the_others_leave(tmp_path, lean):
    endless = replace(LEAN, epochs=10**6)
    processes = begun(lambda: trainer(tmp_path, endless, shared, network=lean).fit())
    try:
        deadline = time.monotonic() + PATIENCE
        while not list(tmp_path.glob("checkpoints/step-*")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(processes[1].pid, signal.SIGKILL)
        processes[0].join(60)
        assert processes[0].exitcode == 9
    finally:
        for process in processes:
            process.kill()


# Scores


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small images of five classes: 9 to score on."""
    folder = tmp_path_factory.mktemp("data")
    synth.write(folder, images=60, size=(64, 64))
    return folder


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_score_each_image_once_and_agree(tmp_path, data, world):
    def score():
        torch.manual_seed(0)
        detector = model.load(TINY).build(5)
        return inference.evaluate(detector, open_dataset(data, "val"), "voc", batch=4)

    expected = score()
    assert expected["map50"] > 0
    found = together(score, tmp_path, world)
    assert all(scores == expected for scores in found)
    assert expected["images"] == len(open_dataset(data, "val"))


def test_a_signal_to_one_rank_ends_the_scoring_of_all(tmp_path, data):
    def score():
        seen = []

        def between():
            seen.append(1)
            if distributed.rank() == 1:
                raise Stopped

        try:
            dataset = open_dataset(data, "val")
            inference.evaluate(model.load(TINY).build(5), dataset, "voc", batch=4, between=between)
        except Stopped:
            return len(seen)

    assert together(score, tmp_path) == [len(open_dataset(data, "val")) // 4 + 1, 1]
