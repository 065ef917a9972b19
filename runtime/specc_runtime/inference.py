"""Run a detector over a data set or over pictures, with boxes in pixels of the originals."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from specc_runtime import distributed, evaluation
from specc_runtime.data import Batch, Dataset, Loader
from specc_runtime.decode import Detections
from specc_runtime.detector import Detector
from specc_runtime.device import shortages
from specc_runtime.interrupt import Stopped


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
    """Score a detector on a data set: the evaluator's summary, computed on rank 0, the same on all.

    The arguments are those of `look`, with an evaluator's metric.
    """
    evaluator = look(
        detector, dataset, metric, batch=batch, workers=workers, bf16=bf16, between=between
    )
    return distributed.gathered(evaluator.summary() if distributed.leads() else {})[0]


def look(
    detector: Detector,
    dataset: Dataset,
    metric: str,
    *,
    batch: int = 32,
    workers: int = 0,
    bf16: bool = False,
    between: Callable[[], object] = bool,
) -> evaluation.Evaluator:
    """What a detector finds on a data set, with an evaluator that can score it.

    Each rank looks at its share of the images and comes to know all. `between` is called between two
    batches; if it raises `Stopped` on one rank, all raise it.
    """
    was_training = detector.training
    detector.eval()
    evaluator = evaluation.Evaluator(dataset, metric)
    own = over(detector, dataset, batch=batch, workers=workers, bf16=bf16, shared=True)
    try:
        with distributed.alike(Stopped):
            for indices, found in own:
                evaluator.add(indices, found)
                between()
    finally:
        detector.train(was_training)
    evaluator.join()
    return evaluator


def over(
    detector: Detector,
    dataset: Dataset,
    *,
    batch: int = 32,
    workers: int = 0,
    bf16: bool = False,
    shared: bool = False,
) -> Iterator[tuple[Tensor, list[evaluation.Detections]]]:
    """Positions of images in a data set, batch by batch, and the objects on each, as `detect` has them.

    `shared` leaves to other ranks their share of each batch.

    Where the device's memory is too small for a batch, half as many images are looked at at a time
    from then on, with a warning. Raises `torch.OutOfMemoryError` if it is too small for one.
    """
    loader = Loader(
        dataset,
        size=detector.input.size,
        batch=batch,
        seed=0,
        epoch=0,
        train=False,
        workers=workers,
        max_boxes=max(1, dataset.most_boxes),
        rank=distributed.rank() if shared else 0,
        world=distributed.world() if shared else 1,
    )
    at_once = batch
    for images in loader:
        while (found := _detect_in_parts(detector, images, at_once, bf16=bf16)) is None:
            at_once = -(-at_once // 2)
            torch.cuda.empty_cache()
            message = f"out of memory: from now on {at_once} images are looked at at a time"
            warnings.warn(message, stacklevel=2)
        yield images.indices, found


def _detect_in_parts(
    detector: Detector, batch: Batch, at_once: int, *, bf16: bool
) -> list[evaluation.Detections] | None:
    """`detect` of a batch, so many images at a time; None without the memory for more than one."""
    parts = zip(torch.split(batch.images, at_once), torch.split(batch.sizes, at_once), strict=True)
    try:
        with shortages():
            return [found for part in parts for found in detect(detector, *part, bf16=bf16)]
    except torch.OutOfMemoryError:
        if at_once == 1:
            raise
        return None  # and with the frames all that they held on the device
