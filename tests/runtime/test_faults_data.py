"""The data set changes while a run goes on, or before it goes on."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from specc_runtime import cli, distributed
from specc_runtime.data import DataError, open_dataset, synth
from specc_runtime.run import Run, RunError
from specc_runtime.session import Job, start
from specc_runtime.trainer import Trainer

from .ranks import together
from .training import RECIPE, TINY

torch.set_num_threads(1)

UNCACHED = replace(RECIPE, checkpoint_every=3, evaluate_every=0, cache=0)


@pytest.fixture
def data(tmp_path):
    """40 small images, 28 of them to train on: 7 batches."""
    synth.write(tmp_path / "data", images=40, size=(64, 64))
    return tmp_path / "data"


def job(folder: Path, data: Path, recipe=UNCACHED) -> Job:
    return Job(Run(folder), TINY, recipe, data, "train", "val")


def before_step(monkeypatch, at: int, change) -> None:
    """Have something happen right before step `at`."""

    def step(self, made, train_step=Trainer.train_step):
        if self.step == at:
            change()
        return train_step(self, made)

    monkeypatch.setattr(Trainer, "train_step", step)


def losing(monkeypatch, files: list[Path], at: int) -> None:
    """Have files vanish right before step `at`."""
    before_step(monkeypatch, at, lambda: [file.unlink() for file in files])


def test_an_image_lost_while_training_is_replaced_and_counted(tmp_path, data, monkeypatch, capfd):
    losing(monkeypatch, [data / "JPEGImages/train_00003.jpg"], at=2)
    assert start(job(tmp_path / "run", data)) == 0
    said = capfd.readouterr().err
    assert "images were lost while training" in said
    assert "train_00003.jpg" in said


@pytest.mark.parametrize("damage", ["cut", "emptied", "a folder", "another image"])
def test_an_image_damaged_while_training_is_replaced_and_counted(
    tmp_path, data, monkeypatch, capfd, damage
):
    victim, other = (data / f"JPEGImages/train_0000{n}.jpg" for n in (3, 4))

    def spoil():
        content = victim.read_bytes()
        victim.unlink()
        if damage == "a folder":
            victim.mkdir()
        elif damage == "another image":
            from PIL import Image

            Image.open(other).resize((50, 60)).save(victim)
        else:
            victim.write_bytes(content[: len(content) // 2 if damage == "cut" else 0])

    before_step(monkeypatch, 2, spoil)
    assert start(job(tmp_path / "run", data)) == 0
    said = capfd.readouterr().err
    assert "      1  image unreadable: sample left out" in said
    assert "train_00003.jpg" in said


@pytest.mark.parametrize("world", [1, 2])
def test_an_image_lost_that_is_scored_on_is_told_of(tmp_path, monkeypatch, capfd, world):
    data = tmp_path / "data"
    synth.write(data, images=140, size=(64, 64))
    victim = data / "JPEGImages/val_00001.jpg"  # of two ranks, the second looks at it

    def spoil():
        if distributed.is_main():
            os.truncate(victim, victim.stat().st_size // 2)

    before_step(monkeypatch, 2, spoil)
    asked = job(tmp_path / "run", data, replace(UNCACHED, epochs=1, evaluate_every=1))
    assert together(lambda: start(asked), tmp_path / "ranks", world) == [0] * world
    said = capfd.readouterr().err
    assert "val: 21 images, " in said.partition("epoch")[0]
    told = said.partition("images were lost while training")[2]
    assert "      1  image unreadable: sample left out\n         val_00001.jpg" in told


def test_too_many_lost_images_end_the_run_with_their_names(tmp_path, data, monkeypatch):
    losing(monkeypatch, sorted((data / "JPEGImages").glob("train_*"))[:6], at=2)
    with pytest.raises(
        DataError, match=r"of the \d+ samples cannot be used(.|\n)*train_0000\d\.jpg"
    ):
        start(job(tmp_path / "run", data))


def test_a_disk_with_the_data_that_goes_away_ends_the_run_which_can_go_on(
    tmp_path, data, monkeypatch
):
    before_step(monkeypatch, 5, lambda: data.rename(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match=r"a whole batch of images is unreadable: train_\d+\.jpg"):
        start(job(tmp_path / "run", data))
    monkeypatch.undo()
    (tmp_path / "elsewhere").rename(data)
    assert start(Job.of_run(tmp_path / "run", [])) == 0
    whole = Run(tmp_path / "whole")
    assert start(job(whole.path, data)) == 0
    first, second = (run.last.read_bytes() for run in (whole, Run(tmp_path / "run")))
    assert first == second


def test_data_gone_at_the_end_costs_the_report_alone(tmp_path, data, monkeypatch, capfd):
    last = 3 * 7 - 1  # all its batch has been read by then
    before_step(monkeypatch, last, lambda: shutil.rmtree(data))
    run = Run(tmp_path / "run")
    assert start(job(run.path, data)) == 0
    assert run.last.exists() and not (run.path / "report.html").exists()
    assert "no report: " in capfd.readouterr().err


def test_a_run_only_reads_its_data(tmp_path, data):
    """So that a data set may be, or turn, read-only."""

    def state():
        return {path: path.stat().st_mtime_ns for path in [data, *data.rglob("*")]}

    before = state()
    run = tmp_path / "run"
    assert start(job(run, data, replace(UNCACHED, epochs=1, evaluate_every=1, cache=1))) == 0
    assert start(Job.of_run(run, ["epochs=2", "workers=1"])) == 0
    assert state() == before


def test_other_classes_at_resume_are_named(tmp_path, data):
    run = tmp_path / "run"
    assert start(job(run, data, replace(UNCACHED, epochs=1))) == 0
    before = open_dataset(data, "train").classes
    for document in (data / "Annotations").iterdir():
        text = document.read_text().replace(f"<name>{before[0]}<", "<name>zebra<")
        document.write_text(text)
    with pytest.raises(RunError) as caught:
        start(Job.of_run(run, ["epochs=2"]))
    assert f"began with the classes {', '.join(before)}; the data set now has " in str(caught.value)
    assert "zebra" in str(caught.value)


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_boxes_at_resume_are_refused(tmp_path, data, split):
    run = tmp_path / "run"
    assert start(job(run, data, replace(UNCACHED, epochs=1))) == 0
    document = data / f"Annotations/{split}_00000.xml"
    text = document.read_text()
    document.write_text(text.replace("<xmax>", "<xmax>1", 1))
    with pytest.raises(RunError, match="the data set has changed since this run began"):
        start(Job.of_run(run, ["epochs=2"]))


def test_an_image_that_is_gone_at_resume_is_named(tmp_path, data):
    run = tmp_path / "run"
    assert start(job(run, data, replace(UNCACHED, epochs=1))) == 0
    (data / "JPEGImages/train_00003.jpg").unlink()
    with pytest.raises(RunError, match=r"has changed(.|\n)*file missing(.|\n)*train_00003\.jpg"):
        start(Job.of_run(run, ["epochs=2"]))


def test_a_data_set_that_has_moved_is_looked_for_where_it_is_said_to_be(tmp_path, data, capfd):
    run, stayed, moved, other = (tmp_path / n for n in ("run", "stayed", "moved", "other"))
    assert start(job(run, data, replace(UNCACHED, epochs=1))) == 0
    shutil.copytree(run, stayed)
    assert start(Job.of_run(stayed, ["epochs=2"])) == 0
    data.rename(moved)
    synth.write(other, images=40, size=(64, 64), seed=1)
    for command in (["train", "epochs=2", "--resume"], ["reproduce"], ["report"]):
        assert cli.main([*command, str(run)]) == 1
        assert (
            f"its data set is no longer at {data}: say where with --data" in capfd.readouterr().err
        )
        assert cli.main([*command, str(run), "--data", str(other)]) == 1
        assert "the data set has changed since this run began" in capfd.readouterr().err
    for command in (["report"], ["reproduce"], ["train", "epochs=2", "--resume"]):
        assert cli.main([*command, str(run), "--data", str(moved)]) == 0
    assert cli.main(["report", str(run)]) == 0, "the run keeps where its data set is by now"
    assert Run(run).last.read_bytes() == Run(stayed).last.read_bytes()
