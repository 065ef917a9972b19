"""torchvision's data loading for SSD, as its references do it.

That is `DetectionPresetTrain(data_augmentation="ssd", use_v2=True)` of `references/detection/presets.py`
on PIL images, and the resize and normalisation at the start of its SSD300.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils import data
from torchvision import tv_tensors  # pyright: ignore[reportMissingTypeStubs]
from torchvision.datasets.folder import pil_loader  # pyright: ignore[reportMissingTypeStubs]
from torchvision.models.detection.transform import (  # pyright: ignore[reportMissingTypeStubs]
    GeneralizedRCNNTransform,
)
from torchvision.transforms import v2  # pyright: ignore[reportMissingTypeStubs]

from specc_runtime.data import Dataset

MEAN = (123.0, 117.0, 104.0)
Backend = Literal["pil", "tensor"]
"""The type of images during augmentation."""


def batches(
    dataset: Dataset,
    size: tuple[int, int],
    batch: int,
    *,
    workers: int,
    backend: Backend = "pil",
) -> Iterator[Tensor]:
    """Normalised images (B, 3, *size), in random order, endless."""
    samples = Samples(dataset, backend)
    yield from data.DataLoader(
        samples,
        batch_size=batch,
        sampler=data.RandomSampler(samples, num_samples=2**40),
        num_workers=min(workers, os.cpu_count() or 1),
        collate_fn=_Finish(size),
    )


class Samples(data.Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Images (3, H, W), 0 to 1, and their objects, augmented; labels are classes from 0."""

    def __init__(self, dataset: Dataset, backend: Backend) -> None:
        self._annotations = dataset.annotations
        self._augment = _augmentation(backend)

    def __len__(self) -> int:
        return len(self._annotations)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        found = self._annotations[index]
        boxes = tv_tensors.BoundingBoxes(  # pyright: ignore[reportCallIssue] - wants a device
            torch.as_tensor(found.boxes), format="XYXY", canvas_size=(found.height, found.width)
        )
        target = {"boxes": boxes, "labels": torch.as_tensor(found.labels)}
        return self._augment(pil_loader(found.path), target)


class _Finish:
    """The start of the model: resize, normalise and stack images to a batch (B, 3, H, W)."""

    def __init__(self, size: tuple[int, int]) -> None:
        height, width = size
        mean, std = [0.48235, 0.45882, 0.40784], [1 / 255] * 3
        self._transform = GeneralizedRCNNTransform(
            min(size), max(size), mean, std, size_divisible=1, fixed_size=(width, height)
        ).train()

    def __call__(self, samples: list[tuple[Tensor, dict[str, Tensor]]]) -> Tensor:
        images, objects = zip(*samples, strict=True)
        batch, _ = self._transform(list(images), list(objects))
        return batch.tensors


def _augmentation(backend: Backend) -> Any:
    fill: dict[Any, Any] = defaultdict(lambda: MEAN, {tv_tensors.Mask: 0})
    return v2.Compose(
        [
            *([v2.ToImage()] if backend == "tensor" else []),
            v2.RandomPhotometricDistort(),
            v2.RandomZoomOut(fill=fill),
            v2.RandomIoUCrop(),
            v2.RandomHorizontalFlip(),
            *([v2.ToImage()] if backend == "pil" else []),
            v2.ToDtype(torch.float, scale=True),
            v2.ConvertBoundingBoxFormat("XYXY"),
            v2.SanitizeBoundingBoxes(),
            v2.ToPureTensor(),
        ]
    )
