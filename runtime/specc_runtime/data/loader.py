"""Batches of fixed shape, read by worker processes, in an order that depends only on the seed."""

import math
import os
import signal
from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np
import torch
from torch.utils import data

from specc_runtime.data.augment import SSD_AUGMENTATION, SSDAugmentation
from specc_runtime.data.batch import Batch, Sample, Unreadable, collate
from specc_runtime.data.dataset import Dataset
from specc_runtime.data.draws import Purpose, generator, permutation
from specc_runtime.data.images import UnreadableImage
from specc_runtime.data.report import DataError
from specc_runtime.data.view import View


class Loader:
    """Iterates over the batches of one epoch.

    In training, the order is shuffled, images are augmented and the last partial batch is dropped;
    in evaluation all images come in order, stretched to `size`. Order and augmentation are pure
    functions of (seed, epoch, index), so they do not change with the number of workers or ranks, or with a
    restart at `start`. An image that turns out unreadable is quarantined: in training another of its batch
    takes its place, in evaluation the batch is shorter by one.

    Args:
        dataset: what to read.
        size: (height, width) of the network's input, in pixels.
        batch: images a batch, on all ranks together.
        seed: of the run.
        epoch: counted from 0.
        train: shuffle and augment.
        workers: processes that read; with 0 this one does. They are forked, and live until the loader
            is dropped, so `set_epoch` continues with the same ones.
        max_boxes: objects per image that batches are padded to.
        start: batches to skip.
        rank, world: of each batch this process takes every `world`-th image, from the `rank`-th on.
            In evaluation it may get none of the last batch, and then skips it.
        augmentation: geometric augmentation in training.

    Raises:
        DataError: `max_boxes` is too small for the data set, an epoch has no whole batch, or a batch
            has fewer images than there are ranks; while iterating, too many images are unreadable.
        RuntimeError: while iterating: "DataLoader worker …", a worker has died.
    """

    def __init__(  # noqa: PLR0913 - keywords, each a thing of its own
        self,
        dataset: Dataset,
        *,
        size: tuple[int, int],
        batch: int,
        seed: int,
        epoch: int,
        train: bool,
        workers: int,
        max_boxes: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        augmentation: SSDAugmentation = SSD_AUGMENTATION,
    ) -> None:
        if max_boxes < dataset.most_boxes:
            raise DataError(
                f"max_boxes is {max_boxes}, but an image has {dataset.most_boxes} objects: "
                f"set max_boxes to {dataset.most_boxes} or more"
            )
        workers = min(workers, os.cpu_count() or 1)  # more would only wait for one another
        self._dataset = dataset
        self._keys = _Keys(len(dataset), batch, seed, train, rank, world)
        if len(self._keys) == 0:
            raise DataError(f"{len(dataset)} images do not fill a batch of {batch}")
        if train and batch < world:
            raise DataError(f"a batch of {batch} images has not one for each of {world} processes")
        self._batches = data.DataLoader(
            _Reader(dataset, size, seed, augmentation if train else None),
            batch_sampler=self._keys,
            num_workers=workers,
            collate_fn=partial(collate, max_boxes=max_boxes, refill=train),
            worker_init_fn=_settle_in,
            persistent_workers=workers > 0,
            multiprocessing_context="fork" if workers else None,
            pin_memory=torch.cuda.is_available(),
        )
        self.set_epoch(epoch, start)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Let the next iteration give the batches of `epoch` from batch `start` on."""
        self._keys.epoch = epoch
        self._keys.start = start

    def __len__(self) -> int:
        """Batches of all ranks in a whole epoch, whatever `start` is."""
        return len(self._keys)

    def __iter__(self) -> Iterator[Batch]:
        try:
            for batch, unreadable in self._batches:
                for sample in unreadable:
                    self._dataset.quarantine(sample.index, sample.why)
                if batch is not None:
                    yield batch
        except (ConnectionError, EOFError, RuntimeError) as error:
            # The worker's pipe broke before PyTorch's own check noticed its death. On a GPU this ends
            # the thread that pins memory.
            if isinstance(error, RuntimeError) and "Pin memory thread exited" not in str(error):
                raise
            raise RuntimeError(f"DataLoader worker died handing over a batch: {error}") from error


class _Keys:
    """Batch sampler: lists of (epoch, index), all that a worker needs to make a sample."""

    def __init__(
        self, images: int, batch: int, seed: int, train: bool, rank: int, world: int
    ) -> None:
        self.images, self.batch, self.seed, self.train = images, batch, seed, train
        self.rank, self.world = rank, world
        self.epoch = self.start = 0

    def __len__(self) -> int:
        return (math.floor if self.train else math.ceil)(self.images / self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.arange(self.images)
        if self.train:
            order = permutation(self.seed, self.epoch, self.images)
        for number in range(self.start, len(self)):
            whole = order[number * self.batch : (number + 1) * self.batch]
            if own := whole[self.rank :: self.world].tolist():
                yield [(self.epoch, index) for index in own]


class _Reader(data.Dataset["Sample | Unreadable"]):
    """Makes the sample of a key (epoch, index), of the whole image if `augmentation` is None."""

    def __init__(
        self,
        dataset: Dataset,
        size: tuple[int, int],
        seed: int,
        augmentation: SSDAugmentation | None,
    ) -> None:
        self.dataset, self.size, self.seed = dataset, size, seed
        self.augmentation = augmentation

    def __getitem__(self, key: tuple[int, int]) -> Sample | Unreadable:
        epoch, index = key
        found = self.dataset.annotations[index]
        if self.augmentation is None:
            view, fill, min_side = View.whole(found.height, found.width), (0, 0, 0), 0.0
        else:
            rng = generator(Purpose.GEOMETRY, self.seed, epoch, index)
            view = self.augmentation.draw(rng, found.boxes, found.height, found.width)
            fill, min_side = self.augmentation.fill, self.augmentation.min_side
        try:
            image, shrink = self.dataset.shrunk(index, view.shrink(self.size))
        except UnreadableImage as error:
            return Unreadable(index, str(error))
        boxes, kept = view.place(found.boxes, self.size, min_side)
        return Sample(
            view.render(image, self.size, fill, shrink),
            boxes,
            found.labels[kept],
            found.difficult[kept],
            (found.height, found.width),
            index,
        )


def _settle_in(_: int) -> None:
    """Undo in a forked worker what does not suit it.

    OpenCV's own threads would only compete with the other workers, and the trainer's handler of
    SIGTERM, which merely notes the signal, would keep the worker alive for ever.
    """
    cv2.setNumThreads(0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
