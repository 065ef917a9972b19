"""One affine warp from an image to the network's input, and its boxes with it.

Zooming out, cropping, flipping and resizing all come down to the same thing: which window of the
plane that the image lies in the network gets to see, and whether mirrored. Applying them as one
warp reads each pixel once and interpolates once.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class View:
    """A window in pixels of the source image; it may reach beyond the image."""

    x1: float
    y1: float
    x2: float
    y2: float
    flip: bool = False

    @staticmethod
    def whole(height: int, width: int) -> "View":
        """The image itself: a plain stretch to the network's size."""
        return View(0.0, 0.0, width, height)

    def render(
        self, image: np.ndarray, size: tuple[int, int], fill: tuple[int, int, int]
    ) -> np.ndarray:
        """The window stretched to `size` (height, width): uint8 [H, W, 3].

        Where it shrinks twofold or more, whole blocks of pixels are averaged first, since bilinear
        interpolation alone would skip pixels. Outside the image lies `fill`.
        """
        height, width = size
        rows = max(1, int((self.y2 - self.y1) / height))
        columns = max(1, int((self.x2 - self.x1) / width))
        inside = 0 <= self.x1 and 0 <= self.y1
        inside = inside and self.x2 <= image.shape[1] and self.y2 <= image.shape[0]
        image = _average_blocks(image, rows, columns)
        across = (self.x2 - self.x1) / width / columns
        down = (self.y2 - self.y1) / height / rows
        left = (self.x2 if self.flip else self.x1) / columns
        if self.flip:
            across = -across
        # pixel i is centred at i + 0.5 in both images
        to_source = np.array(
            [
                [across, 0.0, left + 0.5 * across - 0.5],
                [0.0, down, self.y1 / rows + 0.5 * down - 0.5],
            ]
        )
        return cv2.warpAffine(
            image,
            to_source,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE if inside else cv2.BORDER_CONSTANT,
            borderValue=fill,
        )

    def place(
        self, boxes: np.ndarray, size: tuple[int, int], min_side: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes [N, 4] of the source as the view shows them, and which remain.

        A box remains if its centre is inside the window and, clipped to it, both its sides are at
        least `min_side` pixels of the result.

        Returns:
            float32 [K, 4] in pixels of the result, and the bool mask [N] of those K.
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


def _average_blocks(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Mean over blocks of rows x columns pixels; an incomplete last block is left off."""
    height, width = image.shape[0] // rows, image.shape[1] // columns
    if (rows == 1 and columns == 1) or height == 0 or width == 0:
        return image
    whole = image[: height * rows, : width * columns]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
