"""Order, augmentation, shapes, resumption and unreadable images of the loader."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from specc_runtime.data import Batch, DataError, Dataset, Fault, Limits, Loader, open_dataset
from specc_runtime.data.batch import Sample, Unreadable, collate

from .voc_folder import VocFolder, jpeg, picture, with_exif

USUAL: dict[str, Any] = {
    "size": (64, 96),
    "batch": 5,
    "seed": 3,
    "epoch": 0,
    "train": True,
    "workers": 0,
    "max_boxes": 16,
}


def sample(index: int, objects: int) -> Sample:
    """A picture of one colour whose every second object is difficult."""
    boxes = np.arange(4 * objects, dtype=np.float32).reshape(-1, 4)
    labels, difficult = np.arange(objects), np.arange(objects) % 2 == 1
    return Sample(np.full((4, 6, 3), index, np.uint8), boxes, labels, difficult, (40, 60), index)


def load(dataset: Dataset, **changes: Any) -> list[Batch]:
    return list(Loader(dataset, **{**USUAL, **changes}))


def assert_same(a: list[Batch], b: list[Batch]) -> None:
    assert len(a) == len(b) > 0
    for one, other in zip(a, b, strict=True):
        for field, left, right in zip(Batch._fields, one, other, strict=True):
            assert torch.equal(left, right), field


@pytest.fixture
def train(shapes: Path) -> Dataset:
    return open_dataset(shapes, "train")


def test_samples_of_different_numbers_of_objects_are_stacked() -> None:
    unreadable = Unreadable(5, "truncated")
    made, left_out = collate([sample(3, 4), unreadable, sample(8, 1)], 6, refill=False)
    assert made is not None and left_out == [unreadable]
    assert made.images[:, 0, 0, 0].tolist() == made.indices.tolist() == [3, 8]
    assert made.boxes[0, 3].tolist() == [12, 13, 14, 15] and not made.boxes[1, 1:].any()
    assert made.labels.tolist() == [[0, 1, 2, 3, -1, -1], [0, -1, -1, -1, -1, -1]]
    assert made.difficult.int().tolist() == [[0, 1, 0, 1, 0, 0], [0] * 6]
    assert made.sizes.tolist() == [[40, 60]] * 2


def test_shapes_and_types(train: Dataset) -> None:
    batches = load(train)
    assert len(batches) == len(Loader(train, **USUAL)) == 28 // 5
    for batch in batches:
        assert batch.images.shape == (5, 3, 64, 96) and batch.images.dtype == torch.uint8
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.boxes.shape == (5, 16, 4) and batch.boxes.dtype == torch.float32
        assert batch.labels.shape == batch.difficult.shape == (5, 16)
        assert batch.labels.dtype == torch.int64 and batch.difficult.dtype == torch.bool
        assert batch.sizes.tolist() == [[120, 160]] * 5 and batch.sizes.dtype == torch.int32
        assert batch.indices.dtype == torch.int64
        padding = batch.labels == -1
        assert (batch.boxes[padding] == 0).all() and not batch.difficult[padding].any()
        boxes = batch.boxes[~padding]
        assert len(boxes) > 0
        assert (boxes[:, 2:] - boxes[:, :2] >= 1).all()
        assert (boxes >= 0).all() and (boxes <= torch.tensor([96.0, 64, 96, 64])).all()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_same_data_for_any_number_of_workers_and_any_start(train: Dataset, workers: int) -> None:
    whole = load(train, epoch=4)
    assert_same(load(train, epoch=4, workers=workers, start=2), whole[2:])


def test_images_are_shrunk_in_decoding_where_that_is_exact(folder: VocFolder) -> None:
    picture_of = picture(61, 90)
    folder.add("jpeg", image=jpeg(picture_of), size=None)
    folder.add("turned", image=with_exif(jpeg(picture_of), 6), size=None)
    folder.add("png", image=cv2.imencode(".png", picture_of)[1].tobytes(), size=None)
    (folder.root / "JPEGImages/png.jpg").rename(folder.root / "JPEGImages/png.png")
    dataset = open_dataset(folder.root, "train")
    whole, turned = (61, 90, 3), (90, 61, 3)
    for shrink, small in ((1, whole), (2, (31, 45, 3)), (4, (16, 23, 3)), (8, (8, 12, 3))):
        found = [dataset.shrunk(index, shrink) for index in range(3)]
        assert [image.shape for image, _ in found] == [small, turned, whole]
        assert [by for _, by in found] == [shrink, 1, 1]


def test_what_the_cache_has_room_for_never_depends_on_what_was_read(folder: VocFolder) -> None:
    for name in "ab":
        folder.add(name)
    dataset = open_dataset(folder.root, "train", cache_bytes=60 * 80 * 3)
    before = [dataset.shrunk(index, 2) for index in (0, 1)]
    after = [dataset.shrunk(index, 2) for index in (0, 1)]
    assert [by for _, by in before] == [by for _, by in after] == [1, 2]
    for (one, _), (other, _) in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_epochs_and_seeds_differ(train: Dataset) -> None:
    first, *others = (load(train), load(train, epoch=1), load(train, seed=4))
    for other in others:
        assert not torch.equal(first[0].indices, other[0].indices)
    seen = torch.cat([batch.indices for batch in first])
    assert len(seen.unique()) == 25


def test_same_image_is_augmented_differently_in_each_epoch_and_run(train: Dataset) -> None:
    def first_image(**changes: int) -> torch.Tensor:
        batches = load(train, batch=4, **changes)  # no image is left over
        images = torch.cat([batch.images for batch in batches])
        return images[torch.cat([batch.indices for batch in batches]).argmin()]

    first = first_image(epoch=1)
    assert not torch.equal(first_image(epoch=2), first)
    assert not torch.equal(first_image(epoch=1, seed=4), first)


def test_set_epoch_goes_on_with_the_same_workers(train: Dataset) -> None:
    loader = Loader(train, **{**USUAL, "workers": 1})
    assert_same(list(loader), load(train))
    loader.set_epoch(7, start=1)
    assert_same(list(loader), load(train, epoch=7)[1:])


def test_evaluation_shows_every_image_whole_and_in_order(train: Dataset) -> None:
    batches = load(train, train=False, epoch=9)
    assert [len(batch.indices) for batch in batches] == [5, 5, 5, 5, 5, 3]
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(28))
    annotation = train.annotations[0]
    count = len(annotation.boxes)
    expected = annotation.boxes * np.tile([96 / 160, 64 / 120], 2)
    np.testing.assert_allclose(batches[0].boxes[0, :count], expected, rtol=1e-5)
    assert batches[0].labels[0].tolist() == [*annotation.labels, *[-1] * (16 - count)]


@pytest.mark.parametrize("world", [2, 3, 4])
def test_ranks_share_each_batch_of_the_epoch_that_one_process_has(train: Dataset, world) -> None:
    whole = load(train, batch=4)
    parts = [load(train, batch=4, rank=rank, world=world) for rank in range(world)]
    assert {len(part) for part in parts} == {len(whole)} == {7}
    for batch, *shares in zip(whole, *parts, strict=True):
        for rank, share in enumerate(shares):
            for own, of_batch in zip(share, batch, strict=True):
                assert torch.equal(own, of_batch[rank::world])
    tests = [load(train, train=False, rank=rank, world=world) for rank in range(world)]
    seen = torch.cat([batch.indices for part in tests for batch in part])
    assert sorted(seen.tolist()) == list(range(28))


def test_a_batch_has_an_image_for_each_rank(train: Dataset) -> None:
    with pytest.raises(DataError, match="a batch of 2 images has not one for each of 3 processes"):
        load(train, batch=2, rank=0, world=3)


def test_too_little_room_and_too_few_images(train: Dataset) -> None:
    with pytest.raises(ValueError, match=f"set max_boxes to {train.most_boxes}"):
        load(train, max_boxes=train.most_boxes - 1)
    with pytest.raises(ValueError, match="do not fill a batch of 29"):
        load(train, batch=29)


@pytest.mark.parametrize("workers", [0, 2])
def test_cache_changes_nothing_and_spares_the_files(
    shapes: Path, train: Dataset, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = open_dataset(shapes, "train", cache_bytes=20 * 120 * 160 * 3)
    assert_same(load(cached, train=False, workers=workers), load(train, train=False))
    read: list[str] = []

    def refuse(path: Path, *_: object) -> np.ndarray:
        read.append(path.stem)
        return picture(120, 160)

    monkeypatch.setattr("specc_runtime.data.dataset.decode", refuse)
    load(cached, train=False)
    assert read == [sample.path.stem for sample in cached.annotations[20:]]
    with pytest.raises(ValueError, match="read-only"):
        cached.image(0)[:] = 0


def spoilt(
    folder: VocFolder, count: int, bad: tuple[int, ...], limits: Limits | None = None
) -> Dataset:
    """Images that pass the scan, some of which cannot be decoded."""
    for number in range(count):
        folder.add(f"{number:02}", [("cat", (10, 10, 40, 40))])
    for number in bad:
        path = folder.root / "JPEGImages" / f"{number:02}.jpg"
        path.write_bytes(path.read_bytes()[:-40])
    return open_dataset(folder.root, "train", limits=limits or Limits())


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_image_is_replaced_in_training(folder: VocFolder, workers: int) -> None:
    dataset = spoilt(folder, 10, (4,))
    for epoch in range(2):  # counted once, however often it is met
        batches = load(dataset, epoch=epoch, workers=workers)
        assert [len(batch.images) for batch in batches] == [5, 5]
        seen = torch.cat([batch.indices for batch in batches]).tolist()
        assert 4 not in seen and len(set(seen)) == 9
    assert dataset.report.count(Fault.BAD_IMAGE) == 1
    assert dataset.report.findings[Fault.BAD_IMAGE].examples[0].startswith("04.jpg")


@pytest.mark.parametrize("lost", [ConnectionResetError(104, "reset by peer"), EOFError()])
def test_a_worker_that_hangs_up_while_it_hands_over_has_died(train: Dataset, monkeypatch, lost):
    loader = Loader(train, **{**USUAL, "workers": 1})
    batches = iter(loader)
    next(batches)

    def hang_up(timeout: float) -> None:
        raise lost

    monkeypatch.setattr(loader._batches._iterator._data_queue, "get", hang_up)
    with pytest.raises(RuntimeError, match=r"^DataLoader worker died"):
        list(batches)


def test_unreadable_image_is_left_out_in_evaluation(folder: VocFolder) -> None:
    dataset = spoilt(folder, 12, (4, 10, 11), Limits(left_out=0.5))
    batches = load(dataset, train=False)
    assert [batch.indices.tolist() for batch in batches] == [[0, 1, 2, 3], [5, 6, 7, 8, 9]]
    assert dataset.report.count(Fault.BAD_IMAGE) == 3


def test_too_many_unreadable_images_stop_the_run(folder: VocFolder) -> None:
    dataset = spoilt(folder, 10, (4, 7))
    with pytest.raises(DataError, match="2 of the 10 samples cannot be used"):
        load(dataset)


def test_background_images_are_trained_on(folder: VocFolder) -> None:
    for number in range(5):
        folder.add(f"{number}")
    folder.add("other", [("cat", (2, 2, 9, 9))])
    folder.list(*"01234")
    (batch,) = load(open_dataset(folder.root, "train"))
    assert (batch.labels == -1).all()
