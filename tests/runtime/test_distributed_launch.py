"""Runs under `torchrun`: who writes, who speaks, and what comes of a process that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from specc_runtime import api, cli, distributed
from specc_runtime.data import synth
from specc_runtime.reproduce import compare_metrics, compare_weights, reproduce
from specc_runtime.run import Run, RunError
from specc_runtime.session import Job, start

from .ranks import PATIENCE, together
from .training import RECIPE, TINY

EPOCHS = 3
THREADS = os.environ | {"OMP_NUM_THREADS": "1"}
RECIPE = replace(RECIPE, epochs=EPOCHS, checkpoint_every=4, workers=1, evaluate_every=2, cache=1)


def launch(*options: str) -> list[str]:
    """The command that starts the runtime as two processes, to be followed by what they do."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*torchrun, "--nproc-per-node", "2", *options, "-m", "specc_runtime"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small images: 42 to train on, 10 batches."""
    folder = tmp_path_factory.mktemp("data")
    synth.write(folder, images=60, size=(64, 64))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """The run of two ranks that nothing befell."""
    folder = tmp_path_factory.mktemp("whole")
    run = Run(folder / "run")
    assert together(lambda: start(Job(run, TINY, RECIPE, data, "train", "val")), folder) == [0, 0]
    return run


@pytest.fixture
def torchrun():
    """Starts `torchrun` with two processes that train; what still runs afterwards is ended."""
    started: list[subprocess.Popen] = []

    def start(folder: Path, data: Path, *options: str) -> subprocess.Popen:
        recipe = folder.parent / "recipe.yaml"
        recipe.write_text(RECIPE.as_yaml())
        given = ["--data", str(data), "--recipe", str(recipe), "-o", str(folder)]
        command = [*launch(*options), "train", str(TINY), *given]
        started.append(subprocess.Popen(command, env=THREADS, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for launcher in started:
        if launcher.poll() is None:
            launcher.terminate()  # it ends the processes that it started
            launcher.communicate(timeout=PATIENCE)


def process_of(launcher: subprocess.Popen, rank: int) -> int:
    """The process that `torchrun` started as a rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    mine = f"\0RANK={rank}\0".encode()
    (found,) = [c for c in children if mine in Path(f"/proc/{c}/environ").read_bytes()]
    return int(found)


def wait_for_a_checkpoint(run: Run, launcher: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE
    while not any(run.checkpoints.glob("step-*")):
        assert launcher.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def test_only_the_same_command_under_the_same_name_goes_on(whole, monkeypatch):
    began = json.loads(whole.about.read_text())
    monkeypatch.setattr("sys.argv", began["command"])
    assert not whole.is_restarted()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "tests")
    assert began["launch"] == "tests" and whole.is_restarted()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "others")
    assert not whole.is_restarted()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "tests")
    monkeypatch.setattr("sys.argv", [*began["command"], "seed=1"])
    with pytest.raises(RunError, match="holds a run"):
        whole.require_new()


@pytest.mark.parametrize(("count", "goes_on"), [("0", False), ("1", True)])
def test_a_launch_without_a_name_goes_on_after_a_failure_alone(monkeypatch, count, goes_on):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", count)
    assert distributed.is_restart_of("none") is goes_on


def test_a_killed_process_costs_what_came_after_the_last_checkpoint(
    tmp_path, data, whole, torchrun
):
    run = Run(tmp_path / "run")
    launcher = torchrun(run.path, data, "--max-restarts", "1")
    wait_for_a_checkpoint(run, launcher)
    os.kill(process_of(launcher, 1), signal.SIGKILL)
    _, said = launcher.communicate(timeout=PATIENCE)
    assert launcher.returncode == 0, said
    assert compare_metrics(run, whole) == []
    assert compare_weights(run, whole) == []
    assert said.count("train: 42 images") == 2  # by rank 0 alone, once after each start
    about = json.loads(run.about.read_text())
    assert about["processes"] == 2
    assert about["launch"]
    assert (run.path / "report.html").exists()


def test_a_batch_system_that_ends_the_launcher_leaves_a_checkpoint(tmp_path, data, whole, torchrun):
    run = Run(tmp_path / "run")
    launcher = torchrun(run.path, data)
    wait_for_a_checkpoint(run, launcher)
    launcher.send_signal(signal.SIGTERM)
    _, said = launcher.communicate(timeout=PATIENCE)
    assert f"--resume {run.path}` goes on" in said, said
    last = max(run.checkpoints.glob("step-*")).name
    logged = json.loads(run.metrics.read_text().splitlines()[-1])
    assert int(last.removeprefix("step-")) == logged["step"] < 10 * EPOCHS
    resumed = together(lambda: start(Job.of_run(run.path, ())), tmp_path / "resumed")
    assert resumed == [0, 0]
    assert compare_weights(run, whole) == []


def test_two_processes_print_the_scores_of_one(data, whole):
    asked = ["--data", str(data), "--weights", str(whole.last), "--metric", "coco", "--json"]
    command = [*launch(), "eval", str(TINY), *asked, "--workers", "0"]
    said = subprocess.run(command, env=THREADS, capture_output=True, timeout=PATIENCE, check=True)
    assert json.loads(said.stdout) == api.evaluate(TINY, data, whole.last, metric="coco", workers=0)


def test_a_command_for_one_process_says_so(monkeypatch, capsys):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "tests")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(["predict", str(TINY)]) == 2
    assert "`predict` is for one process: leave torchrun out" in capsys.readouterr().err


def test_two_processes_do_a_run_again_and_one_of_them_says_so(tmp_path, whole, capfd):
    assert together(lambda: reproduce(whole.path, tmp_path / "again"), tmp_path) == [0, 0]
    assert capfd.readouterr().out.count("to the bit") == 1
