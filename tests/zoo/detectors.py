"""Emitted detectors as the runtime loads them."""

from __future__ import annotations

from pathlib import Path

import torch

from specc_runtime import model

GENERATED = Path(__file__).parents[2] / "generated"


def loaded(stem: str, classes: int | None = None) -> model.Detector:
    """Load a committed emission and make its detector."""
    return model.load(GENERATED / f"{stem}.py").build(classes)


def first_loss(detector: model.Detector, batch: int = 2) -> torch.Tensor:
    """Return the loss of random images (batch, 3, H, W), a large and a small object in each."""
    height, width = detector.input.size
    images = torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0)) * 255
    objects = torch.tensor([[0.1, 0.2, 0.8, 0.9], [0.6, 0.1, 0.7, 0.2]])
    boxes = objects * torch.tensor([width, height, width, height])
    labels = torch.tensor([0, detector.num_classes - 2])
    losses = detector.losses(images, boxes.expand(batch, 2, 4), labels.expand(batch, 2))
    return torch.stack(list(losses.values())).sum()
