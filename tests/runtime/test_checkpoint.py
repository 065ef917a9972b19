"""Checkpoints survive what can befall them, and tensor files are those of safetensors."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from specc_runtime import checkpoint, tensorfile
from specc_runtime.checkpoint import Checkpoint, CheckpointError
from specc_runtime.tensorfile import TensorFileError

torch.set_num_threads(1)

TENSORS = {
    "weight": torch.randn(3, 4, 5, 5).to(memory_format=torch.channels_last),
    "half": torch.randn(7).bfloat16(),
    "flag": torch.tensor([True, False, True]),
    "count": torch.tensor(12345678901),
    "empty": torch.empty(0, 4),
    "double": torch.randn(2, 2, dtype=torch.float64),
}


def checkpoint_of(step: int) -> Checkpoint:
    return Checkpoint(step, {"model": TENSORS, "optimizer": {"a/b": torch.ones(2)}}, {"best": 0.5})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def equal(a, b):
    assert a.keys() == b.keys()
    assert all(a[n].dtype == b[n].dtype and torch.equal(a[n], b[n]) for n in a)


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint.save(tmp_path, checkpoint_of(7))
    found = checkpoint.load_last(tmp_path)
    assert found.step == 7 and found.state == {"best": 0.5}
    equal(found.tensors["model"], TENSORS)


def test_the_last_two_are_kept(tmp_path):
    for step in (1, 2, 3, 4):
        checkpoint.save(tmp_path, checkpoint_of(step))
    assert names(tmp_path) == ["step-00000003", "step-00000004"]


def test_later_ones_of_a_run_given_up_go(tmp_path):
    for step in (10, 20):
        checkpoint.save(tmp_path, checkpoint_of(step))
    checkpoint.save(tmp_path, checkpoint_of(15))
    assert names(tmp_path) == ["step-00000010", "step-00000015"]


def test_the_same_step_can_be_saved_again(tmp_path):
    checkpoint.save(tmp_path, checkpoint_of(5))
    checkpoint.save(tmp_path, Checkpoint(5, {"model": {}}, {"best": 0.9}))
    assert checkpoint.load_last(tmp_path).state == {"best": 0.9}


FILES = ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_one_falls_back_to_the_one_before_with_a_warning(tmp_path, name, damage):
    checkpoint.save(tmp_path, checkpoint_of(1))
    file = checkpoint.save(tmp_path, checkpoint_of(2)) / name
    data = bytearray(file.read_bytes())
    if damage == "remove":
        file.unlink()
    else:
        data[len(data) // 2] ^= 0x10
        file.write_bytes(data if damage == "flip" else data[: len(data) // 2])
    with pytest.warns(UserWarning, match="checkpoint passed over"):
        assert checkpoint.load_last(tmp_path).step == 1


def test_without_any_there_is_a_clear_error(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint to go on from: begin the run again"):
        checkpoint.load_last(tmp_path)


def test_a_write_that_was_cut_off_at_any_point_leaves_the_last_whole(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    checkpoint.save(tmp_path, checkpoint_of(1))
    points = 0
    while True:
        left = points

        def dying(path, flush=checkpoint.flush):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            flush(path)

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "flush", dying)
            try:
                checkpoint.save(tmp_path, checkpoint_of(2))
            except Killed:
                renamed = points == 5  # only the name in the folder above was still to be flushed
                assert checkpoint.load_last(tmp_path).step == (2 if renamed else 1)
                shutil.rmtree(tmp_path / "step-00000002", ignore_errors=True)
                points += 1
            else:
                break
    assert points == 6  # four files, their folder, the folder above
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


def test_safetensors_reads_what_we_write_and_we_what_it_writes(tmp_path):
    tensorfile.write(tmp_path / "ours", TENSORS, {"classes": "[]"})
    equal(load_file(tmp_path / "ours"), TENSORS)
    save_file({n: t.contiguous() for n, t in TENSORS.items()}, tmp_path / "theirs", {"a": "b"})
    tensors, metadata = tensorfile.read(tmp_path / "theirs")
    equal(tensors, TENSORS)
    assert metadata == {"a": "b"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"shape":[7]', b'"shape":[8]'),
        (b'"shape":[7]', b'"shape":[-7]'),
        (b'"BF16"', b'"XF16"'),
        (b"{", b"["),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, old, new):
    path = tmp_path / "file"
    tensorfile.write(path, {"half": TENSORS["half"]})
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(TensorFileError):
        tensorfile.read(path)


@pytest.mark.parametrize(
    "entry",
    [
        '{"dtype":"F32","shape":[Infinity],"data_offsets":[0,0]}',
        '{"dtype":"F32","shape":[4e400],"data_offsets":[0,0]}',
        f'{{"dtype":"F32","shape":[0,{10**30}],"data_offsets":[0,0]}}',
        f'{{"dtype":"F32","shape":[0,{2**62},{2**62}],"data_offsets":[0,0]}}',
        '{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"__metadata__":[1]',
    ],
)
def test_what_no_tensor_can_be_is_refused(tmp_path, entry):
    header = f'{{"a":{entry}}}'.encode()
    (tmp_path / "file").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(TensorFileError, match="damaged"):
        tensorfile.read(tmp_path / "file")


def test_offsets_beyond_the_file_are_refused(tmp_path):
    path = tmp_path / "file"
    header = b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 8)
    with pytest.raises(TensorFileError, match="0 to 16 of 8 bytes"):
        tensorfile.read(path)


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"\xff" * 20)
    with pytest.raises(TensorFileError, match="cut off"):
        tensorfile.read(tmp_path / "file")
