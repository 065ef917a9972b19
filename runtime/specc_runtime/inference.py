"""Run a detector over images or a data set, with boxes in pixels of the original images."""

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
    """Detections on images (B, 3, H, W), RGB uint8, whose originals have `sizes` (B, 2), (h, w).

    Boxes are in pixels of the original, on the CPU, best first. The detector must be in evaluation
    mode. `bf16` computes convolutions in bfloat16.
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
    """The evaluator's summary for a detector on a data set, computed on rank 0 and returned on all.

    Arguments are those of `collect`.
    """
    evaluator = collect(
        detector, dataset, metric, batch=batch, workers=workers, bf16=bf16, between=between
    )
    return distributed.all_gather(evaluator.summary() if distributed.is_main() else {})[0]


def collect(
    detector: Detector,
    dataset: Dataset,
    metric: str,
    *,
    batch: int = 32,
    workers: int = 0,
    bf16: bool = False,
    between: Callable[[], object] = bool,
) -> evaluation.Evaluator:
    """Run a detector over a data set; return an evaluator that holds all detections.

    Each rank processes its share of the images, and gets the detections of all. `between` is called
    after each batch; if it raises `Stopped` on one rank, all raise it.
    """
    was_training = detector.training
    detector.eval()
    evaluator = evaluation.Evaluator(dataset, metric)
    own = detect_dataset(detector, dataset, batch=batch, workers=workers, bf16=bf16, shared=True)
    try:
        with distributed.raised_on_all(Stopped):
            for indices, found in own:
                evaluator.add(indices, found)
                between()
    finally:
        detector.train(was_training)
    evaluator.join()
    return evaluator


def detect_dataset(
    detector: Detector,
    dataset: Dataset,
    *,
    batch: int = 32,
    workers: int = 0,
    bf16: bool = False,
    shared: bool = False,
) -> Iterator[tuple[Tensor, list[evaluation.Detections]]]:
    """Run a detector over a data set: for each batch, the images' indices and the detections of each.

    With `shared` each rank processes only its share of every batch.

    If the device runs out of memory, half as many images are processed at a time from then on, with a
    warning. Raises `torch.OutOfMemoryError` if it runs out with one image.
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
        world=distributed.world_size() if shared else 1,
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
    """`detect` of a batch, `at_once` images at a time; None if memory runs out with more than one."""
    parts = zip(torch.split(batch.images, at_once), torch.split(batch.sizes, at_once), strict=True)
    try:
        with shortages():
            return [found for part in parts for found in detect(detector, *part, bf16=bf16)]
    except torch.OutOfMemoryError:
        if at_once == 1:
            raise
        return None  # which also frees what the frames held on the device
