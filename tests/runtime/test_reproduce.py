"""A run is done again from its folder, and what differs is said."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

import specc
from specc_runtime import model, tensorfile, weights
from specc_runtime.cli import reproduce, train
from specc_runtime.data import synth
from specc_runtime.files import sha256
from specc_runtime.run import Run

from .training import TINY

SPECS = Path(__file__).parents[2] / "specs"
OPTIONS = ["epochs=2", "batch=8", "workers=0", "lr=0.02", "precision=fp32", "log_every=1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synth.write(folder, images=30, size=(64, 64))
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run that began with weights, all of whose files but the data are its own."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    model = folder / "tiny.py"
    shutil.copyfile(TINY, model)
    given = [str(model), "--data", str(data), *OPTIONS]
    assert train([*given, "-o", str(folder / "first"), "epochs=1"]) == 0
    start_from = ["--weights", str(folder / "first/last.safetensors")]
    assert train([*given, "-o", str(folder / "run"), *start_from]) == 0
    model.unlink()
    return Run(folder / "run")


@pytest.fixture
def copy(run, tmp_path):
    """The run's folder, to be tampered with."""
    return Run(Path(shutil.copytree(run.path, tmp_path / "run")))


def test_the_folder_says_what_the_run_was(run, data):
    about = run.read()
    first = run.path.parent / "first/last.safetensors"
    assert about["weights"] == {"path": str(first), "sha256": sha256(first)}
    assert about["threads"] == 1
    assert about["versions"].keys() >= {"python", "torch", "torchvision", "numpy", "opencv"}
    assert about["git"] is None


def test_done_again_it_is_the_same_to_the_bit(run, tmp_path, capsys):
    again = tmp_path / "again"
    assert reproduce([str(run.path), "-o", str(again)]) == 0
    assert f"losses, scores and weights are those of {run.path}" in capsys.readouterr().out
    assert Run(again).last.read_bytes() == run.last.read_bytes()
    assert reproduce([str(run.path), "-o", str(again)]) == 1
    assert "holds a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        ("recipe", "differs: train, from step 1 on"),
        ("loss", "differs: train, from step 3 on"),
        ("score", "differs: validation, from step 2 on"),
        ("weights", "differs: weights, 1 of "),
    ],
)
def test_what_differs_is_said(copy, tmp_path, capsys, tamper, told):
    lines = [json.loads(line) for line in copy.metrics.read_text().splitlines()]
    if tamper == "recipe":
        text = copy.recipe.read_text()
        copy.recipe.write_text(text.replace("lr: 0.02\n", "lr: 0.03\n"))
        assert copy.recipe.read_text() != text
    elif tamper == "loss":
        next(line for line in lines if line["step"] == 3)["loss"] += 1e-7
    elif tamper == "score":
        next(line for line in lines if line["kind"] == "validation")["map50"] += 0.25
    else:
        tensors, about = tensorfile.read(copy.last)
        tensors["loc.0.bias"][0] += 0.125
        tensorfile.write(copy.last, tensors, about)
    copy.metrics.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert reproduce([str(copy.path), "-o", str(tmp_path / "again")]) == 1
    told_all = [text for text in capsys.readouterr().err.splitlines() if text.startswith("differs")]
    assert told_all[0].startswith(told)
    assert len(told_all) == (3 if tamper == "recipe" else 1)


def test_other_weights_or_data_to_begin_with_are_refused(copy, tmp_path, capsys):
    about = copy.read()
    for key, told in (("weights", "not the weights that"), ("fingerprints", "has changed")):
        changed = {"weights": {**about["weights"], "sha256": "0"}, "fingerprints": {"train": "0"}}
        copy.about.write_text(json.dumps({**about, key: changed[key]}))
        assert reproduce([str(copy.path), "-o", str(tmp_path / "again")]) == 1
        assert told in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_weights_that_have_moved_are_looked_for_where_they_are_said_to_be(copy, tmp_path, capsys):
    about = copy.read()
    before, moved = Path(about["weights"]["path"]), tmp_path / "moved.safetensors"
    shutil.copyfile(before, moved)
    gone = tmp_path / "gone.safetensors"
    recorded = {**about["weights"], "path": str(gone)}
    copy.about.write_text(json.dumps({**about, "weights": recorded}))
    again = [str(copy.path), "-o", str(tmp_path / "again")]
    for given, told in (
        ([], f"are no longer at {gone}: say where with --weights"),
        (["--weights", str(gone)], f"are not at {gone}: say where with --weights"),
        (
            ["--weights", str(copy.best)],
            f"{copy.best}: not the weights that {copy.path} began with",
        ),
    ):
        assert reproduce([*again, *given]) == 1
        assert told in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    assert reproduce([*again, "--weights", str(moved)]) == 0
    assert Run(tmp_path / "again").read()["weights"]["path"] == str(moved)


def test_weights_are_refused_for_a_run_that_began_without(run, tmp_path, capsys):
    first = run.path.parent / "first"
    given = ["-o", str(tmp_path / "again"), "--weights", str(run.best)]
    assert reproduce([str(first), *given]) == 1
    assert "began without weights: leave --weights out" in capsys.readouterr().err


def test_a_run_without_an_end_cannot_be_compared(copy, capsys):
    copy.last.unlink()
    assert reproduce([str(copy.path)]) == 1
    assert "--resume it first" in capsys.readouterr().err


def test_a_run_that_was_stopped_cannot_be_compared(copy, capsys):
    lines = copy.metrics.read_text().splitlines(keepends=True)
    end = max(json.loads(line)["step"] for line in lines)
    copy.metrics.write_text("".join(line for line in lines if json.loads(line)["step"] < end))
    assert reproduce([str(copy.path)]) == 1
    assert "--resume it first" in capsys.readouterr().err


def test_a_spec_and_the_state_of_its_repository_are_kept(data, tmp_path):
    folder = Path(shutil.copytree(SPECS, tmp_path / "mine"))
    spec = folder / "ssd_light.yaml"
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    spec.write_text(spec.read_text() + "# changed\n")
    run = Run(tmp_path / "run")
    given = [str(spec), "--data", str(data), "-o", str(run.path), "--val-split", "none", *OPTIONS]
    assert train([*given, "epochs=1", "ema=null"]) == 0
    state = run.read()["git"]
    assert len(state["commit"]) == 40 and state["changed"] == [" M ssd_light.yaml"]
    assert run.spec.read_text() == spec.read_text()
    assert (run.path / "expanded.yaml").read_text().startswith("specc: 1\n")
    assert "class LightSSD(nn.Module):" in run.model.read_text()


def test_the_spec_kept_compiles_by_itself_to_the_model_kept(data, tmp_path):
    folder = Path(shutil.copytree(SPECS, tmp_path / "mine"))
    spec = folder / "ssd_light.yaml"
    thin = "variants: {thin: {first: 8}}\nparams: {first: 16, "
    text = spec.read_text().replace("params: {", thin, 1)
    spec.write_text(text.replace("stem: Stage(16, 1)", "stem: Stage(first, 1)"))
    assert "use: {SSD: ssd300_vgg.yaml}" in text
    run = Run(tmp_path / "run")
    given = [f"{spec}:thin", "--data", str(data), "-o", str(run.path), "--val-split", "none"]
    assert train([*given, *OPTIONS, "epochs=1"]) == 0
    shutil.rmtree(folder)
    again = tmp_path / "again.py"
    again.write_text(specc.compile(run.expanded).source)
    trained = weights.read(run.last)
    images, outputs = torch.rand(1, 3, 256, 256), []
    for path in (run.model, again):
        detector = model.load(path).build(len(trained.classes)).eval()
        weights.load(detector.network, trained)
        outputs.append(detector.detect(detector(images * 255)))
    assert len(outputs[0].scores) and all(map(torch.equal, *outputs))
    assert trained.tensors["stem.conv.0.0.weight"].shape[0] == 8
