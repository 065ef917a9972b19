"""ResNet beside torchvision's."""

from __future__ import annotations

import pytest
import torch
from figures import count, on_meta
from parity import SPECS, Pair, agree, carry, emitted, fill, full, images, tapped
from torch import nn
from torchvision import models
from torchvision.ops import FrozenBatchNorm2d

import specc
from specc.driver import compile_spec

VARIANTS = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
MAPS = {f"C{i + 1}": f"layer{i}" for i in range(1, 5)}
torch.set_num_threads(1)


def run(model: nn.Module, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    return tapped(model, batch, **MAPS)


def pair(name: str, **params: object) -> Pair:
    norm = FrozenBatchNorm2d if params else nn.BatchNorm2d
    theirs = getattr(models, name)(num_classes=10, norm_layer=norm)
    fill(theirs, lambda model: model(images(64, 4)))
    table = specc.compile(f"{SPECS}/resnet.yaml:{name}", **params).weights["torchvision"]
    ours = carry(theirs, emitted(f"resnet:{name}", num_classes=10, **params), table)
    return Pair(ours, theirs, run, run)


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet50", *map(full, ("resnet34", "resnet101", "resnet152"))]
)
def test_agrees_with_torchvision(name: str) -> None:
    both = pair(name)
    agree(both, images((64, 96), batch=4))
    agree(both, images(97))


def test_frozen_norms_agree_with_torchvision() -> None:
    agree(pair("resnet18", Norm="FrozenBatchNorm2d"), images(97, batch=4))


@pytest.mark.parametrize("name", VARIANTS)
def test_figures_and_keys_are_torchvisions(name: str) -> None:
    reference = on_meta(getattr(models, name))
    path = f"{SPECS}/resnet.yaml:{name}"
    assert not specc.compile(path).diagnostics
    model = compile_spec(path, resize=(224, 224))
    figures = model.parameters, len(model.facts.costs.state), model.macs
    assert figures == count(reference, 224)
    assert list(on_meta(lambda: emitted(f"resnet:{name}")).state_dict()) == [
        *reference.state_dict()
    ]
