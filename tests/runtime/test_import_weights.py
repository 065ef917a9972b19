"""Weights of other projects: in and out by a table, and what is refused."""

import collections
import importlib.util
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.detection import ssd300_vgg16

import specc.cli
from specc_runtime import api, cli, model, tensorfile, weights
from specc_runtime.contract import ContractError
from specc_runtime.tensorfile import TensorFileError
from specc_runtime.weights import WeightsError, foreign
from specc_runtime.weights.conversions import Decimate, ReorderOutputs, SwapRedBlue
from specc_runtime.weights.transfer import Row, Table, export_weights, import_weights, table

from .training import TINY, trainer

torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
CAFFE = {
    "channels": "BGR",
    "scale": 255.0,
    "mean": (104.0, 117.0, 123.0),
    "std": (1.0, 1.0, 1.0),
    "resize": "stretch",
}
THEIRS = {
    "features.conv.weight": torch.randn(8, 3, 3, 3),
    "features.conv.bias": torch.randn(8).half(),
    "features.bn.num_batches_tracked": torch.tensor(7),
    "head.weight": torch.randn(12, 8),
}
TABLE = Table(
    "theirs",
    (
        Row("features.conv.weight", "stem.0.weight", (8, 3, 3, 3), SwapRedBlue()),
        Row("features.conv.bias", "stem.0.bias", (8,)),
        Row("features.bn.num_batches_tracked", "stem.1.num_batches_tracked", ()),
        Row("head.weight", "loc.weight", (12, 8), ReorderOutputs((1, 0, 3, 2))),
    ),
    preprocess=CAFFE,
)


@pytest.fixture
def checkpoint(tmp_path):
    torch.save(THEIRS, tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def saved(folder, state, name="changed.pth"):
    torch.save(state, folder / name)
    return folder / name


def refused(source, message, error=WeightsError, table=TABLE):
    """Importing fails with a message, and nothing is written."""
    target = source.parent / "out" / "ours.safetensors"
    with pytest.raises(error, match=message):
        import_weights(table, source, target)
    assert not target.parent.exists()


# -- there and back


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_round_trip_gives_the_same_bytes(checkpoint, tmp_path, suffix):
    ours, back = tmp_path / "ours.safetensors", tmp_path / f"back{suffix}"
    import_weights(TABLE, checkpoint, ours)
    export_weights(TABLE, ours, back)
    found = foreign.read(back, THEIRS).tensors
    assert found.keys() == THEIRS.keys()
    for name, tensor in THEIRS.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [checkpoint.name, ours.name, back.name]
    )


def test_ssd300_of_torchvision_there_and_back(tmp_path, capsys):
    """As a user does it: the imported network is torchvision's, the exported file is the first."""
    theirs = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=3).eval()
    torch.save({"model": theirs.state_dict(), "epoch": 1}, tmp_path / "theirs.pth")
    spec = ["--spec", str(ROOT / "specs/ssd300_vgg.yaml"), "--set", "num_classes=3"]
    ours, back = tmp_path / "ours.safetensors", tmp_path / "back.pth"
    taken = [
        "import",
        *spec,
        "--from",
        "torchvision",
        str(tmp_path / "theirs.pth"),
        "-o",
        str(ours),
    ]
    assert specc.cli.main(["weights", *taken]) == 0
    said = capsys.readouterr().out
    assert "vgg          30  20,483,904  backbone\n" in said
    assert "taken from `model`\n" in said
    assert "input: RGB up to 255, less (123, 117, 104)\n" in said

    module = importlib.util.spec_from_file_location("ssd300", ROOT / "generated/ssd300_vgg.py")
    emitted = importlib.util.module_from_spec(module)
    module.loader.exec_module(emitted)
    network = emitted.MODEL(num_classes=3).eval()
    weights.load(network, weights.read(ours))
    images = torch.randn(1, 3, 300, 300)
    with torch.no_grad():
        found = network(images)
        expected = theirs.head(list(theirs.backbone(images).values()))
    for mine, its in ((found.loc, "bbox_regression"), (found.conf, "cls_logits")):
        assert (mine - expected[its]).abs().max() <= 1e-5 * expected[its].std()

    given = ["export", *spec, "--to", "torchvision", str(ours), "-o", str(back)]
    assert specc.cli.main(["weights", *given]) == 0
    theirs.load_state_dict(torch.load(back, weights_only=True), strict=True)
    first = torch.load(tmp_path / "theirs.pth", weights_only=True)["model"]
    assert all(torch.equal(theirs.state_dict()[key], value) for key, value in first.items())


def test_the_command_fails_with_the_runtimes_message(tmp_path, capfd):
    (tmp_path / "broken.pth").write_bytes(b"PK\3\4 and no more")
    spec = ["--spec", str(ROOT / "specs/ssd300_vgg.yaml"), "--from", "torchvision"]
    target = str(tmp_path / "ours.safetensors")
    code = specc.cli.main(["weights", "import", *spec, str(tmp_path / "broken.pth"), "-o", target])
    assert code == 1
    assert "broken.pth: cut off, or not a checkpoint of PyTorch" in capfd.readouterr().err
    assert not Path(target).exists()


def test_a_table_comes_as_json():
    rows = [
        {"theirs": "a", "ours": "b", "shape": [4], "convert": None},
        {
            "theirs": "c",
            "ours": "d",
            "shape": [4, 3],
            "convert": {"kind": "ReorderOutputs", "order": [1, 0]},
        },
    ]
    others = {"new": ["e"], "drop": ["fc\\..+"], "preprocess": None, "num_classes": 3}
    read = table(json.dumps({"name": "theirs", "rows": rows, **others}))
    assert read.rows == (Row("a", "b", (4,)), Row("c", "d", (4, 3), ReorderOutputs((1, 0))))
    assert read.drop[0].fullmatch("fc.weight")
    assert (read.new, read.num_classes) == (("e",), 3)


# -- conversions


@pytest.mark.parametrize(
    ("shape", "ours", "taken"),
    [
        ((16, 4 * 49), (4, 4, 3, 3), lambda x: x.view(16, 4, 7, 7)[::4, :, ::3, ::3]),
        ((16, 16), (4, 4, 1, 1), lambda x: x.view(16, 16, 1, 1)[::4, ::4]),
        ((16, 4, 7, 7), (4, 4, 3, 3), lambda x: x[::4, :, ::3, ::3]),
        ((16,), (4,), lambda x: x[::4]),
    ],
)
def test_decimation_is_that_of_ssd(shape, ours, taken):
    """Liu's and others' converters: every fourth output, every third row and column."""
    theirs = torch.randn(shape)
    assert torch.equal(Decimate().ours(theirs, ours), taken(theirs))


def test_decimation_of_vgg16():
    one = torch.zeros(())
    assert Decimate().ours(one.expand(4096, 25088), (1024, 512, 3, 3)).shape == (1024, 512, 3, 3)
    assert Decimate().ours(one.expand(4096, 4096), (1024, 1024, 1, 1)).shape == (1024, 1024, 1, 1)


def test_decimation_has_no_way_back(tmp_path):
    row = Row("fc.weight", "conv.weight", (2, 4, 1, 1), Decimate())
    source, ours = saved(tmp_path, {"fc.weight": torch.randn(4, 8)}), tmp_path / "o.safetensors"
    import_weights(Table("vgg", (row,)), source, ours)
    with pytest.raises(WeightsError, match=r"conv\.weight: it was decimated, and .* lost"):
        export_weights(Table("vgg", (row,)), ours, tmp_path / "back.pth")
    assert not (tmp_path / "back.pth").exists()


def test_reordered_outputs_and_back():
    theirs = torch.randn(8, 5, 3, 3)
    ours = ReorderOutputs((1, 2, 0, 3)).ours(theirs, (8, 5, 3, 3))
    for group in (0, 4):
        for place, channel in enumerate((1, 2, 0, 3)):
            assert torch.equal(ours[group + place], theirs[group + channel])
    assert torch.equal(ReorderOutputs((1, 2, 0, 3)).theirs(ours), theirs)


@pytest.mark.parametrize(
    ("conversion", "shape", "message"),
    [
        (SwapRedBlue(), (8, 4, 3, 3), "no convolution of three channels"),
        (ReorderOutputs((1, 0)), (7, 3), "7 channels are no groups of 2"),
        (ReorderOutputs((2, 0)), (8, 3), "no order of 2 channels"),
        (Decimate(), (4, 50), "flattened squares"),
        (Decimate(), (4, 8, 3), "cannot be thinned"),
    ],
)
def test_tensors_that_a_conversion_cannot_take(tmp_path, conversion, shape, message):
    source = saved(tmp_path, {"fc": torch.randn(shape)})
    ours = (2, 4, 2, 2) if isinstance(conversion, Decimate) else shape
    refused(source, f"fc: .*{message}", table=Table("t", (Row("fc", "x", ours, conversion),)))


# -- each key accounted for


def test_what_wraps_a_state_dict_is_taken_off(checkpoint, tmp_path):
    wrapped = {"module." + key: value for key, value in THEIRS.items()}
    source = saved(tmp_path, {"epoch": 3, "state_dict": collections.OrderedDict(wrapped)})
    done = import_weights(TABLE, source, tmp_path / "a.safetensors")
    assert done.notes == ["taken from `state_dict`", "`module.` taken off all keys"]
    import_weights(TABLE, checkpoint, tmp_path / "b.safetensors")
    files = (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_prefix_that_the_map_knows_stays(tmp_path):
    source = saved(tmp_path, {"module.a": torch.ones(2)})
    done = import_weights(
        Table("t", (Row("module.a", "a", (2,)),)), source, tmp_path / "o.safetensors"
    )
    assert done.notes == []


def test_keys_that_are_missing_or_unknown_are_named(tmp_path):
    changed = {key: value for key, value in THEIRS.items() if key != "head.weight"}
    source = saved(tmp_path, changed | {"neck.weight": torch.ones(1)})
    refused(source, r"not what the map `theirs` is for: it lacks head\.weight and has neck\.weight")


def test_the_map_that_a_checkpoint_is_for_is_named(checkpoint):
    others = {"neither": ["a", "features.conv.bias"], "right": list(THEIRS)}
    asked = Table("wrong", (Row("stem.weight", "a", (2,)),), others=others)
    refused(checkpoint, "it lacks stem.weight and has .*; it is what `right` is for$", table=asked)


def test_keys_to_drop_are_dropped_and_named(tmp_path):
    drop = table(
        json.dumps(
            {
                "name": "t",
                "rows": [{"theirs": "a", "ours": "b", "shape": [2], "convert": None}],
                "new": [],
                "drop": ["fc\\.(?P<p>\\w+)"],
                "preprocess": None,
                "num_classes": None,
            }
        )
    )
    state = {"a": torch.ones(2), "fc.weight": torch.ones(1)}
    done = import_weights(drop, saved(tmp_path, state), tmp_path / "o.safetensors")
    assert done.left_out == ["fc.weight"]
    assert list(weights.read(tmp_path / "o.safetensors").tensors) == ["b"]
    source = saved(tmp_path, state | dict.fromkeys(["fcn.weight", "fc.a.b"], torch.ones(1)))
    with pytest.raises(WeightsError, match=r"has fcn\.weight, fc\.a\.b, which"):
        import_weights(drop, source, tmp_path / "p.safetensors")


def test_counters_may_be_missing_or_left_over(tmp_path):
    """Checkpoints older than they are lack them; frozen norms have none."""
    counter = "features.bn.num_batches_tracked"
    state = {key: value for key, value in THEIRS.items() if key != counter}
    state["other.num_batches_tracked"] = torch.tensor(3)
    done = import_weights(TABLE, saved(tmp_path, state), tmp_path / "o.safetensors")
    found = weights.read(tmp_path / "o.safetensors").tensors
    assert torch.equal(found["stem.1.num_batches_tracked"], torch.tensor(0))
    assert done.left_out == ["other.num_batches_tracked"]


def test_other_shapes_are_refused_with_the_number_of_classes(tmp_path):
    row = Row("conf.weight", "head.conf.weight", (84, 4, 3, 3))
    classifier = Table("t", (row, Row("a", "a", (2,))), num_classes=21)
    state = {"conf.weight": torch.zeros(364, 4, 3, 3), "a": torch.zeros(2)}
    refused(
        saved(tmp_path, state),
        r"head\.conf\.weight is \[364, 4, 3, 3\], the spec's \[84, 4, 3, 3\]; "
        r"it is for 91 classes: add --set num_classes=91$",
        table=classifier,
    )
    state = {"conf.weight": torch.zeros(364, 5, 3, 3), "a": torch.zeros(2)}
    refused(saved(tmp_path, state), r"the spec's \[84, 4, 3, 3\]$", table=classifier)


def test_exporting_needs_all_of_the_model(tmp_path):
    tensorfile.write(tmp_path / "o.safetensors", {"stem.0.weight": torch.zeros(8, 3, 3, 3)})
    with pytest.raises(WeightsError, match=r"not of the spec's model: it lacks loc\.weight"):
        export_weights(TABLE, tmp_path / "o.safetensors", tmp_path / "back.pth")
    assert not (tmp_path / "back.pth").exists()


# -- files that are no checkpoints


class Harm:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_a_pickle_that_runs_something_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(saved(tmp_path, {"state_dict": THEIRS, "x": Harm()}), r"holds (posix|nt)\.system")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Harm()))
    refused(tmp_path / "plain.pkl", r"holds (posix|nt)\.system|cut off, or not a checkpoint")
    assert not (tmp_path / "harmed").exists()


def test_arrays_of_numpy_are_refused(tmp_path):
    (tmp_path / "d2.pkl").write_bytes(pickle.dumps({"model": {"a": np.ones(3)}}))
    refused(tmp_path / "d2.pkl", "holds numpy|cut off, or not a checkpoint")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(checkpoint, tmp_path, share):
    data = checkpoint.read_bytes()
    (tmp_path / "cut.pth").write_bytes(data[: int(share * len(data))])
    refused(tmp_path / "cut.pth", "cut.pth: cut off, or not a checkpoint of PyTorch")


@pytest.mark.parametrize("content", [b"weights\n", b"\x80\x02}q\x00.", bytes(range(256)) * 20])
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path, content):
    (tmp_path / "other.pth").write_bytes(content)
    refused(tmp_path / "other.pth", "cut off, or not a checkpoint|no state dict: nothing in it")


def test_a_truncated_safetensors_file_is_refused(tmp_path):
    tensorfile.write(tmp_path / "x.safetensors", THEIRS)
    data = (tmp_path / "x.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[:-10])
    refused(tmp_path / "cut.safetensors", "damaged", TensorFileError)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([1, 2], "holds a list, and no state dict"),
        (THEIRS["head.weight"], "holds a Tensor, and no state dict"),
        ({}, "nothing in it"),
        ({**THEIRS, "epoch": 3}, "no state dict: epoch in it"),
        ({**THEIRS, 4: torch.ones(2)}, "no state dict: 4 in it"),
        ({**THEIRS, "s": torch.eye(3).to_sparse()}, "no state dict: s in it"),
        ({**THEIRS, "c": torch.ones(2, dtype=torch.complex64)}, "no state dict: c in it"),
    ],
)
def test_what_is_no_state_dict_is_refused(tmp_path, state, message):
    refused(saved(tmp_path, state), message)


def test_a_checkpoint_that_holds_itself_is_refused(tmp_path):
    state = {}
    state["model"] = state
    refused(saved(tmp_path, state), "no state dict: model in it")


def test_missing_files_and_folders_are_refused(tmp_path):
    refused(tmp_path / "none.pth", "No such file or directory")
    refused(tmp_path, "Is a directory")


def test_a_target_that_cannot_be_written_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    def full(path, *_):
        path.write_bytes(b"the first part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensorfile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        import_weights(TABLE, checkpoint, tmp_path / "ours.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]


# -- the input that weights were trained on


def test_the_input_goes_along(checkpoint, tmp_path):
    import_weights(TABLE, checkpoint, tmp_path / "ours.safetensors")
    assert weights.read(tmp_path / "ours.safetensors").preprocess == CAFFE


def test_exporting_says_where_the_input_is_another(checkpoint, tmp_path):
    ours = tmp_path / "ours.safetensors"
    import_weights(TABLE, checkpoint, ours)
    other = replace(TABLE, preprocess={**CAFFE, "channels": "RGB"})
    done = export_weights(other, ours, tmp_path / "back.pth")
    assert done.notes[0].startswith("these weights expect channels BGR, scale 255.0")
    assert export_weights(TABLE, ours, tmp_path / "back.pth").notes == []


def test_a_detector_takes_the_input_that_its_weights_expect():
    detector = model.load(TINY).build()
    detector.expect(CAFFE)
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    blue_first = image[:, [2, 1, 0]].float()
    expected = blue_first - torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1)
    assert torch.allclose(detector.normalise(image), expected)
    assert detector.input.size == (64, 64)
    with pytest.raises(ContractError, match="input has gamma"):
        detector.expect({**CAFFE, "gamma": 2.2})


def test_training_goes_on_with_that_input_and_hands_it_on(tmp_path):
    run = trainer(tmp_path / "run")
    run.detector.expect(CAFFE)
    run.take_step.average.module.expect(CAFFE)
    run.steps = 2
    run.fit()
    run.save()
    assert weights.read(tmp_path / "run" / "last.safetensors").preprocess == CAFFE
    again = trainer(tmp_path / "run")
    assert again.detector.input.channels == "RGB"
    again.resume()
    assert again.detector.input.channels == "BGR"
    assert torch.equal(again.take_step.average.module.mean, run.detector.mean)


def test_a_run_starts_from_imported_weights(tmp_path, capsys):
    """Their backbone and their input are taken; a head for other classes is named."""
    network = model.load(TINY).network(num_classes=9)
    rows = tuple(Row(k, k, tuple(v.shape)) for k, v in network.state_dict().items())
    source = saved(tmp_path, network.state_dict())
    start = tmp_path / "start.safetensors"
    import_weights(Table("t", rows, preprocess=CAFFE), source, start)
    data, run = tmp_path / "data", tmp_path / "run"
    assert cli.synth([str(data), "--images", "20"]) == 0
    options = ["epochs=1", "batch=4", "workers=0", "precision=fp32", "lr=0"]
    command = [str(TINY), "--data", str(data), "-o", str(run), "--weights", str(start), *options]
    assert cli.train(command) == 0
    said = capsys.readouterr().err
    assert "freshly initialised, of another shape there: conf.0, conf.1\n" in said
    assert "input, as these weights expect it: {'channels': 'BGR'" in said
    trained = weights.read(run / "last.safetensors")
    assert trained.preprocess == CAFFE
    assert torch.equal(trained.tensors["stem.0.weight"], network.state_dict()["stem.0.weight"])


@pytest.mark.parametrize(
    "damaged",
    [
        "[1]",
        "{",
        "[" * 100_000,
        *(
            json.dumps({**CAFFE, **changed})
            for changed in (
                {"mean": [1, 2]},
                {"mean": [1, 2, "x"]},
                {"mean": [1, 2, float("nan")]},
                {"std": [1, 0, 1]},
                {"scale": "1"},
                {"scale": 10**400},
                {"scale": None},
                {"more": 3},
            )
        ),
    ],
)
def test_damaged_metadata_is_refused(tmp_path, damaged):
    tensorfile.write(tmp_path / "w.safetensors", {"a": torch.ones(1)}, {"preprocess": damaged})
    with pytest.raises(TensorFileError, match="damaged metadata"):
        weights.read(tmp_path / "w.safetensors")


def test_imported_weights_make_a_detector_for_their_classes_and_input(tmp_path):
    """Their classes have no names; what they expect as input is what it gets."""
    network = model.load(TINY).network(num_classes=9)
    rows = tuple(Row(k, k, tuple(v.shape)) for k, v in network.state_dict().items())
    source = saved(tmp_path, network.state_dict())
    known = Table("t", rows, preprocess=CAFFE, num_classes=9)
    import_weights(known, source, tmp_path / "o.safetensors")
    detector, names = api.trained(model.load(TINY), tmp_path / "o.safetensors", ())
    assert len(names) == 8
    assert detector.num_classes == 9
    assert detector.input.channels == "BGR"
