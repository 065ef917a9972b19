"""COCO's mean average precision, by faster-coco-eval (same numbers as pycocotools, 10 times as fast).

Lin et al., Microsoft COCO, ECCV 2014; cocodataset.org/#detection-eval: IoU 0.50:0.05:0.95, 101
recall points, 100 detections an image.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from specc_runtime.data import Annotation


def coco_library() -> Any:
    """The module faster_coco_eval, or an ImportError that says what to install."""
    try:
        return importlib.import_module("faster_coco_eval")
    except ImportError as error:
        raise ImportError(
            "metric `coco` needs faster-coco-eval: pip install faster-coco-eval "
            "(metrics `voc` and `voc07` need nothing)"
        ) from error


def coco_precision(
    truth: Sequence[Annotation],
    images: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    classes: int,
) -> np.ndarray:
    """Average precision by IoU threshold and class: [10, C], NaN for a class without objects.

    Args:
        truth: the annotated images; difficult objects are handed on as COCO's `iscrowd`, so that
            a detection on one of them counts neither way.
        images: int [D], position in `truth` of each detection's image.
        boxes: [D, 4], x1 y1 x2 y2.
        scores: [D].
        labels: int [D], 0-based.
        classes: C.
    """
    if len(boxes) == 0:
        return _without_detections(truth, classes)
    library = coco_library()
    reference = library.COCO(coco_ground_truth(truth, classes))
    found = reference.loadRes(coco_detections(images, boxes, scores, labels))
    evaluation = library.COCOeval_faster(reference, found, "bbox", print_function=_silent)
    evaluation.evaluate()
    evaluation.accumulate()
    # [thresholds, recall points, classes, areas, detections]: all areas, 100 detections
    precision: np.ndarray = np.asarray(evaluation.eval["precision"])[:, :, :, 0, -1]
    return np.where(precision > -1, precision, np.nan).mean(axis=1)


def coco_ground_truth(truth: Sequence[Annotation], classes: int) -> dict[str, Any]:
    """Annotations as a COCO document; ids of images, classes and objects count from 1."""
    objects: list[dict[str, Any]] = []
    for number, found in enumerate(truth, start=1):
        widths = found.boxes[:, 2:] - found.boxes[:, :2]
        for box, side, label, difficult in zip(
            found.boxes, widths, found.labels, found.difficult, strict=True
        ):
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": number,
                    "category_id": int(label) + 1,
                    "bbox": [*map(float, box[:2]), *map(float, side)],
                    "area": float(side.prod()),
                    "iscrowd": int(difficult),
                }
            )
    return {
        "info": {},
        "images": [
            {"id": number, "height": found.height, "width": found.width}
            for number, found in enumerate(truth, start=1)
        ],
        "categories": [{"id": label + 1, "name": str(label)} for label in range(classes)],
        "annotations": objects,
    }


def coco_detections(
    images: np.ndarray, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> list[dict[str, Any]]:
    """Detections as COCO's list of results."""
    corners = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return [
        {"image_id": image + 1, "category_id": label + 1, "bbox": box, "score": score}
        for image, label, box, score in zip(
            images.tolist(), labels.tolist(), corners.tolist(), scores.tolist(), strict=True
        )
    ]


def _without_detections(truth: Sequence[Annotation], classes: int) -> np.ndarray:
    """Nothing found (which the library refuses): 0 for each class that has objects."""
    present = np.zeros(classes, dtype=bool)
    for found in truth:
        present[found.labels[~found.difficult]] = True
    return np.tile(np.where(present, 0.0, np.nan), (10, 1))


def _silent(*_: object) -> None:
    pass
