"""The emitted SSD300 and torchvision's, with one set of weights and outputs of one form."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection import ssd300_vgg16

ROOT = Path(__file__).parents[3]
TO_TORCHVISION = [
    (r"l2norm\.weight", lambda _: "backbone.scale_weight"),
    (r"vgg\.(\d+)\.(\w+)", lambda m: f"backbone.{of_vgg(int(m[1]))}.{m[2]}"),
    (
        r"extras\.conv(\d+)_(\d)\.0\.(\w+)",
        lambda m: f"backbone.extra.{int(m[1]) - 7}.{2 * int(m[2]) - 2}.{m[3]}",
    ),
    (r"head\.loc\.(.+)", lambda m: f"head.regression_head.module_list.{m[1]}"),
    (r"head\.conf\.(.+)", lambda m: f"head.classification_head.module_list.{m[1]}"),
]


def of_vgg(index: int) -> str:
    """Return where torchvision keeps a layer: up to conv4_3, then conv5, then fc6 and fc7."""
    if index < 23:
        return f"features.{index}"
    return f"extra.0.{index - 23}" if index < 30 else f"extra.0.7.{index - 30}"


def torchvision_key(key: str) -> str:
    """Return what torchvision calls one of our tensors."""
    for pattern, rename in TO_TORCHVISION:
        match = re.fullmatch(pattern, key)
        if match:
            return rename(match)
    raise KeyError(key)


def fill(model: nn.Module) -> None:
    """Draw weights of He's variance, and one number a channel around what it was."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        if parameter.dim() > 1:
            parameter.data = drawn * (2 / parameter[0].numel()) ** 0.5
        else:
            parameter.data = parameter.data.mean() + 0.1 * drawn


def pair(classes: int, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """Return our model and torchvision's, with the same weights."""
    spec = importlib.util.spec_from_file_location("ssd300_vgg", ROOT / "generated/ssd300_vgg.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ours = module.MODEL(num_classes=classes).to(dtype).eval()
    theirs = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=classes)
    fill(ours)
    state = {torchvision_key(key): tensor for key, tensor in ours.state_dict().items()}
    theirs.to(dtype).eval().load_state_dict(state, strict=True)
    return ours, theirs


def run_ours(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return our maps and outputs."""
    maps = model.features(images)
    loc, conf = model.heads(maps)
    return {**{f"map {place}": x for place, x in enumerate(maps)}, "loc": loc, "conf": conf}


def run_theirs(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return torchvision's maps and outputs: its network without its transforms."""
    maps = list(model.backbone(images).values())
    head = model.head(maps)
    named = {f"map {place}": x for place, x in enumerate(maps)}
    return {**named, "loc": head["bbox_regression"], "conf": head["cls_logits"]}
