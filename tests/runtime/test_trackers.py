"""The numbers of a run elsewhere: TensorBoard's own reader, MLflow's own store, a stand-in for W&B."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import mlflow
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c

from specc_runtime import events
from specc_runtime.data import synth
from specc_runtime.display import Lines
from specc_runtime.events import EventFile
from specc_runtime.logs import Log
from specc_runtime.run import Run
from specc_runtime.session import Job, start
from specc_runtime.trackers import TrackerError, trackers

from .training import RECIPE, TINY, trainer


def read(folder) -> dict[str, list[tuple[int, float]]]:
    found = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


@pytest.mark.parametrize("data", [b"", b"123456789", bytes(range(256)) * 3])
def test_checksums_are_tensorboards(data):
    assert events._crc32c(data) == crc32c(data)
    assert events._crc32c(b"123456789") == 0xE3069283  # RFC 3720's check value


def test_tensorboard_reads_what_is_written(tmp_path):
    file = EventFile(tmp_path)
    for step in (1, 127, 128, 300_000_000_000):
        file.scalars(step, {"train/loss": step / 4, "train/größe": -1e-30})
    found = read(tmp_path)
    steps = (1, 127, 128, 300_000_000_000)
    assert found["train/loss"] == [(step, pytest.approx(step / 4)) for step in steps]
    assert found["train/größe"] == [(step, pytest.approx(-1e-30)) for step in steps]


def test_going_on_hides_what_came_later(tmp_path):
    for session, (begin, steps) in enumerate([(1, (1, 2, 3)), (3, (3, 4))]):
        file = EventFile(tmp_path)
        file.start(begin)
        for step in steps:
            file.scalars(step, {"loss": float(session)})
    assert read(tmp_path) == {"loss": [(1, 0.0), (2, 0.0), (3, 1.0), (4, 1.0)]}


def test_a_full_disk_leaves_whole_records(tmp_path, monkeypatch):
    file = EventFile(tmp_path)
    file.scalars(1, {"a": 1.0})
    size = file.path.stat().st_size

    def full(path, data):
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(events, "append", full)
        with pytest.raises(OSError, match="no space"):
            file.scalars(2, {"a": 2.0})
    assert file.path.stat().st_size == size
    file.scalars(3, {"a": 3.0})
    assert read(tmp_path) == {"a": [(1, 1.0), (3, 3.0)]}


def test_a_run_has_its_losses_and_scores_in_an_event_file(tmp_path):
    made = trainer(tmp_path, replace(RECIPE, epochs=1), validate=lambda *_: {"map50": 0.25})
    made.log._trackers += trackers(made.run, RECIPE)
    assert made.fit() == 0
    found = read(tmp_path)
    assert [step for step, _ in found["train/loss"]] == [1, 2, 3, 4]
    assert found["validation/map50"] == [(4, 0.25)]
    assert {"train/lr", "train/images_per_second"} <= found.keys()


class Broken:
    name = "Broken"

    def __init__(self):
        self.calls = 0

    def start(self, step):
        pass

    def scalars(self, step, values):
        self.calls += 1
        raise RuntimeError("nobody there")

    def close(self):
        raise AssertionError("left alone")


def test_a_tracker_that_fails_is_told_of_once_and_left_alone(tmp_path, capsys):
    broken = Broken()
    log = Log(tmp_path / "metrics.jsonl", Lines(), [broken])
    for step in (1, 2):
        log.record("train", step, {"loss": 1.0})
    log.close()
    assert broken.calls == 1
    assert capsys.readouterr().err == "Broken lacks what comes from step 1 on: nobody there\n"


def test_what_is_no_finite_number_is_left_out(tmp_path):
    seen = {}

    class Seen(Broken):
        def scalars(self, step, values):
            seen[step] = dict(values)

        def close(self):
            pass

    log = Log(tmp_path / "metrics.jsonl", Lines(), [Seen()])
    log.record("validation", 1, {"map50": float("nan"), "per_class": {"a": 0.5}})
    log.record("skipped", 2, {"images": ["a.jpg"]})
    assert seen == {1: {"validation/per_class/a": 0.5}}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_named_with_the_way_to_get_it(run, name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TrackerError, match=f"`track={name}` needs a package: pip install {name}"):
        trackers(run, replace(RECIPE, track=name))


def test_a_service_that_does_not_begin_is_said_and_no_run_is_lost_by_it(
    run, tmp_path, monkeypatch, capsys
):
    def init(**_):
        raise ConnectionError("nobody is there")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    synth.write(tmp_path / "data", images=10, size=(64, 64))
    recipe = replace(RECIPE, track="wandb", epochs=1, evaluate_every=0)
    job = Job(Run(tmp_path / "new"), TINY, recipe, tmp_path / "data", "train", None)
    with pytest.raises(TrackerError, match="`track=wandb` does not begin: nobody is there"):
        start(job)
    assert start(replace(job, recipe=replace(recipe, track=None))) == 0
    assert start(Job.of_run(job.run.path, ["epochs=2", "track=wandb"])) == 0
    assert "not tracked from here on: `track=wandb` does not begin" in capsys.readouterr().err


def test_mlflow_keeps_numbers_and_a_resumed_run_goes_on_in_its_own(run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    recipe = replace(RECIPE, track="mlflow")
    for step in (1, 2):
        _, tracker = trackers(run, recipe)
        tracker.start(step)
        tracker.scalars(step, {"train/loss": step / 2})
        tracker.close()
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("specc")
    (kept,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(kept.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 1.0)]
    assert kept.data.params["batch"] == "4" and kept.info.run_name == "run"
    assert kept.info.status == "FINISHED"


def test_wandb_gets_numbers_and_a_resumed_run_goes_on_in_its_own(run, monkeypatch):
    calls = []

    def init(**given):
        calls.append(given)
        return SimpleNamespace(
            id=given["id"] or "abc",
            log=lambda values, step: calls.append((step, values)),
            finish=lambda: calls.append("finish"),
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    recipe = replace(RECIPE, track="wandb")
    for step in (1, 2):
        _, tracker = trackers(run, recipe)
        tracker.start(step)
        tracker.scalars(step, {"train/loss": 1.0})
        tracker.close()
    first, *logged, second = calls[0], *calls[1:3], calls[3]
    assert first["id"] is None and second["id"] == "abc" and second["resume"] == "allow"
    assert first["project"] == "specc" and first["config"]["batch"] == 4
    assert logged == [(1, {"train/loss": 1.0}), "finish"]
