"""Objects found on picture files: drawn on them, and as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from specc_runtime.data.images import UnreadableImage, decode
from specc_runtime.data.view import View
from specc_runtime.drawing import draw_detections, save_image
from specc_runtime.inference import detect
from specc_runtime.model import Detector


def predict(
    detector: Detector,
    classes: Sequence[str],
    pictures: Sequence[Path],
    folder: Path,
    least_score: float,
) -> list[dict[str, Any]]:
    """Write each picture with its objects, and `detections.json`, into `folder`; the latter's data.

    Pictures of the same name from different folders overwrite each other's drawing. Raises
    `UnreadableImage`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [_predict_one(detector, classes, path, folder, least_score) for path in pictures]
    (folder / "detections.json").write_text(json.dumps(found, indent=1) + "\n")
    return found


def _predict_one(
    detector: Detector, classes: Sequence[str], path: Path, folder: Path, least_score: float
) -> dict[str, Any]:
    if (folder / path.name).resolve() == path.resolve():
        raise UnreadableImage(f"{path}: the drawing would overwrite it: choose another folder")
    image = decode(path)
    height, width = image.shape[:2]
    seen = View.whole(height, width).render(image, detector.input.size, (0, 0, 0))
    tensor = torch.tensor(seen).permute(2, 0, 1)[None]
    (found,) = detect(detector, tensor, torch.tensor([[height, width]]))
    shown = found.scores >= least_score
    boxes: list[list[float]] = found.boxes[shown].numpy().tolist()
    scores: list[float] = found.scores[shown].numpy().tolist()
    labels: list[int] = found.labels[shown].numpy().tolist()
    save_image(folder / path.name, draw_detections(image, boxes, labels, scores, classes))
    objects = [
        {"class": classes[label], "score": score, "box": box}
        for box, score, label in zip(boxes, scores, labels, strict=True)
    ]
    return {"image": str(path), "width": width, "height": height, "detections": objects}
