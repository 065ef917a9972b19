"""The feature pyramid beside torchvision's, alone and on ResNet."""

from __future__ import annotations

import pytest
import torch
from figures import count, on_meta
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, full, images
from torch import nn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

import specc
from specc.driver import compile_spec

torch.set_num_threads(1)


def reference(name: str, norm: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    return resnet_fpn_backbone(backbone_name=name, weights=None, norm_layer=norm)


def run_ours(model: nn.Module, batch: torch.Tensor) -> Outputs:
    return {f"P{i}": level for i, level in enumerate(model(batch), start=2)}


def run_theirs(model: nn.Module, batch: torch.Tensor) -> Outputs:
    return {f"P{i}": level for i, level in enumerate(model(batch).values(), start=2)}


@pytest.mark.parametrize("name", ["resnet18", *map(full, ("resnet50", "resnet101"))])
def test_agrees_with_torchvision(name: str) -> None:
    """At 97 pixels maps are of 25, 13, 7 and 4: no factor of 2 fits."""
    theirs = fill(reference(name), lambda model: model(images(64, 4)))
    table = specc.compile(f"{SPECS}/fpn_resnet.yaml:{name}").weights["torchvision"]
    ours = carry(theirs, emitted(f"fpn_resnet:{name}"), table)
    both = Pair(ours, theirs, run_ours, run_theirs)
    agree(both, images((64, 96), batch=4))
    agree(both, images(97))


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, FrozenBatchNorm2d])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet101"])
def test_figures_are_torchvisions(name: str, norm: type[nn.Module]) -> None:
    path, params = f"{SPECS}/fpn_resnet.yaml:{name}", {"Norm": norm.__name__}
    assert not specc.compile(path).diagnostics
    model = compile_spec(path, params=params, resize=(300, 300))
    theirs = on_meta(lambda: reference(name, norm).requires_grad_())
    assert (model.parameters, len(model.facts.costs.state), model.macs) == count(theirs, 300)
