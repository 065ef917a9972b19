"""SSD's geometric augmentation (Liu et al., SSD, ECCV 2016, section 2.2 and, zooming out, 3.6).

Ranges are those of the authors' code and of torchvision's reference: a patch has sides of 0.3 to 1
of the image's and an aspect of 1/2 to 2.
"""

from dataclasses import dataclass

import numpy as np

from specc_runtime.data.view import View


@dataclass(frozen=True)
class SSDAugmentation:
    """Zoom out, crop a patch with a minimum overlap, mirror: each at random, as one `View`.

    Attributes:
        zoom_out: the canvas's sides are up to this many times the image's ...
        zoom_probability: ... with this probability; otherwise the image stays as it is.
        overlaps: minimum IoU of the patch with one of the objects in it, drawn uniformly from these. 1
            takes the whole picture, 0 any patch that contains the centre of an object.
        sides: range of the patch's width and height, as fractions of the picture's.
        aspect: range of the patch's width over its height, both in pixels.
        trials: patches tried before another overlap is drawn.
        flip_probability: how often the picture is mirrored.
        fill: RGB around a zoomed-out image, the mean of ImageNet.
        min_side: objects narrower than this many pixels of the network's input are dropped.
    """

    zoom_out: float = 4.0
    zoom_probability: float = 0.5
    overlaps: tuple[float, ...] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    sides: tuple[float, float] = (0.3, 1.0)
    aspect: tuple[float, float] = (0.5, 2.0)
    trials: int = 40
    flip_probability: float = 0.5
    fill: tuple[int, int, int] = (123, 117, 104)
    min_side: float = 1.0

    def __post_init__(self) -> None:
        if 1.0 not in self.overlaps:
            raise ValueError(
                "overlaps must have 1.0, the whole picture: some images allow no patch"
            )

    def draw(self, rng: np.random.Generator, boxes: np.ndarray, height: int, width: int) -> View:
        """A random view of an image of height x width pixels with boxes [N, 4], x1 y1 x2 y2."""
        canvas = self._zoom_out(rng, height, width)
        x1, y1, x2, y2 = self._crop(rng, canvas, boxes.astype(np.float64))
        return View(x1, y1, x2, y2, flip=bool(rng.random() < self.flip_probability))

    def _zoom_out(self, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
        """A canvas [4], in pixels of the image, that contains the image at a random place."""
        image = np.array([width, height], dtype=np.float64)
        chance, ratio, *place = rng.random(4)
        if chance >= self.zoom_probability:
            return np.concatenate([np.zeros(2), image])
        canvas = image * (1 + ratio * (self.zoom_out - 1))
        start = -np.array(place) * (canvas - image)
        return np.concatenate([start, start + canvas])

    def _crop(self, rng: np.random.Generator, canvas: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """A patch [4] of the canvas with a random minimum overlap: the first of `trials` that has it."""
        if len(boxes) == 0:
            return canvas
        while True:  # ends, since one of the overlaps takes the whole canvas
            least = self.overlaps[int(rng.random() * len(self.overlaps))]
            if least >= 1.0:
                return canvas
            patches = self._patches(rng, canvas)
            overlap = _overlap_with_inner(patches, boxes)
            fits = np.flatnonzero(overlap >= least)
            if len(fits):
                return patches[fits[0]]

    def _patches(self, rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
        """Up to `trials` patches of the canvas with an allowed aspect: [K, 4]."""
        draws = rng.random((self.trials, 4))
        size = canvas[2:] - canvas[:2]
        low, high = self.sides
        sides = (low + draws[:, :2] * (high - low)) * size
        aspect = sides[:, 0] / sides[:, 1]
        start = canvas[:2] + draws[:, 2:] * (size - sides)
        patches = np.concatenate([start, start + sides], axis=1)
        return patches[(aspect >= self.aspect[0]) & (aspect <= self.aspect[1])]


SSD_AUGMENTATION = SSDAugmentation()
"""The authors' ranges."""

GENTLE_AUGMENTATION = SSDAugmentation(
    zoom_out=1.5, zoom_probability=0.3, overlaps=(0.7, 0.9, 1.0, 1.0), sides=(0.6, 1.0)
)
"""For few images and short runs: objects keep about their size."""

FLIP_AUGMENTATION = SSDAugmentation(zoom_probability=0.0, overlaps=(1.0,))
"""Whole images, half of them mirrored, as RetinaNet is trained (Lin et al., 2017, section 4.1)."""

AUGMENTATIONS = {
    "ssd": SSD_AUGMENTATION,
    "gentle": GENTLE_AUGMENTATION,
    "flip": FLIP_AUGMENTATION,
}


def _overlap_with_inner(patches: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Best IoU of each patch with the boxes centred in it, or -1 without any: [K]."""
    left, top, right, bottom = patches.T[..., None]
    x1, y1, x2, y2 = boxes.T
    across = np.minimum(right, x2) - np.maximum(left, x1)
    down = np.minimum(bottom, y2) - np.maximum(top, y1)
    shared = across.clip(0) * down.clip(0)
    union = (right - left) * (bottom - top) + (x2 - x1) * (y2 - y1) - shared
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    inner = (left < x) & (x < right) & (top < y) & (y < bottom)
    return np.where(inner, shared / union, -1.0).max(axis=1)
