"""Pictures for people: detections on images, contact sheets, training curves.

Images are RGB uint8 [H, W, 3], here as everywhere.
"""

import colorsys
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def class_colour(label: int) -> tuple[int, int, int]:
    """A colour for a class, RGB: hues a golden angle apart, so that neighbours differ most."""
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
    """Images side by side, row by row, each scaled to fit the cell of the first one."""
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
    """Write an image as its suffix says (.png, .jpg); a reader sees the old file or the new one.

    Raises:
        ValueError: a suffix that names no image format.
        OSError: the file cannot be written.
    """
    target = Path(path)
    try:
        _, data = cv2.imencode(target.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error as error:
        raise ValueError(f"{target.name}: no image format `{target.suffix}`") from error
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(data.tobytes())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _tag(
    canvas: np.ndarray,
    text: str,
    corner: tuple[int, int],
    colour: tuple[int, int, int],
    scale: float,
) -> None:
    """Text on a filled ground above the corner, or below it where the image ends."""
    (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
    x = int(np.clip(corner[0], 0, max(0, canvas.shape[1] - width - 4)))
    y = corner[1] if corner[1] >= height + below + 2 else corner[1] + height + below + 2
    cv2.rectangle(canvas, (x, y - height - below - 2), (x + width + 4, y), colour, cv2.FILLED)
    dark = np.dot(colour, (0.299, 0.587, 0.114)) > 140
    ink = (0, 0, 0) if dark else (255, 255, 255)
    cv2.putText(canvas, text, (x + 2, y - below), _FONT, scale, ink, 1, cv2.LINE_AA)


def plot_curves(metrics: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Draw a run's curves: its loss over steps above, its scores below.

    Args:
        metrics: a file of JSON objects, one a line. `step` is the horizontal axis; `loss` goes to
            the upper chart, `map` and `map50` to the lower; other keys, nulls and a cut last
            line are passed over.
        target: the image file to write.

    Raises:
        ValueError: nothing to draw yet.
    """
    charts = [_read_curves(Path(metrics), keys) for keys in (("loss",), ("map50", "map"))]
    charts = [curves for curves in charts if curves]
    if not charts:
        raise ValueError(f"{metrics}: no record with a step and a loss or score")
    save_image(target, np.concatenate([_chart(curves) for curves in charts]))


def _read_curves(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """For each key that occurs, its points [N, 2]: step and value."""
    points: dict[str, list[tuple[float, float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:  # the last line of a run that was killed
            continue
        for key in keys:
            value = record.get(key)
            if "step" in record and isinstance(value, int | float) and math.isfinite(value):
                points.setdefault(key, []).append((record["step"], value))
    return {key: np.array(values, dtype=np.float64) for key, values in points.items()}


def _chart(curves: dict[str, np.ndarray], size: tuple[int, int] = (360, 720)) -> np.ndarray:
    """Lines over a grid with labelled ticks; the vertical axis starts at 0."""
    height, width = size
    left, right, top, bottom = 70, 20, 30, 40
    canvas = np.full((height, width, 3), 255, dtype=np.uint8)
    every = np.concatenate(list(curves.values()))
    steps = ticks(every[:, 0].min(), every[:, 0].max())
    values = ticks(0.0, every[:, 1].max())

    def place(points: np.ndarray) -> np.ndarray:
        low, high = np.array([(steps[0], values[0]), (steps[-1], values[-1])])
        x, y = ((points - low) / (high - low)).T
        across, down = (
            left + x * (width - left - right),
            height - bottom - y * (height - top - bottom),
        )
        return np.stack([across, down], axis=1).round().astype(int)

    for tick in values:
        x, y = place(np.array([[steps[0], tick]]))[0].tolist()
        cv2.line(canvas, (left, y), (width - right, y), (225, 225, 225), 1)
        _write(canvas, f"{tick:.4g}", (x - 10, y + 4), anchor=1.0)
    for tick in steps:
        x, y = place(np.array([[tick, values[0]]]))[0].tolist()
        cv2.line(canvas, (x, y), (x, y + 4), (120, 120, 120), 1)
        _write(canvas, f"{tick:.6g}", (x, y + 20), anchor=0.5)
    for number, (key, points) in enumerate(curves.items()):
        colour = class_colour(number * 2 + 1)
        line = place(points)
        cv2.polylines(canvas, [line.astype(np.int32)], False, colour, 2, cv2.LINE_AA)
        if len(line) == 1:
            cv2.circle(canvas, line[0].tolist(), 3, colour, cv2.FILLED, cv2.LINE_AA)
        _write(canvas, f"{key} {points[-1, 1]:.4g}", (left + 160 * number, 18), colour)
    return canvas


def ticks(low: float, high: float) -> np.ndarray:
    """Four to eight round numbers that span [low, high]."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    unit = next(unit * power for unit in (1, 2, 5, 10) if span / (unit * power) <= 6)
    first, last = math.floor(low / unit), math.ceil(high / unit)
    return np.arange(first, max(last, first + 1) + 1) * unit


def _write(
    canvas: np.ndarray,
    text: str,
    at: tuple[int, int],
    colour: tuple[int, int, int] = (60, 60, 60),
    *,
    anchor: float = 0.0,
) -> None:
    """Small text, with the point `anchor` of its width (0 left, 1 right) at x, its foot at y."""
    (width, _), _ = cv2.getTextSize(text, _FONT, 0.42, 1)
    cv2.putText(
        canvas, text, (round(at[0] - anchor * width), at[1]), _FONT, 0.42, colour, 1, cv2.LINE_AA
    )
