"""The commands from end to end on a small data set, and their exit codes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from specc_runtime import api, recipe, tensorfile
from specc_runtime.cli import evaluate, lr_find, main, predict, synth, train, verify
from specc_runtime.data import open_dataset

from .training import TINY

ROOT = Path(__file__).parents[2]
OPTIONS = ["epochs=2", "batch=8", "workers=0", "warmup_steps=0", "lr=0.02", "precision=fp32"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("data")
    assert synth([str(folder), "--images", "40"]) == 0
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert train([str(TINY), "--data", str(data), "-o", str(folder), *OPTIONS]) == 0
    return folder


def test_a_run_keeps_what_it_was(run, data):
    assert (run / "model.py").read_text() == TINY.read_text()
    assert "epochs: 2\nsteps: null\nbatch: 8\n" in (run / "recipe.yaml").read_text()
    about = json.loads((run / "run.json").read_text())
    assert about["classes"] == list(open_dataset(data, "train").classes)
    assert about["data"] == {"root": str(data.resolve()), "split": "train", "val_split": "val"}
    assert about["versions"]["torch"].startswith(torch.__version__.split("+")[0])
    assert about["fingerprints"].keys() == {"train", "val"}
    assert all(len(found) == 64 for found in about["fingerprints"].values())
    kinds = [json.loads(line)["kind"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert kinds.count("validation") == 2 and kinds.count("train") == 2
    assert tensorfile.read(run / "last.safetensors")[1]["step"] == "6"


def test_a_run_is_not_overwritten(run, data, capsys):
    assert train([str(TINY), "--data", str(data), "-o", str(run)]) == 1
    assert f"holds a run: give another -o, or --resume {run}" in capsys.readouterr().err


def test_going_on_with_more_epochs(run, data, tmp_path):
    folder = tmp_path / "more"
    first = [str(TINY), "--data", str(data), "-o", str(folder), "--val-split", "none", *OPTIONS]
    assert train([*first, "epochs=1"]) == 0
    assert train(["--resume", str(folder), "epochs=2"]) == 0
    assert "epochs: 2\n" in (folder / "recipe.yaml").read_text()
    steps = [
        json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]
    assert steps == [3, 6]


def test_going_on_with_other_data_is_refused(data, tmp_path, capsys):
    folder, other = tmp_path / "run", tmp_path / "data"
    assert synth([str(other), "--images", "40"]) == 0
    first = [str(TINY), "--data", str(other), "-o", str(folder), "--val-split", "none", *OPTIONS]
    assert train([*first, "epochs=1"]) == 0
    assert synth([str(other), "--images", "40", "--seed", "1"]) == 0
    assert train(["--resume", str(folder), "epochs=2"]) == 1
    assert "the data set has changed since this run began" in capsys.readouterr().err


def test_weights_of_one_run_start_another(run, data, tmp_path, capsys):
    start = ["--weights", str(run / "best.safetensors"), "-o", str(tmp_path / "b")]
    assert train([str(TINY), "--data", str(data), *start, *OPTIONS, "epochs=1"]) == 0
    assert "freshly initialised" not in capsys.readouterr().err


def test_eval_prints_scores_or_json(run, data, capsys):
    given = [str(TINY), "--weights", str(run / "best.safetensors"), "--data", str(data)]
    assert evaluate([*given, "--workers", "0"]) == 0
    assert "map50" in capsys.readouterr().out
    assert evaluate([*given, "--workers", "0", "--json", "--split", "val"]) == 0
    scores = json.loads(capsys.readouterr().out)
    recorded = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    best = max(r["map50"] for r in recorded if r["kind"] == "validation")
    assert scores["map50"] == pytest.approx(best, abs=1e-9)


def test_eval_says_what_is_wrong_with_the_data(run, data, tmp_path, capsys):
    mine = tmp_path / "data"
    shutil.copytree(data, mine)
    listing = mine / "ImageSets/Main/test.txt"
    ids = [path.stem for path in sorted((mine / "Annotations").glob("*.xml"))]
    listing.write_text("\n".join(ids))
    os.truncate(mine / f"JPEGImages/{ids[0]}.jpg", 2000)
    given = [str(TINY), "--weights", str(run / "best.safetensors"), "--workers", "0", "--json"]
    assert evaluate([*given, "--data", str(mine)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["images"] == len(ids) - 1
    assert f"image unreadable: sample left out\n{'':9}{ids[0]}.jpg: truncated" in said.err


def test_predict_draws_and_writes_boxes_of_the_picture(run, data, tmp_path, capsys):
    pictures = sorted(map(str, (data / "JPEGImages").glob("test_*.jpg")))[:2]
    given = [str(TINY), *pictures, "--weights", str(run / "last.safetensors")]
    assert predict([*given, "-o", str(tmp_path), "--score", "0.0"]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {
        "detections.json",
        *(Path(p).name for p in pictures),
    }
    found = json.loads((tmp_path / "detections.json").read_text())
    boxes = torch.tensor([d["box"] for picture in found for d in picture["detections"]])
    assert len(boxes) == 100  # an untrained network is sure of nothing: all of `keep`
    assert boxes.min() >= 0 and 64 < boxes.max() <= 320
    assert {d["class"] for d in found[0]["detections"]} <= set(open_dataset(data, "train").classes)


def test_verify_prints_every_module(capsys):
    assert verify([str(TINY)]) == 0
    shapes = json.loads(capsys.readouterr().out)
    assert shapes["stem.0"] == [[[1, 8, 16, 16]]]
    assert shapes["deeper.1"] == [[[1, 16, 4, 4]]]
    assert shapes["conf.1"] == [[[1, 16, 4, 4]]]
    assert len(shapes[""][0]) == 2


@pytest.fixture
def network(tmp_path):
    """A function that writes a network that is no detector, of some lines of `forward`."""

    def write(*forward):
        path = tmp_path / "plain.py"
        lines = "".join(f"        {line}\n" for line in forward)
        path.write_text(
            "from torch import nn\n\n\nclass Plain(nn.Module):\n"
            "    def __init__(self):\n        super().__init__()\n"
            "        self.pool = nn.MaxPool2d(2)\n\n"
            f"    def forward(self, x, *more):\n{lines}\n\nMODEL = Plain\n"
        )
        return str(path)

    return write


def test_verify_takes_a_network_that_is_no_detector(network, capsys):
    path = network("return self.pool(self.pool(x))")
    assert verify([path, "--inputs", "1x3x32x64"]) == 0
    shapes = json.loads(capsys.readouterr().out)
    assert shapes == {"pool": [[[1, 3, 16, 32]], [[1, 3, 8, 16]]], "": [[[1, 3, 8, 16]]]}
    assert verify([path]) == 1
    assert "no DETECTOR" in capsys.readouterr().err


def test_verify_takes_inputs_of_any_number_and_shape(network, capsys):
    path = network("return [self.pool(x), (x + more[0], more[0])]")
    assert verify([path, "--inputs", "2x1x8x8", "2x5x3x3"]) == 1
    assert "`Plain` does not run on fake tensors: RuntimeError" in capsys.readouterr().err
    assert verify([path, "--inputs", "2x1x8x8", "2x5x8x8"]) == 0
    shapes = json.loads(capsys.readouterr().out)
    assert shapes[""] == [[[2, 1, 4, 4], [2, 5, 8, 8], [2, 5, 8, 8]]]


def test_verify_leaves_open_what_only_the_values_decide(network, capsys):
    assert verify([network("return x.nonzero()"), "--inputs", "8x8"]) == 0
    assert json.loads(capsys.readouterr().out) == {"": [[[None, 2]]]}


def test_verify_names_the_layer_that_does_not_run(network, capsys):
    path = network("return self.pool(x.flatten())")
    assert verify([path, "--inputs", "1x3x32x64"]) == 1
    assert "error: `pool` does not run on fake tensors: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ([], 2, "usage:"),
        (["--help"], 0, "usage:"),
        (["fly"], 2, "usage:"),
        (["train"], 2, "give MODEL and --data, or --resume RUN"),
        (["train", "x.py", "--resume", "y"], 2, "takes model, weights, recipe and splits from"),
        (["train", "--split", "z", "--resume", "y"], 2, "takes model, weights, recipe and splits"),
        (["train", "--val-split", "z", "--resume", "y"], 2, "recipe and splits from the run"),
        (["train", "x.py"], 2, "give --data, the folder of a data set: `specc synth shapes`"),
        (["train", "x.py", "--data", "y", "--epochs", "2"], 2, "are written as epochs=20"),
        (["lr-find", "x.py", "--data", "y", "--lr", "2"], 2, "are written as epochs=20"),
        (["bench", "x.py", "--epochs", "2"], 2, "are written as epochs=20"),
        (["train", "x.py", "--data", "y", "lr", "=", "1"], 1, "write `lr=` and its value, without"),
        (["predict", "x", "y", "--weights", "z", "-o", "o", "--score", "50"], 2, "from 0 to 1"),
        (["predict", "x", "y", "--weights", "z", "-o", "o", "--score", "nan"], 2, "from 0 to 1"),
        (["verify", str(TINY.with_suffix(""))], 1, f"no such file: did you mean {TINY}?"),
        (["train", "x.py", "--data", "y", "epoch=1"], 1, "did you mean `epochs`?"),
        (["train", "--resume", "/nowhere"], 1, "holds no run: there is no run.json"),
        (["verify", "x.py"], 1, "there is no such file"),
        (["eval", "x.py"], 2, "specc eval: error: the following arguments are required"),
        (["eval", "x.py", "--data", "y", "--batch", "0"], 2, "must be at least 1, and is 0"),
        (["eval", "x.py", "--data", "y", "--workers", "x"], 2, "invalid whole number value: 'x'"),
        (["synth", "x", "--images", "2"], 2, "must be at least 3, and is 2"),
        (["data", "view", "x", "-o", "x.png", "--images", "0"], 2, "must be at least 1, and is 0"),
        (
            ["predict", str(TINY), "/nowhere.jpg", "--weights", "/no", "-o", "x"],
            1,
            "error: /no: No such file",
        ),
        (["train", "x.py", "--data", "y", "--recipe", "ssd300"], 1, "there is no recipe `ssd300`"),
        (["train", "x.py", "--data", "y", "--recipe", "nowhere.yaml"], 1, "nowhere.yaml"),
        (["recipes", "show"], 2, "`list`, or `show NAME`"),
        (["recipes", "list", "ssd300_voc"], 2, "`list`, or `show NAME`"),
        (["recipes", "show", "ssd300_vok"], 1, "did you mean `ssd300_voc`?"),
        (["bench", str(TINY), "batch=auto"], 1, "give the number of images"),
        (["lr-find", "x.py", "--data", "y", "--low", "1", "--high", "1"], 2, "the second greater"),
    ],
)
def test_wrong_usage_is_2_and_what_is_wrong_is_1(argv, code, message, capsys):
    assert main(argv) == code
    assert message in capsys.readouterr().err


def test_what_was_found_out_is_written_wherever_it_is_to_go(data, tmp_path, capsys):
    found = tmp_path / "new" / "figures.json"
    given = ["--batch", "2", "--steps", "1", "workers=0", "precision=fp32"]
    assert main(["bench", str(TINY), "--infer", *given, "--out", str(found)]) == 0
    assert json.loads(found.read_text())["mode"] == "infer"
    picture = tmp_path / "newer" / "sheet.png"
    assert main(["data", "view", str(data), "-o", str(picture)]) == 0
    assert picture.exists()
    assert main(["data", "view", str(data), "-o", str(tmp_path / "sheet.txt")]) == 1
    assert "sheet.txt: no image format `.txt`: .png or .jpg" in capsys.readouterr().err


def test_a_picture_that_is_not_there_is_named_once(run, tmp_path, capsys):
    given = [str(run / "model.py"), "/nowhere.jpg", "--weights", str(run / "last.safetensors")]
    assert predict([*given, "-o", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: nowhere.jpg: No such file or directory\n"


def test_another_data_set_is_not_drawn_over(data, capsys):
    listed = (data / "ImageSets/Main/train.txt").read_text()
    assert synth([str(data), "--images", "50"]) == 1
    assert f"{data}: holds another data set" in capsys.readouterr().err
    assert (data / "ImageSets/Main/train.txt").read_text() == listed
    assert synth([str(data), "--images", "40"]) == 0  # the same again


def test_the_help_lists_the_recipe(capsys):
    assert train(["--help"]) == 0
    assert "weight_decay=0.0005" in capsys.readouterr().out


def test_recipes_are_listed_and_shown(capsys):
    assert main(["recipes"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == list(recipe.shipped()) and "ssd300_voc" in names
    assert main(["recipes", "show", "ssd300_voc"]) == 0
    assert capsys.readouterr().out == recipe.shipped()["ssd300_voc"].read_text()


def test_a_recipe_of_specc_trains_by_its_name_with_options_changed(data, tmp_path):
    given = [str(TINY), "--data", str(data), "-o", str(tmp_path / "run"), "--recipe", "ssd300_voc"]
    assert train([*given, *OPTIONS, "milestones=[1]", "batch=auto"]) == 0
    kept = (tmp_path / "run" / "recipe.yaml").read_text()
    assert "weight_decay: 0.0005\n" in kept and "milestones: [1.0]\n" in kept
    assert "steps: null\n" in kept and "batch: 2\n" in kept  # of 28: eight steps an epoch
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))


def test_lr_find_prints_and_writes_what_it_found(data, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [str(TINY), "--data", str(data), *OPTIONS, "--low", "1e-4", "--high", "1e5"]
    assert lr_find([*given, "--steps", "70", "--html", "lr.html", "--json", "lr.json"]) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "lr.json").read_text())
    assert found["suggestion"] and f"lr={found['suggestion']:.1e}" in printed
    assert len(found["rates"]) == len(found["losses"]) <= 70
    assert (tmp_path / "lr.html").read_text().count("<polyline") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"lr.html", "lr.json"}


@pytest.mark.parametrize(
    ("signal", "raised"), [(2, KeyboardInterrupt), (15, SystemExit)], ids=["INT", "TERM"]
)
def test_a_signal_is_an_exit_code_and_from_python_an_exception(
    signal, raised, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(api, "start", lambda job: 128 + signal)
    with pytest.raises(raised):
        api.train(TINY, data, tmp_path / "run")
    assert train([str(TINY), "--data", str(data), "-o", str(tmp_path / "run")]) == 128 + signal


def test_a_run_in_place_of_its_model_is_pointed_to_it(run, data, capsys):
    weights = ["--weights", str(run / "best.safetensors")]
    assert evaluate([str(run), *weights, "--data", str(data)]) == 1
    assert f"{run}: is a folder: did you mean {run / 'model.py'}?" in capsys.readouterr().err


def test_a_spec_without_a_detector_is_named(data, tmp_path, capsys):
    spec = str(ROOT / "specs/mobilenet_v3.yaml")
    assert train([spec, "--data", str(data), "-o", str(tmp_path / "run")]) == 1
    assert f"error: {spec}: no `detector:`, so there is no loss" in capsys.readouterr().err
    assert evaluate([spec, "--data", str(data)]) == 1
    assert f"error: {spec}: no `detector:`, so there is no loss" in capsys.readouterr().err


def test_a_spec_is_compiled_first(tmp_path):
    made = api.generated(ROOT / "specs/ssd_light.yaml", tmp_path)
    assert made == tmp_path / "model.py"
    assert "class LightSSD(nn.Module):" in made.read_text()


def test_a_spec_that_does_not_compile_trains_nothing(tmp_path, capsys):
    broken = tmp_path / "broken.yaml"
    broken.write_text("specc: 1\n")
    given = [str(broken), "--data", str(tmp_path), "-o", str(tmp_path / "run")]
    assert train(given) == 1
    assert "not compiled" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_it_runs_as_a_module_with_nothing_installed_but_paths():
    process = subprocess.run(
        [sys.executable, "-m", "specc_runtime", "verify", str(TINY)],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'compiler'}{os.pathsep}{ROOT / 'runtime'}"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)["stem.0"] == [[[1, 8, 16, 16]]]


BARE = """
import sys
for name in ("safetensors", "rich", "matplotlib", "faster_coco_eval", "jinja2", "jsonschema",
             "networkx", "graphviz", "pygraphviz"):
    sys.modules[name] = None
from specc_runtime.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_bare_image_is_enough_to_train(data, tmp_path):
    given = ["train", str(TINY), "--data", str(data), "-o", str(tmp_path / "run")]
    process = subprocess.run(
        [sys.executable, "-c", BARE, *given, *OPTIONS, "epochs=1"],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'compiler'}{os.pathsep}{ROOT / 'runtime'}"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert "step 3/3" in process.stderr
