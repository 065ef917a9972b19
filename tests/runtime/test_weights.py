"""Weights in files of their own."""

import pytest
import torch

from specc_runtime import cli, model, tensorfile, weights
from specc_runtime.data import synth
from specc_runtime.weights import WeightsError

from .training import CLASSES, TINY

torch.set_num_threads(1)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(1)
    network = model.load(TINY).build().network
    weights.save(tmp_path / "w.safetensors", network, CLASSES, step=7)
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]
    return network, weights.read(tmp_path / "w.safetensors")


def test_they_come_back_with_their_classes(saved):
    network, read = saved
    assert read.classes == CLASSES
    other = model.load(TINY).build().network
    weights.load(other, read)
    for name, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)


def test_for_other_classes_they_do_not_fit(saved):
    with pytest.raises(WeightsError, match=r"conf.0.weight, conf.0.bias, .*same number of classes"):
        weights.load(model.load(TINY).build(8).network, saved[1])


def test_a_part_of_the_weights_is_a_beginning_and_no_detector(saved, tmp_path, capsys):
    path = tmp_path / "part.safetensors"
    part = {name: v for name, v in saved[1].tensors.items() if not name.startswith("conf.")}
    tensorfile.write(path, part)
    synth.write(tmp_path / "data", images=20, size=(64, 64))
    data = ["--data", str(tmp_path / "data")]
    told = (
        "a part of this network's weights, and none for conf.0.weight, conf.0.bias, conf.1.weight"
    )
    picture = str(tmp_path / "data/JPEGImages/train_00000.jpg")
    for command in (["eval", *data, "--workers", "0"], ["predict", picture, "-o", str(tmp_path)]):
        name, *rest = command
        assert cli.main([name, str(TINY), *rest, "--weights", str(path)]) == 1
        said = capsys.readouterr().err
        assert told in said and "`train --weights` begins with a part" in said
    run = ["-o", str(tmp_path / "run"), "--val-split", "none", "epochs=1", "batch=4", "workers=0"]
    assert cli.main(["train", str(TINY), *data, "--weights", str(path), *run]) == 0
    assert "freshly initialised, not there: conf.0, conf.1" in capsys.readouterr().err
    trained = str(tmp_path / "run/last.safetensors")
    assert cli.main(["eval", str(TINY), *data, "--workers", "0", "--weights", trained]) == 0


def test_a_network_for_other_classes_starts_from_what_fits(saved):
    network, read = saved
    other = model.load(TINY).build(8).network
    fit = weights.load_fitting(other, read)
    assert not fit.absent
    assert fit.of_other_shape == [f"conf.{i}.{what}" for i in (0, 1) for what in ("weight", "bias")]
    assert torch.equal(other.stem[0].weight, network.stem[0].weight)


def test_weights_of_another_network_are_refused(saved):
    foreign = weights.Weights({"backbone.weight": torch.ones(3)})
    with pytest.raises(WeightsError, match="no weight fits this network: the file has backbone"):
        weights.load_fitting(saved[0], foreign)
    extra = weights.Weights({**saved[1].tensors, "more": torch.ones(1)})
    with pytest.raises(WeightsError, match="more"):
        weights.load(saved[0], extra)
