"""Contact sheets of training images and of detections, as data URIs."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from specc_runtime.data import AUGMENTATIONS, Dataset, Loader, UnreadableImage, photometric
from specc_runtime.drawing import contact_sheet, draw_detections
from specc_runtime.recipe import Recipe
from specc_runtime.report.findings import Findings

PICTURES = 12
COLUMNS = 4
SIDE = 320


def training_sheet(dataset: Dataset, size: tuple[int, int], recipe: Recipe) -> str:
    """The first images of the first epoch, augmented as in training."""
    loader = Loader(
        dataset,
        size=size,
        batch=min(PICTURES, len(dataset)),
        seed=recipe.seed,
        epoch=0,
        train=True,
        workers=0,
        max_boxes=max(1, dataset.most_boxes),
        augmentation=AUGMENTATIONS[recipe.augmentation],
    )
    batch = next(iter(loader))
    images = batch.images
    if recipe.distort_colours:
        images = photometric(images, recipe.seed, 0, batch.indices)
    shown: list[np.ndarray] = []
    for image, boxes, labels in zip(images, batch.boxes, batch.labels, strict=True):
        pixels = image.clamp(0, 255).byte().permute(1, 2, 0).numpy()
        real = labels >= 0
        shown.append(
            _drawn(pixels, boxes[real].numpy(), labels[real].numpy(), None, dataset.classes)
        )
    return _uri(contact_sheet(shown, COLUMNS))


def validation_sheets(dataset: Dataset, findings: Findings) -> tuple[str, str]:
    """Evenly chosen images of a split, once with their annotations, once with the detections."""
    indices = sorted(findings.found)
    places = np.linspace(0, len(indices) - 1, min(PICTURES, len(indices))).round()
    there: list[np.ndarray] = []
    found: list[np.ndarray] = []
    for index in (indices[int(place)] for place in places):
        try:
            image = dataset.image(index)
        except UnreadableImage:
            continue
        truth, objects = dataset.annotations[index], findings.found[index]
        sure = objects.scores >= findings.threshold
        boxes, labels, scores = (
            value[sure].numpy() for value in (objects.boxes, objects.labels, objects.scores)
        )
        there.append(_drawn(image, truth.boxes, truth.labels, None, dataset.classes))
        found.append(_drawn(image, boxes, labels, scores, dataset.classes))
    return _uri(contact_sheet(there, COLUMNS)), _uri(contact_sheet(found, COLUMNS))


def _drawn(
    image: np.ndarray,
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray | None,
    classes: Sequence[str],
) -> np.ndarray:
    """An image scaled to its size on the sheet and then drawn on, so that names stay readable."""
    scale = SIDE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return draw_detections(small, boxes * scale, labels, scores, classes)


def _uri(image: np.ndarray) -> str:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
