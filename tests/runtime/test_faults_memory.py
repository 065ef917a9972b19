"""Memory runs out where it can: in a step, in the optimizer's first one, and in a validation."""

import warnings
from dataclasses import replace

import pytest
import torch

from specc_runtime import cli, model
from specc_runtime.data import open_dataset, synth
from specc_runtime.detector import Detector
from specc_runtime.device import shortages
from specc_runtime.inference import detect_dataset, evaluate
from specc_runtime.optim import optimizer_tensors

from .operations import Operations
from .training import RECIPE, TINY, batch, trainer

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """14 images to train on, 3 to validate with."""
    folder = tmp_path_factory.mktemp("data")
    synth.write(folder, images=20, size=(64, 64))
    return folder


def bound(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Have the device's memory hold so many images at a time in evaluation; the sizes tried."""
    forward, tried = Detector.forward, []

    def bounded(self, images):
        if not self.training:
            tried.append(len(images))
            if len(images) > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, images)

    monkeypatch.setattr(Detector, "forward", bounded)
    return tried


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_optimizers_first_step_needs_no_memory_of_its_own(tmp_path, optimizer):
    stepper = trainer(tmp_path, replace(RECIPE, optimizer=optimizer)).take_step
    network = stepper.detector.network
    before = optimizer_tensors(network, stepper.optimizer)
    update, operations = stepper.optimizer.step, Operations()

    def watched():
        with operations:
            update()

    stepper.optimizer.step = watched
    stepper(batch(0, 0), 0, 0, 0.1)
    after = optimizer_tensors(network, stepper.optimizer)
    assert {name: value.data_ptr() for name, value in after.items()} == {
        name: value.data_ptr() for name, value in before.items()
    }
    assert any(value.any() for value in after.values())
    assert f"_fused_{optimizer}_" in operations.names
    assert not [name for name in operations.names if "zeros" in name or "empty" in name]


def test_what_a_compiler_says_of_a_lack_of_memory_is_understood():
    def backend(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"), shortages():
        torch.compile(torch.sin, backend=backend)(torch.ones(2))
    torch.compiler.reset()


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling")]
)
def test_a_lack_of_memory_has_one_name(error):
    with pytest.raises(torch.OutOfMemoryError, match=str(error) or "out of memory"), shortages():
        raise error


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of range")])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, shortages():
        raise error
    assert raised.value is error


@pytest.mark.parametrize(("most", "tried"), [(2, [5, 3, 2, 2, 1]), (1, [5, 3, 2, 1, 1, 1, 1, 1])])
def test_without_memory_a_validation_looks_at_half_as_many(data, monkeypatch, most, tried):
    torch.manual_seed(0)
    dataset = open_dataset(data, "train")
    detector = model.load(TINY).build(len(dataset.classes))
    wanted = evaluate(detector, dataset, "voc", batch=most)
    seen = bound(monkeypatch, most)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        assert evaluate(detector, dataset, "voc", batch=5) == wanted
        assert seen[: len(tried)] == tried and max(seen[len(tried) :]) <= most
        evaluate(detector, dataset, "voc", batch=5)
    told = [str(warning.message) for warning in said]
    assert len(told) == len(set(told))  # once, in whatever number of validations
    assert told[-1] == f"out of memory: from now on {most} images are looked at at a time"


@pytest.mark.filterwarnings("ignore:out of memory")
def test_objects_stay_with_their_images(data, monkeypatch):
    dataset = open_dataset(data, "train")
    detector = model.load(TINY).build(len(dataset.classes)).eval()
    whole = [(at.tolist(), found) for at, found in detect_dataset(detector, dataset, batch=7)]
    bound(monkeypatch, 3)
    halved = [(at.tolist(), found) for at, found in detect_dataset(detector, dataset, batch=7)]
    for (indices, found), (wanted_indices, wanted) in zip(halved, whole, strict=True):
        assert indices == wanted_indices
        for mine, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine.boxes, theirs.boxes)
            torch.testing.assert_close(mine.scores, theirs.scores)


@pytest.mark.filterwarnings("ignore:out of memory")
def test_without_memory_for_one_image_the_command_says_so(data, monkeypatch, capsys):
    bound(monkeypatch, 0)
    given = [str(TINY), "--data", str(data), "--split", "train", "--workers", "0"]
    assert cli.main(["eval", *given]) == 1
    assert capsys.readouterr().err == "error: CUDA out of memory.\n"
