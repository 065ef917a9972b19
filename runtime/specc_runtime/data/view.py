"""One affine warp from an image, with its boxes, to the network's input.

Zooming out, cropping, flipping and resizing together select the window of the image plane that the
network sees, and whether it is mirrored. As a single warp they read each pixel once and interpolate once.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True)
class View:
    """A window, in pixels of the source image, which may reach beyond the image."""

    x1: float
    y1: float
    x2: float
    y2: float
    flip: bool = False

    @staticmethod
    def whole(height: int, width: int) -> "View":
        """The image itself: a plain stretch to the network's size."""
        return View(0.0, 0.0, width, height)

    def shrink(self, size: tuple[int, int]) -> int:
        """The largest of 1, 2, 4 and 8 by which the source may shrink without being enlarged to `size`."""
        least = min((self.y2 - self.y1) / size[0], (self.x2 - self.x1) / size[1])
        return next(step for step in (8, 4, 2, 1) if step <= max(least, 1))

    def render(
        self,
        image: np.ndarray,
        size: tuple[int, int],
        fill: tuple[int, int, int],
        shrink: int = 1,
    ) -> np.ndarray:
        """The window stretched to `size` (height, width): uint8 [H, W, 3].

        If it shrinks twofold or more, whole blocks of pixels are averaged first, since bilinear
        interpolation alone would skip pixels.

        Args:
            image: the source, its sides already divided by `shrink`.
            size: of the result.
            fill: RGB outside the image.
            shrink: as of the method `shrink`.
        """
        height, width = size
        down = _Axis.of(self.y1 / shrink, self.y2 / shrink, image.shape[0], height)
        across = _Axis.of(self.x1 / shrink, self.x2 / shrink, image.shape[1], width)
        if self.flip:
            across = across.mirrored(width)
        seen = cv2.warpAffine(
            _average_blocks(image[down.read, across.read], down.block, across.block),
            np.array([[across.scale, 0.0, across.shift], [0.0, down.scale, down.shift]]),
            (across.stop - across.start, down.stop - down.start),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE
            if across.inside and down.inside
            else cv2.BORDER_CONSTANT,
            borderValue=fill,
        )
        if seen.shape[:2] == size:
            return seen
        margins = (down.start, height - down.stop, across.start, width - across.stop)
        return cv2.copyMakeBorder(seen, *margins, cv2.BORDER_CONSTANT, value=fill)

    def place(
        self, boxes: np.ndarray, size: tuple[int, int], min_side: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """The boxes [N, 4] of the source within the view.

        A box is kept if its centre is inside the window and, clipped to it, both its sides are at
        least `min_side` pixels of the result.

        Returns:
            float32 [K, 4] in pixels of the result, and the bool mask [N] of the boxes kept.
        """
        height, width = size
        start = np.array([self.x1, self.y1])
        scale = np.array([width / (self.x2 - self.x1), height / (self.y2 - self.y1)])
        corners = (boxes.reshape(-1, 2, 2) - start) * scale
        if self.flip:
            corners[..., 0] = width - corners[:, ::-1, 0]
        centres = corners.mean(axis=1)
        seen = ((centres > 0) & (centres < (width, height))).all(axis=1)
        corners = corners.clip(0, (width, height))
        kept = seen & (corners[:, 1] - corners[:, 0] >= min_side).all(axis=1)
        return corners[kept].reshape(-1, 4).astype(np.float32), kept


@dataclass(frozen=True)
class _Axis:
    """One axis of the warp.

    Attributes:
        inside: whether the window lies within the source.
        block: number of source pixels that are first averaged into one.
        read: the part of the source that is needed, in whole blocks.
        start, stop: the part of the result that the source covers.
        scale, shift: pixel i of that part is read at scale * i + shift, in blocks of `read`.
    """

    inside: bool
    block: int
    read: slice
    start: int
    stop: int
    scale: float
    shift: float

    @staticmethod
    def of(low: float, high: float, source: int, result: int) -> "_Axis":
        """The window from `low` to `high` of `source` pixels as `result` pixels."""
        step = (high - low) / result
        block = min(max(1, int(step)), source)
        first, last = _whole(low / block - 1, high / block + 1, source // block)
        start, stop = _whole((-low - block) / step, (source + block - low) / step, result)
        scale = step / block
        return _Axis(
            inside=0 <= low and high <= source,
            block=block,
            read=slice(first * block, last * block),
            start=start,
            stop=stop,
            scale=scale,
            # pixel i is centred at i + 0.5 in both images
            shift=low / block - first + (start + 0.5) * scale - 0.5,
        )

    def mirrored(self, result: int) -> "_Axis":
        """The same, read backwards."""
        return replace(
            self,
            start=result - self.stop,
            stop=result - self.start,
            scale=-self.scale,
            shift=self.shift + (self.stop - self.start - 1) * self.scale,
        )


def _whole(low: float, high: float, limit: int) -> tuple[int, int]:
    """The smallest range of integers within 0..limit that covers low..high, not empty."""
    first = min(max(math.floor(low), 0), limit - 1)
    return first, max(first + 1, min(math.ceil(high), limit))


def _average_blocks(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Mean over blocks of rows x columns pixels; an incomplete last block is dropped."""
    if rows == 1 and columns == 1:
        return image
    height, width = image.shape[0] // rows, image.shape[1] // columns
    whole = image[: height * rows, : width * columns]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
