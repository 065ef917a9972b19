"""generated/ssd300_vgg.py computes what torchvision's SSD300 computes with the same weights.

Judged in float64, where a wrong layer cannot hide behind rounding, from weights that keep signals
alive; torchvision 0.25 and later.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

detection = pytest.importorskip("torchvision.models.detection")

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
    for pattern, rename in TO_TORCHVISION:
        match = re.fullmatch(pattern, key)
        if match:
            return rename(match)
    raise KeyError(key)


def ours(classes: int) -> nn.Module:
    path = ROOT / "generated/ssd300_vgg.py"
    spec = importlib.util.spec_from_file_location("ssd300_vgg", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MODEL(num_classes=classes)


def fill(model: nn.Module) -> None:
    """Draw weights of He's variance, and one number a channel around what it was."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        if parameter.dim() > 1:
            parameter.data = drawn * (2 / parameter[0].numel()) ** 0.5
        else:
            parameter.data = parameter.data.mean() + 0.1 * drawn


def run_ours(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    maps = model.features(images)
    loc, conf = model.heads(maps)
    return {**{f"map {place}": x for place, x in enumerate(maps)}, "loc": loc, "conf": conf}


def run_theirs(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    maps = list(model.backbone(images).values())
    head = model.head(maps)
    named = {f"map {place}": x for place, x in enumerate(maps)}
    return {**named, "loc": head["bbox_regression"], "conf": head["cls_logits"]}


@pytest.fixture(scope="module", params=[21, 91])
def pair(request):
    """Return our model and torchvision's, in float64 with one set of weights, and an image."""
    torch.set_num_threads(1)
    our_model = ours(request.param).double().eval()
    their_model = detection.ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=request.param
    )
    fill(our_model)
    state = {torchvision_key(key): tensor for key, tensor in our_model.state_dict().items()}
    their_model.double().eval().load_state_dict(state, strict=True)
    image = torch.randn(
        1, 3, 300, 300, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    return our_model, their_model, image


@pytest.fixture(scope="module")
def exact(pair):
    our_model, their_model, image = pair
    with torch.no_grad():
        return run_ours(our_model, image), run_theirs(their_model, image)


def test_float64(exact):
    our_outputs, their_outputs = exact
    assert our_outputs.keys() == their_outputs.keys()
    for name, expected in their_outputs.items():
        deviation = expected.std().item()
        assert deviation > 1e-2, f"{name} has died out"
        difference = (our_outputs[name] - expected).abs().max().item()
        assert difference <= 1e-8 * deviation, name


def test_float32_differs_by_rounding_only(pair, exact):
    our_model, their_model, image = pair
    _, truth = exact
    with torch.no_grad():
        our_outputs = run_ours(our_model.float(), image.float())
        their_outputs = run_theirs(their_model.float(), image.float())
    for name, expected in truth.items():
        rounding = (their_outputs[name] - expected).abs().max().item()
        difference = (our_outputs[name] - expected).abs().max().item()
        assert difference <= 4 * rounding, name


def test_boxes_and_parameters(pair, exact):
    our_model, their_model, _ = pair
    classes = exact[0]["conf"].shape[-1]
    assert exact[0]["loc"].shape == (1, 8732, 4)
    expected = {21: 26_285_486, 91: 35_641_826}[classes]
    for model in (our_model, their_model):
        assert sum(parameter.numel() for parameter in model.parameters()) == expected
