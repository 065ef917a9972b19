"""A disk that is full costs what cannot be written, is told of, and harms nothing that is there."""

import errno
import json
import resource
from dataclasses import replace

import pytest
import torch

from specc_runtime import checkpoint
from specc_runtime.data import synth
from specc_runtime.events import EventFile
from specc_runtime.logs import Log
from specc_runtime.reproduce import compare_weights
from specc_runtime.run import Run
from specc_runtime.session import Job, start

from .training import RECIPE, TINY, Silence, batches, trainer

torch.set_num_threads(1)


@pytest.fixture
def disk():
    """Sets how many bytes a file may have; the kernel refuses more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        soft = before[0] if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, before[1]))

    yield limit
    limit(None)


def test_a_full_disk_does_not_end_a_run_nor_harm_what_is_there(tmp_path, disk):
    reference = trainer(tmp_path / "whole")
    reference.fit()

    def filling(epoch, skip):
        kept.append(sorted(path.name for path in tmp_path.glob("run/checkpoints/*")))
        disk(600 if epoch == 1 else None)
        yield from batches(epoch, skip)

    kept = []
    run = trainer(tmp_path / "run", batches=filling, validate=lambda *_: {"map50": run.step / 100})
    assert run.fit() == 0
    said = "\n".join(run.log.shown.said)
    assert "checkpoint of step 8 not written, training goes on: [Errno 27]" in said
    assert "best weights of step 8 not written" in said
    assert said.count("lacks lines from step") == 1
    assert kept == [[], ["step-00000004"], ["step-00000004"]]
    steps = [json.loads(line)["step"] for line in run.run.metrics.read_text().splitlines()]
    assert steps[:4] == [1, 2, 3, 4] and 8 not in steps and steps[-2:] == [12, 12]
    assert compare_weights(run.run, reference.run) == []
    assert checkpoint.load_last(run.run.checkpoints).step == 12


def test_without_room_for_the_weights_at_the_end_the_run_fails(tmp_path, disk):
    def filling(epoch, skip):
        for made in batches(epoch, skip):
            disk(600 if epoch == 2 else None)
            yield made

    with pytest.raises(OSError, match=f"Errno {errno.EFBIG}"):
        trainer(tmp_path, batches=filling).fit()
    assert checkpoint.load_last(tmp_path / "checkpoints").step == 8
    assert not list(tmp_path.glob(".*partial"))


def test_a_line_of_the_log_is_whole_or_absent(tmp_path, disk):
    log = Log(tmp_path / "metrics.jsonl", Silence())
    disk(250)
    for step in range(10):
        log.record("train", step, {"loss": 1.5})
    disk(None)
    log.record("train", 10, {"loss": 1.5})
    steps = [json.loads(line)["step"] for line in log.path.read_text().splitlines()]
    assert steps == [*range(len(steps) - 1), 10]
    assert len(log.shown.said) == 1


def test_without_room_to_undo_lines_of_the_log_they_stay(tmp_path, disk):
    log = Log(tmp_path / "metrics.jsonl", Silence())
    for step in range(10):
        log.record("train", step, {"loss": 1.5})
    before = log.path.read_text()
    disk(100)
    log.start(5)
    assert log.path.read_text() == before
    assert log.shown.said[0].startswith(f"{log.path} keeps lines of steps after 5 that were undone")
    disk(None)
    log.start(5)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
    assert [json.loads(line)["step"] for line in log.path.read_text().splitlines()] == [*range(6)]


def test_a_tracker_that_cannot_write_is_told_of_once_and_its_file_stays_whole(tmp_path, disk):
    events = EventFile(tmp_path)
    log = Log(tmp_path / "metrics.jsonl", Silence(), [events])
    log.record("train", 1, {"loss": 1.5})
    whole = events.path.stat().st_size
    disk(whole + 10)
    for step in range(2, 5):
        log.record("train", step, {"loss": 1.5})
    assert events.path.stat().st_size == whole
    told = [said for said in log.shown.said if said.startswith("TensorBoard's file lacks")]
    assert len(told) == 1
    assert told[0].startswith("TensorBoard's file lacks what comes from step 2 on: [Errno")


def test_a_report_that_does_not_fit_costs_the_report_alone(tmp_path, disk, capfd):
    synth.write(tmp_path / "data", images=40, size=(64, 64))
    run = Run(tmp_path / "run")
    disk(100_000)  # room for weights and checkpoints of some 10 kB, not for the report's pictures
    recipe = replace(RECIPE, epochs=1)
    assert start(Job(run, TINY, recipe, tmp_path / "data", "train", "val")) == 0
    assert f"no report: [Errno {errno.EFBIG}]" in capfd.readouterr().err
    assert run.best.exists() and run.last.exists()
    assert not list(run.path.glob("*report.html*"))
