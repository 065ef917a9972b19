"""Batches that go through memory that a GPU can read, on a machine that plays at having one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from specc_runtime.data import Batch, Loader, open_dataset

READING: dict[str, Any] = {
    "size": (64, 96),
    "batch": 5,
    "seed": 3,
    "epoch": 0,
    "train": True,
    "workers": 2,
    "max_boxes": 16,
}


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Tensors that were put into such memory."""
    moved: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        moved.append(tensor.clone())
        return moved[-1]

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name, said in {
        "is_available": True,
        "current_accelerator": torch.device("cuda"),
        "current_device_index": 0,
        "set_device_index": None,
    }.items():
        monkeypatch.setattr(torch.accelerator, name, lambda *_, said=said: said)
    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    return moved


def test_batches_stay_what_they_are(shapes: Path, pinned: list[torch.Tensor]) -> None:
    dataset = open_dataset(shapes, "train")
    found = list(Loader(dataset, **READING))
    kept = {tensor.data_ptr() for tensor in pinned}
    for batch in found:
        assert type(batch) is Batch
        assert all(tensor.data_ptr() in kept for tensor in batch)
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
    again = list(Loader(dataset, **{**READING, "workers": 0}))
    for one, other in zip(found, again, strict=True):
        assert all(map(torch.equal, one, other))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_that_hangs_up_has_died(
    shapes: Path, pinned: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that takes batches from readers then ends, and the message is PyTorch's of that."""

    def hang_up(_: int) -> None:
        raise ConnectionResetError

    monkeypatch.setattr(torch.accelerator, "set_device_index", hang_up)
    with pytest.raises(RuntimeError, match="DataLoader worker died"):
        list(Loader(open_dataset(shapes, "train"), **READING))
    assert pinned == []
