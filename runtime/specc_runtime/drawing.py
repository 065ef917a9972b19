"""Detections drawn on images, and contact sheets. Images are RGB uint8 [H, W, 3]."""

import colorsys
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from specc_runtime.files import write_whole

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def class_colour(label: int) -> tuple[int, int, int]:
    """The RGB colour of a class: hues a golden angle apart, so that neighbours differ most."""
    red, green, blue = colorsys.hsv_to_rgb((0.03 + label * 0.618034) % 1, 0.85, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_detections(
    image: np.ndarray,
    boxes: ArrayLike,
    labels: ArrayLike,
    scores: ArrayLike | None,
    classes: Sequence[str],
) -> np.ndarray:
    """A copy of an image with boxes, class names and scores, the best on top.

    Args:
        image: RGB uint8 [H, W, 3].
        boxes: [N, 4], x1 y1 x2 y2 in pixels of the image.
        labels: [N], 0-based positions in `classes`.
        scores: [N], or None for ground truth.
        classes: names without background.
    """
    canvas = np.ascontiguousarray(image).copy()
    kinds: list[int] = np.asarray(labels).tolist()
    names = [str(classes[kind]) for kind in kinds]
    order = list(range(len(names)))
    if scores is not None:
        values: list[float] = np.asarray(scores).tolist()
        names = [f"{name} {value:.2f}" for name, value in zip(names, values, strict=True)]
        order.sort(key=values.__getitem__)
    scale = float(np.clip(min(image.shape[:2]) / 800, 0.4, 1.2))
    corners = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).round().astype(int)
    for number in order:
        x1, y1, x2, y2 = corners[number].tolist()
        colour = class_colour(kinds[number])
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, max(1, round(2 * scale)))
        _tag(canvas, names[number], (x1, y1), colour, scale)
    return canvas


def contact_sheet(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Images in a grid, each scaled to fit a cell of the first one's size."""
    height, width = images[0].shape[:2]
    rows = -(-len(images) // columns)
    gap = 4
    cell = (height + gap, width + gap)
    sheet = np.full((rows * cell[0] + gap, columns * cell[1] + gap, 3), 255, dtype=np.uint8)
    for number, image in enumerate(images):
        scale = min(height / image.shape[0], width / image.shape[1])
        fitted = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = (gap + (number // columns) * cell[0], gap + (number % columns) * cell[1])
        sheet[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return sheet


def save_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write an image in the format of its suffix (.png, .jpg); readers see the old file or the new one.

    Raises:
        ValueError: a suffix that names no image format.
        OSError: the file cannot be written.
    """
    target = Path(path)
    try:
        _, data = cv2.imencode(target.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise ValueError(f"{target.name}: no image format `{target.suffix}`") from error
    write_whole(target, lambda partial: partial.write_bytes(data.tobytes()))


def _tag(
    canvas: np.ndarray,
    text: str,
    corner: tuple[int, int],
    colour: tuple[int, int, int],
    scale: float,
) -> None:
    """Text on a filled background above the corner, or below it at the image's top edge."""
    (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
    x = int(np.clip(corner[0], 0, max(0, canvas.shape[1] - width - 4)))
    y = corner[1] if corner[1] >= height + below + 2 else corner[1] + height + below + 2
    cv2.rectangle(canvas, (x, y - height - below - 2), (x + width + 4, y), colour, cv2.FILLED)
    dark = np.dot(colour, (0.299, 0.587, 0.114)) > 140
    ink = (0, 0, 0) if dark else (255, 255, 255)
    cv2.putText(canvas, text, (x + 2, y - below), _FONT, scale, ink, 1, cv2.LINE_AA)
