"""torchvision's detectors, trained and used as its references do it.

The step is that of `references/detection/engine.py`: lists of images, torchvision's own matching, losses
and selection, and a loss read in each step. The work of its loader is done beforehand.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models import detection  # pyright: ignore[reportMissingTypeStubs]

from specc_runtime.data import Batch
from specc_runtime.detector import Detector
from specc_runtime.recipe import Recipe

BUILDERS = {
    "faster_rcnn_mobilenet_v3_large_fpn": ("fasterrcnn_mobilenet_v3_large_fpn",),
    "faster_rcnn_resnet50_fpn": ("fasterrcnn_resnet50_fpn",),
    "faster_rcnn_resnet50_fpn_v2": ("fasterrcnn_resnet50_fpn_v2",),
    "fcos_resnet50_fpn": ("fcos_resnet50_fpn",),
    "retinanet_resnet50_fpn": ("retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2"),
    "ssd300_vgg": ("ssd300_vgg16",),
    "ssdlite320_mobilenet_v3": ("ssdlite320_mobilenet_v3_large",),
}
"""By spec, the functions of torchvision that build that detector, one for each variant."""

FIXED_SIZE = ("ssd300_vgg", "ssdlite320_mobilenet_v3")
"""Specs whose input size is fixed in torchvision."""


class NoPeer(Exception):
    """torchvision has no detector of that name, size and number of parameters."""


def build(name: str, detector: Detector) -> nn.Module:
    """Torchvision's version of a spec's detector, with as many class outputs and parameters.

    Raises `NoPeer`.
    """
    if name not in BUILDERS:
        raise NoPeer(f"torchvision has no {name}; it has {', '.join(BUILDERS)}")
    sides: dict[str, int] = {}
    if name not in FIXED_SIZE:
        sides = {"min_size": min(detector.input.size), "max_size": max(detector.input.size)}
    wanted = _parameters(detector.network)
    for builder in BUILDERS[name]:
        make = cast(Callable[..., nn.Module], getattr(detection, builder))
        arguments = {"weights_backbone": None, "num_classes": detector.num_classes, **sides}
        model = make(weights=None, **arguments)
        if _parameters(model) == wanted and _takes(model, detector.input.size):
            return model
    raise NoPeer(f"torchvision's {name} has not {wanted:,} parameters and {detector.input.size}")


def _parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def _takes(model: Any, size: tuple[int, int]) -> bool:
    """Whether a detector processes images at this size."""
    fixed: tuple[int, int] | None = model.transform.fixed_size
    return fixed is None or fixed == size[::-1]


def pictures(batch: Batch) -> list[Tensor]:
    """The images of a batch as torchvision takes them: a list of float images, 0 to 1."""
    return list((batch.images.float() / 255).contiguous())


def targets(batch: Batch, background: int) -> list[dict[str, Tensor]]:
    """The objects of a batch, image by image; labels count the background if there is one."""
    pairs = zip(batch.boxes, batch.labels, strict=True)
    return [
        {"boxes": boxes[labels >= 0], "labels": labels[labels >= 0] + background}
        for boxes, labels in pairs
    ]


def training(
    model: nn.Module, recipe: Recipe, device: torch.device
) -> Callable[[list[Tensor], list[dict[str, Tensor]]], None]:
    """A training step, from images and targets in host memory."""
    model = _laid_out(model, recipe).to(device).train()
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay
    )

    def take(images: list[Tensor], objects: list[dict[str, Tensor]]) -> None:
        images = [image.to(device) for image in images]
        objects = [{name: t.to(device) for name, t in found.items()} for found in objects]
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            total = torch.stack(list(model(images, objects).values())).sum()
        total.item()
        optimizer.zero_grad()
        total.backward()  # pyright: ignore[reportUnknownMemberType]
        optimizer.step()  # pyright: ignore[reportUnknownMemberType]

    return take


def inference(
    model: nn.Module, recipe: Recipe, device: torch.device
) -> Callable[[list[Tensor]], list[dict[str, Tensor]]]:
    """A detection step, from host memory and back to it."""
    model = _laid_out(model, recipe).to(device).eval()

    @torch.inference_mode()
    def find(images: list[Tensor]) -> list[dict[str, Tensor]]:
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            found: Any = model([image.to(device) for image in images])
        return [{name: value.cpu() for name, value in objects.items()} for objects in found]

    return find


def _laid_out(model: nn.Module, recipe: Recipe) -> nn.Module:
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    return model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
