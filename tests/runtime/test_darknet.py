"""Darknet's `.weights` files: the order of their numbers, and files that are not whole."""

import struct
from pathlib import Path

import pytest
import torch
from torch import nn

from specc.driver import compile_spec
from specc.loading import load_module
from specc_runtime import darknet
from specc_runtime.darknet import DarknetFileError, Header

torch.set_num_threads(1)

SPECS = Path(__file__).parents[2] / "specs"


def network():
    """A convolution with a norm, one with a bias, and a layer that is connected."""
    torch.manual_seed(3)
    made = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), nn.Linear(5, 2)
    )
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.normal_()
    return made


def shapes(model):
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "x.weights"
    darknet.write(path, network().state_dict(), Header(0, 2, 5, 32_013_312))
    return path


def test_numbers_lie_as_darknet_writes_them(file):
    conv, norm, plain, full = network()
    expected = [norm.bias, norm.weight, norm.running_mean, norm.running_var, conv.weight]
    expected += [plain.bias, plain.weight, full.bias, full.weight]
    numbers = [number for tensor in expected for number in tensor.detach().reshape(-1).tolist()]
    header = struct.pack("<iii", 0, 2, 5) + struct.pack("<q", 32_013_312)
    assert file.read_bytes() == header + struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.mark.parametrize("header", [Header(0, 1, 0, 7), Header(0, 2, 5, 2**40), Header(1, 0, 0, 1)])
def test_what_is_read_and_written_is_the_same_file(tmp_path, header):
    first, second = tmp_path / "first.weights", tmp_path / "second.weights"
    darknet.write(first, network().state_dict(), header)
    tensors, read = darknet.read(first, shapes(network()))
    assert read == header
    assert list(tensors) == [key for key in shapes(network()) if "num_batches" not in key]
    darknet.write(second, tensors, read)
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("name", ["yolov1", "yolov2", "yolov3_tiny", "yolov3"])
def test_a_changed_tensor_changes_its_bytes_alone(tmp_path, name):
    model = load_module(compile_spec(SPECS / f"{name}.yaml", resize=(64, 64)))
    state, path = model.state_dict(), tmp_path / "x.weights"
    darknet.write(path, state)
    before = numbers(path)
    read, header = darknet.read(path, shapes(model))
    assert all(torch.equal(tensor, state[key]) for key, tensor in read.items())
    order = darknet.file_order(shapes(model))
    assert sorted(order) == sorted(read)
    changed = {order[place] for place in (0, 4, len(order) // 2, -2, -1)}
    darknet.write(path, {key: x + (key in changed) for key, x in read.items()}, header)
    after, place = numbers(path), 0
    for key in order:
        end = place + read[key].numel()
        is_same = after[place:end].eq(before[place:end])
        assert bool((~is_same if key in changed else is_same).all()), key
        place = end
    assert place == len(after) == len(before)


def numbers(path):
    return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.float32, offset=20)


def test_a_file_that_is_cut_off(file):
    whole = file.read_bytes()
    file.write_bytes(whole[:-4])
    with pytest.raises(DarknetFileError, match=r"145 numbers, .* has 146: cut off at `3.weight`"):
        darknet.read(file, shapes(network()))
    file.write_bytes(whole[:-2])
    with pytest.raises(DarknetFileError, match=r"cut off at `3.weight`"):
        darknet.read(file, shapes(network()))
    for length in (0, 3, 15, 18):
        file.write_bytes(whole[:length])
        with pytest.raises(DarknetFileError, match="cut off within the header"):
            darknet.read(file, shapes(network()))


def test_a_file_that_is_too_long(file):
    file.write_bytes(file.read_bytes() + b"\0" * 400)
    with pytest.raises(DarknetFileError, match="246 numbers, and this network has 146: it is ano"):
        darknet.read(file, shapes(network()))


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "x.weights"
    path.write_bytes(b"PK\x03\x04" * 40)
    with pytest.raises(DarknetFileError, match="not a file of Darknet"):
        darknet.read(path, shapes(network()))
    with pytest.raises(DarknetFileError, match="No such file"):
        darknet.read(tmp_path / "none.weights", shapes(network()))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Conv2d(3, 4, 1, bias=False)], "`0.weight` has neither a bias nor a norm"),
        ([nn.Conv2d(3, 4, 1, bias=False), nn.Linear(2, 2)], "`0.weight` has neither"),
        ([nn.BatchNorm2d(4)], "`0` is a norm that follows no convolution"),
        ([nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(5)], "`1` is a norm that follows no"),
        ([nn.BatchNorm2d(4, affine=False)], "`0` has running_mean, running_var: no layer of D"),
    ],
)
def test_layers_that_no_file_could_hold(layers, message):
    with pytest.raises(DarknetFileError, match=message):
        darknet.file_order(shapes(nn.Sequential(*layers)))
