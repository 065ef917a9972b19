"""Training starts where the references start it: every tensor, drawn a few times from both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import timm
import torch
from effdet import EfficientDet, get_efficientdet_config
from parity import SPECS, emitted
from torch import Tensor, nn
from torchvision import models
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

import specc

torch.set_num_threads(1)

SEEDS = 2
SIGMAS = 6
LOOKED_AT = 2**20
"""Numbers of a tensor that are looked at; they are drawn independently of each other."""


def without_weights(make: Callable[..., nn.Module]) -> Callable[[], nn.Module]:
    return lambda: make(weights=None, weights_backbone=None)


def pyramid() -> nn.Module:
    return resnet_fpn_backbone(backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d)


def effdet_d0() -> nn.Module:
    return EfficientDet(get_efficientdet_config("tf_efficientdet_d0"), pretrained_backbone=False)


class Case(NamedTuple):
    """A reference, the name of its weights in the spec, and which of its tensors are looked at."""

    make: Callable[[], nn.Module]
    weights: str = "torchvision"
    below: tuple[str, ...] = ("",)


CASES = {
    "vgg16": Case(models.vgg16),
    "resnet:resnet18": Case(models.resnet18),
    "mobilenet_v3:small": Case(models.mobilenet_v3_small),
    "efficientnet:b0": Case(models.efficientnet_b0),
    "efficientnet:tf_b0": Case(lambda: timm.create_model("tf_efficientnet_b0"), "timm"),
    "fpn_resnet:resnet18": Case(pyramid),
    "efficientdet:d0": Case(effdet_d0, "effdet"),
    "retinanet_resnet50_fpn:v1": Case(without_weights(detection.retinanet_resnet50_fpn)),
    "retinanet_resnet50_fpn:v2": Case(without_weights(detection.retinanet_resnet50_fpn_v2)),
    "fcos_resnet50_fpn": Case(without_weights(detection.fcos_resnet50_fpn)),
    "faster_rcnn_resnet50_fpn": Case(without_weights(detection.fasterrcnn_resnet50_fpn)),
    "faster_rcnn_resnet50_fpn_v2": Case(without_weights(detection.fasterrcnn_resnet50_fpn_v2)),
    "faster_rcnn_mobilenet_v3_large_fpn": Case(
        without_weights(detection.fasterrcnn_mobilenet_v3_large_fpn)
    ),
    "ssd300_vgg:coco": Case(without_weights(detection.ssd300_vgg16)),
    "ssdlite320_mobilenet_v3": Case(without_weights(detection.ssdlite320_mobilenet_v3_large)),
}


def drawn(make: Callable[[], nn.Module], first_seed: int) -> Iterator[tuple[str, Tensor]]:
    """Yield each tensor's name, and what it begins with under some seeds."""
    states: list[dict[str, Tensor]] = []
    for seed in range(first_seed, first_seed + SEEDS):
        torch.manual_seed(seed)
        state = make().state_dict().items()
        states.append({name: tensor.flatten()[:LOOKED_AT].clone() for name, tensor in state})
    for name in states[0]:
        yield name, torch.stack([state[name] for state in states]).double()


def fourth_moment(drawn: Tensor) -> Tensor:
    """Return 3 for a normal distribution, 1.8 for an even one."""
    return ((drawn - drawn.mean()) / drawn.std()).pow(4).mean()


@pytest.mark.parametrize("name", CASES)
def test_begins_as_its_reference(name: str) -> None:
    """Constants are equal; of what is drawn, mean, spread and fourth moment are, within six errors."""
    case = CASES[name]
    stem, _, variant = name.partition(":")
    spec = f"{SPECS / stem}.yaml{':' * bool(variant)}{variant}"
    table = specc.compile(spec).weights[case.weights]
    ours = dict(drawn(lambda: emitted(name), 0))
    looked_at = 0
    for key, theirs in drawn(case.make, 1000):
        if key not in table or not key.startswith(case.below):
            continue
        mine = ours[table[key]]
        looked_at += 1
        if theirs.min() == theirs.max():
            assert torch.equal(mine, theirs), key
            continue
        spread, error = theirs.std(), SIGMAS * theirs.numel() ** -0.5
        shape_error = 48**0.5 * error  # a fourth moment varies by 24 / n, and here are two
        assert abs(fourth_moment(mine) - fourth_moment(theirs)) <= shape_error, key
        assert abs(mine.mean() - theirs.mean()) <= 2**0.5 * error * spread, key
        assert abs(mine.std() / spread - 1) <= error, key
    assert looked_at > 10


NORMAL, EVEN = 3.0, 1.8
"""Fourth moments."""


def of_darknet(layer: nn.Module) -> tuple[float, float]:
    """Return the standard deviation and the fourth moment of what Darknet draws for a layer.

    `make_convolutional_layer` has ``sqrt(2 / fan_in)`` times normal numbers, the others the same
    times even ones from -1 to 1.
    """
    fan_in = layer.weight.shape[-1] if layer.weight.dim() < 4 else layer.weight[0].numel()
    scale = (2 / fan_in) ** 0.5
    return (scale, NORMAL) if isinstance(layer, nn.Conv2d) else (scale * 3**-0.5, EVEN)


def of_xavier(layer: nn.Module) -> tuple[float, float]:
    """Return the same for a layer that SSD adds to its backbone, as torch counts both ends."""
    fan_in, fan_out = layer.weight[0].numel(), layer.weight[:, 0].numel()
    return (2 / (fan_in + fan_out)) ** 0.5, EVEN


FORMULAS = {
    "yolov1": (of_darknet, 26),
    "yolov2": (of_darknet, 23),
    "yolov3": (of_darknet, 75),
    "yolov3_tiny": (of_darknet, 13),
    "ssd512_vgg": (of_xavier, 24),
    "ssd300_efficientnet_b4": (of_xavier, 18),
}
ADDED = ("head.", "extras.")


@pytest.mark.parametrize("name", FORMULAS)
def test_begins_as_its_paper_says(name: str) -> None:
    """What no reference here draws has no bias, and weights of the spread that the fans give."""
    formula, layers = FORMULAS[name]
    torch.manual_seed(0)
    held = [
        (path, layer)
        for path, layer in emitted(name).named_modules()
        if type(layer).__name__ in ("Conv2d", "Linear", "LocallyConnected2d")
        and (formula is of_darknet or path.startswith(ADDED))
    ]
    assert len(held) == layers
    for path, layer in held:
        spread, moment = formula(layer)
        drawn = layer.weight.detach().flatten()[:LOOKED_AT].double()
        error = SIGMAS * drawn.numel() ** -0.5
        assert layer.bias is None or not layer.bias.any(), path
        assert abs(drawn.mean()) <= error * spread, path
        assert abs(drawn.std() / spread - 1) <= error, path
        assert abs(fourth_moment(drawn) - moment) <= 24**0.5 * error, path
