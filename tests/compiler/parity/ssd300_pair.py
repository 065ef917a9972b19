"""The emitted SSD300 and torchvision's, with one set of weights and outputs of one form."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection import ssd300_vgg16

import specc

ROOT = Path(__file__).parents[3]


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
    table = specc.compile(ROOT / "specs/ssd300_vgg.yaml").weights["torchvision"]
    state = {key: ours.state_dict()[table[key]] for key in table}
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
