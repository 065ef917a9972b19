"""Pictures of shapes on textures, for the synthetic data set."""

import colorsys
import math

import cv2
import numpy as np

CLASSES = ("cross", "disc", "ring", "star", "triangle")
_SIDES = (0.06, 0.6)
"""Range of a shape's diameter, as fractions of the image's shorter side."""
_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with."""

Box = tuple[int, int, int, int]
"""x1 y1 x2 y2 in pixels; x2 and y2 are exclusive."""


def draw_scene(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[np.ndarray, list[tuple[str, Box]]]:
    """One image, RGB uint8 [H, W, 3], and its objects: class and box.

    Shapes cover up to 40 % of the box of an earlier one, and may be centred at the image's edge.
    """
    image = _texture(rng, size, contrast=70.0)
    for _ in range(int(rng.integers(3, 12))):
        _speckle(rng, image)
    objects: list[tuple[str, Box]] = []
    for _ in range(int(rng.integers(2, 10))):
        name = CLASSES[int(rng.integers(len(CLASSES)))]
        mask = _mask(rng, name, size)
        x1, y1, width, height = cv2.boundingRect(mask)
        box = (x1, y1, x1 + width, y1 + height)
        if min(width, height) < 5 or any(_covered(other, box) > 0.4 for _, other in objects):
            continue
        inside = (slice(y1, y1 + height), slice(x1, x1 + width))
        paint = _texture(rng, (height, width), contrast=25.0)
        alpha = mask[inside][..., None] / np.float32(255)
        image[inside] = paint * alpha + image[inside] * (1 - alpha)
        objects.append((name, box))
    noise = rng.integers(-10, 11, image.shape, dtype=np.int8)
    return cv2.add(image, noise, dtype=cv2.CV_8U), objects


def _texture(rng: np.random.Generator, size: tuple[int, int], contrast: float) -> np.ndarray:
    """A random colour, clouded by `contrast` grey levels and crossed by faint waves: [H, W, 3]."""
    height, width = size
    cells = int(rng.integers(2, 9))
    shade = rng.normal(0, contrast / 2, (cells, cells, 1))
    tint = rng.normal(0, contrast / 6, (cells, cells, 3))
    clouds = cv2.resize(
        (shade + tint).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    angle, pitch = rng.uniform(0, math.pi), rng.uniform(0.15, 0.8)
    across = np.arange(width, dtype=np.float32) * math.cos(angle) * pitch
    down = np.arange(height, dtype=np.float32) * math.sin(angle) * pitch
    waves = np.sin(across + down[:, None]) * (contrast / 8)
    return (_colour(rng) + clouds + waves[..., None]).clip(0, 255).astype(np.uint8)


def _colour(rng: np.random.Generator) -> np.ndarray:
    """A muted RGB colour, float32 [3]."""
    hue, saturation, value = rng.uniform((0.0, 0.1, 0.35), (1.0, 0.7, 0.95))
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32) * 255


def _speckle(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw a short line: clutter that belongs to no class."""
    height, width = image.shape[:2]
    start = rng.uniform(0, 1, 2) * (width, height)
    end = start + rng.normal(0, 0.12, 2) * (width, height)
    colour = _colour(rng).tolist()
    points = [tuple(int(value) for value in point) for point in (start, end)]
    cv2.line(image, *points, color=colour, thickness=int(rng.integers(1, 4)), lineType=cv2.LINE_AA)


def _mask(rng: np.random.Generator, name: str, size: tuple[int, int]) -> np.ndarray:
    """A shape of random place, size, turn and elongation: uint8 [H, W], 255 inside."""
    height, width = size
    low, high = _SIDES
    radius = low * (high / low) ** rng.random() * min(size) / 2
    turn, squeeze = rng.uniform(0, 2 * math.pi), rng.uniform(0.7, 1.0)
    centre = rng.uniform(0, 1, 2) * (width, height)
    turned = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    mask = np.zeros(size, dtype=np.uint8)
    stretch = np.array([[radius, 0.0], [0.0, radius * squeeze]])
    outlines = [outline @ stretch @ turned + centre for outline in _outlines(name)]
    fixed = [np.asarray((outline * 2**_SHIFT).round(), dtype=np.int32) for outline in outlines]
    cv2.fillPoly(mask, fixed, color=255, lineType=cv2.LINE_AA, shift=_SHIFT)
    return mask


def _outlines(name: str) -> list[np.ndarray]:
    """The polygons [N, 2] of a class, in the unit circle, filled by the even-odd rule."""
    match name:
        case "cross":
            arm = 0.3
            corner = np.array([[1, -arm], [1, arm], [arm, arm]])
            quarter = np.array([[0, 1], [-1, 0]])
            turns = [np.linalg.matrix_power(quarter, number) for number in range(4)]
            return [np.concatenate([corner @ turn for turn in turns])]
        case "ring":
            return [_circle(40), _circle(40) * 0.55]
        case "star":
            return [_circle(10) * np.where(np.arange(10) % 2, 0.42, 1.0)[:, None]]
        case "triangle":
            return [_circle(3)]
        case _:
            return [_circle(40)]


def _circle(corners: int) -> np.ndarray:
    angles = np.arange(corners) * (2 * math.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _covered(box: Box, by: Box) -> float:
    """The fraction of `box` that `by` covers."""
    width = min(box[2], by[2]) - max(box[0], by[0])
    height = min(box[3], by[3]) - max(box[1], by[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(width, 0) * max(height, 0) / area
