"""Run a detector over a data set or over pictures, with boxes in pixels of the originals."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from specc_runtime import evaluation
from specc_runtime.data import Dataset, Loader
from specc_runtime.decode import Detections
from specc_runtime.model import Detector


@torch.inference_mode()
def detect(
    detector: Detector, images: Tensor, sizes: Tensor, *, bf16: bool = False
) -> list[evaluation.Detections]:
    """Objects on each of the images (B, 3, H, W), RGB uint8, whose originals are `sizes` (B, 2), (h, w).

    Boxes are in pixels of the original, on the CPU, best first. The detector must be in evaluation mode. `bf16` computes convolutions in bfloat16.
    """
    device = detector.anchors.device
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        predictions = detector(images.to(device, non_blocking=True))
    detections = Detections(*(value.cpu() for value in detector.detect(predictions)))
    stretch = (sizes / torch.tensor(detector.input.size)).flip(1).repeat(1, 2)  # x, y, x, y
    found: list[evaluation.Detections] = []
    for i, scale in enumerate(stretch):
        boxes, scores, labels = detections.of(i)
        found.append(evaluation.Detections(boxes * scale, scores, labels))
    return found


def evaluate(
    detector: Detector,
    dataset: Dataset,
    metric: str,
    *,
    batch: int = 32,
    workers: int = 0,
    bf16: bool = False,
    between: Callable[[], object] = bool,
) -> dict[str, Any]:
    """Score a detector on a data set: the evaluator's summary.

    `between` is called between two batches; what it raises ends the scoring.
    """
    was_training = detector.training
    detector.eval()
    evaluator = evaluation.Evaluator(dataset, metric)
    try:
        for indices, found in over(detector, dataset, batch=batch, workers=workers, bf16=bf16):
            evaluator.add(indices, found)
            between()
    finally:
        detector.train(was_training)
    return evaluator.summary()


def over(
    detector: Detector, dataset: Dataset, *, batch: int = 32, workers: int = 0, bf16: bool = False
) -> Iterator[tuple[Tensor, list[evaluation.Detections]]]:
    """Positions of images in a data set, batch by batch, and the objects on each, as `detect` has them."""
    loader = Loader(
        dataset,
        size=detector.input.size,
        batch=batch,
        seed=0,
        epoch=0,
        train=False,
        workers=workers,
        max_boxes=max(1, dataset.most_boxes),
    )
    for images in loader:
        yield images.indices, detect(detector, images.images, images.sizes, bf16=bf16)
