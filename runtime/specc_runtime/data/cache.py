"""Decoded images kept in memory that all loader workers share."""

import mmap
from collections.abc import Sequence

import numpy as np


class ImageCache:
    """A cache of the first images of a data set, as many as fit.

    The memory is one anonymous shared mapping, made before workers are forked: an image that one
    of them decodes is there for all. (It is not a file in /dev/shm, which containers keep small.)
    Pages are allocated only as images arrive.

    Args:
        sizes: (height, width) of every image, in pixels.
        max_bytes: bound on the memory; 0 keeps nothing.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], max_bytes: int) -> None:
        ends = np.cumsum([height * width * 3 for height, width in sizes], dtype=np.int64)
        self._sizes = sizes[: int(np.searchsorted(ends, max_bytes, side="right"))]
        self._ends = ends[: len(self._sizes)]
        self._pixels = _shared(int(self._ends[-1]) if self._sizes else 0)
        self._present = _shared(len(self._sizes))

    def has_room(self, index: int) -> bool:
        """Whether the image will be kept once it has been read."""
        return index < len(self._sizes)

    def get(self, index: int) -> np.ndarray | None:
        """The image, uint8 [H, W, 3], read-only; None if it is not in the cache."""
        if not self.has_room(index) or not self._present[index]:
            return None
        image = self._room(index)
        image.flags.writeable = False
        return image

    def put(self, index: int, image: np.ndarray) -> None:
        """Keep a copy of an image if there is room for it."""
        if self.has_room(index):
            self._room(index)[:] = image
            self._present[index] = 1  # last, so that other processes see only whole images

    def _room(self, index: int) -> np.ndarray:
        height, width = self._sizes[index]
        end = int(self._ends[index])
        return self._pixels[end - height * width * 3 : end].reshape(height, width, 3)


def _shared(size: int) -> np.ndarray:
    """Zeroed bytes that stay shared between this process and those forked from it."""
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype=np.uint8)[:size]
