"""A run's folder from somebody else, or as a broken disk left it: it is read, or refused in a line."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from specc_runtime import checkpoint, cli, tensorfile
from specc_runtime.checkpoint import Checkpoint, CheckpointError
from specc_runtime.data import synth
from specc_runtime.files import sha256
from specc_runtime.run import Run, RunError
from specc_runtime.session import Job, start

from .training import RECIPE, TINY, trainer

torch.set_num_threads(1)

DATA = {"root": "data", "split": "train", "val_split": None}
WRONG = b"".join(
    json.dumps({"kind": "train", "step": 1, "loss": 1.0, "lr": 1.0, **changed}).encode() + b"\n"
    for changed in ({"loss": []}, {"lr": "high"}, {"step": "x"}, {"kind": 5}, {"part": {}})
)
"""Lines of a log with something that is no number where one belongs."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Run:
    """A run with two checkpoints."""
    run = trainer(tmp_path_factory.mktemp("runs") / "run")
    assert run.fit() == 0
    return run.run


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved.path, tmp_path / "run"))


def signed(folder: Path) -> None:
    """Make a checkpoint's manifest fit what the folder holds."""
    files = [path for path in folder.iterdir() if path.name != checkpoint.MANIFEST]
    sums = {path.name: sha256(path) for path in files}
    (folder / checkpoint.MANIFEST).write_text(json.dumps(sums))


def last(folder: Path) -> Path:
    return max((folder / "checkpoints").iterdir())


@pytest.mark.parametrize(
    "manifest",
    ["{}", "[]", "null", "5", "[" * 100_000, '{"state.json": 5}', '{"../state.json": "0"}', ""],
)
def test_a_manifest_that_is_none_costs_one_interval(copy, manifest):
    (last(copy) / checkpoint.MANIFEST).write_text(manifest)
    with pytest.warns(UserWarning, match="checkpoint passed over"):
        assert checkpoint.load_last(copy / "checkpoints").step == 8


def test_a_manifest_never_leads_out_of_its_folder(copy, tmp_path):
    secret = tmp_path / "model.safetensors"
    tensorfile.write(secret, {"w": torch.ones(3)})
    for name in ("../../../model.safetensors", str(secret)):
        sums = json.loads((last(copy) / checkpoint.MANIFEST).read_text())
        sums[name] = sha256(secret)
        (last(copy) / checkpoint.MANIFEST).write_text(json.dumps(sums))
        with pytest.raises(CheckpointError, match="not as written"):
            checkpoint.load(last(copy))


@pytest.mark.parametrize(
    "state",
    [
        *("[]", "null", "{}", '{"step": "soon"}', '{"step": null}', '{"step": Infinity}'),
        *("[" * 100_000, "\udcff"),
    ],
)
def test_a_state_that_is_none_costs_one_interval(copy, state):
    (last(copy) / checkpoint.STATE).write_text(state, errors="surrogateescape")
    signed(last(copy))
    with pytest.warns(UserWarning, match="checkpoint passed over"):
        assert checkpoint.load_last(copy / "checkpoints").step == 8


def without(key):
    return lambda found: replace(found, state={k: v for k, v in found.state.items() if k != key})


def with_state(**changes):
    return lambda found: replace(found, state={**found.state, **changes})


def with_input(setting):
    """A checkpoint of an input that none can be."""
    name, value = setting
    return lambda found: with_state(preprocess={**found.state["preprocess"], name: value})(found)


def with_model(change):
    return lambda found: replace(
        found, tensors={**found.tensors, "model": change(found.tensors["model"])}
    )


def with_momentum(name):
    return lambda found: replace(
        found, tensors={**found.tensors, "optimizer": {name: torch.zeros(1)}}
    )


@pytest.mark.parametrize(
    "spoil",
    [
        *map(without, ("validated", "best", "stale", "rollbacks", "parts", "preprocess", "seed")),
        without("unlogged"),
        with_state(unlogged=[1]),
        with_state(unlogged=[{"loss": None}]),
        with_state(validated="now"),
        with_state(stale=[1]),
        with_state(best={}),
        with_state(parts=None),
        with_state(preprocess={"channels": "XYZ"}),
        *map(with_input, (("scale", "1"), ("scale", [1]), ("mean", None), ("std", [1, 0, 1]))),
        with_state(validated=float("inf")),
        with_state(rollbacks=float("inf")),
        with_model(lambda tensors: {name: value[None] for name, value in tensors.items()}),
        with_model(lambda tensors: {}),
        with_momentum("stem.0.weight"),
        with_momentum("nothing/momentum_buffer"),
        with_momentum("stem.0.weight/momentum_buffer"),
    ],
)
def test_a_checkpoint_made_by_hand_is_refused_without_a_traceback(copy, spoil):
    found = checkpoint.load(last(copy))
    shutil.rmtree(copy / "checkpoints")
    made: Checkpoint = spoil(found)
    checkpoint.save(copy / "checkpoints", made)
    run = trainer(copy.parent / "other")
    run.run = Run(copy, run.run.classes)
    with pytest.raises(CheckpointError, match="not of this run"):
        run.resume()


@pytest.mark.parametrize("about", ["", "{", "[]", "{}", '{"classes": []}', "[" * 100_000, "\udcff"])
def test_a_folder_whose_record_is_damaged_is_said(tmp_path, capsys, about):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text(about, errors="surrogateescape")
    for command in (["train", "--resume"], ["reproduce"], ["report"]):
        assert cli.main([*command, str(folder)]) == 1
        assert capsys.readouterr().err.startswith(f"error: {folder}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("command", "specc train"),
        ("data", {"root": 5, "split": "train", "val_split": None}),
        ("data", {"root": "data", "split": None, "val_split": None}),
        ("classes", "disc"),
        ("classes", ["disc", 5]),
        ("fingerprints", "0"),
        ("weights", {"path": "w.safetensors"}),
        ("versions", None),
        ("threads", 0),
        ("threads", "1"),
    ],
)
def test_what_no_run_records_is_said(tmp_path, key, value):
    run = Run(tmp_path, ("disc",))
    run.write({}, RECIPE, [], {"data": DATA, "weights": None})
    about = run.read()
    run.about.write_text(json.dumps({**about, key: value}))
    with pytest.raises(
        RunError, match=r"run\.json: .*lacks .* Begin the run again, in another folder"
    ):
        run.read()


def test_a_log_that_is_damaged_does_no_harm(tmp_path, capsys):
    synth.write(tmp_path / "data", images=40, size=(64, 64))
    recipe = replace(RECIPE, epochs=1, evaluate_every=0)
    run = Run(tmp_path / "run")
    assert start(Job(run, TINY, recipe, tmp_path / "data", "train", None)) == 0
    lines = run.metrics.read_bytes().splitlines(keepends=True)
    run.metrics.write_bytes(b"".join([lines[0], b"\xff\0\n[]\n5\n", WRONG, *lines[1:], b'{"ste']))
    assert cli.main(["report", str(run.path)]) == 0
    assert start(Job.of_run(run.path, ["epochs=2"])) == 0
    steps = [json.loads(line)["step"] for line in run.metrics.read_text().splitlines()]
    assert sorted({*steps}) == [*range(1, 15)]
