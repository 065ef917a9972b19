"""Whole networks: specs that use the language in earnest, against torchvision's own code.

Weights are carried over tensor by tensor, in order, and outputs compared in float64.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from agreement import agree, compiled
from torch import Tensor, nn

import specc

models = pytest.importorskip("torchvision.models")

NETWORKS = Path(__file__).parent / "networks"
FIGURES = {
    "resnet.yaml:resnet18": (11_689_512, 122),
    "resnet.yaml:resnet50": (25_557_032, 320),
    "efficientnet.yaml:b0": (5_288_548, 360),
    "efficientnet.yaml:b4": (19_341_616, 706),
    "retinanet.yaml:v1": (34_068_119, 354),
    "retinanet.yaml:v2": (38_198_935, 362),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name):
    parameters, keys = FIGURES[name]
    model = compiled(f"{NETWORKS}/{name}")
    assert (model.parameters, len(model.facts.costs.state)) == (parameters, keys)
    agree(f"{NETWORKS}/{name}")


def fill(model: nn.Module) -> nn.Module:
    """Draw weights that keep signals alive through a deep network with norms."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.double().eval().parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        if parameter.dim() > 1:
            parameter.data = drawn * (2 / parameter[0].numel()) ** 0.5
        else:
            parameter.data = parameter.data + 0.1 * drawn
    return model


def carry(source: nn.Module, target: nn.Module) -> nn.Module:
    """Give one model the weights of another that has the same tensors in the same order."""
    state = source.state_dict()
    keys = target.state_dict().keys()
    assert len(keys) == len(state)
    target.double().eval().load_state_dict(dict(zip(keys, state.values(), strict=True)))
    return target


def image(side: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, 3, side, side, dtype=torch.float64, generator=generator)


def same(ours: Tensor, theirs: Tensor) -> None:
    assert theirs.std() > 1e-2
    assert (ours - theirs).abs().max() <= 1e-8 * theirs.std()


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnet(name):
    theirs = fill(getattr(models, name)())
    ours = specc.load(f"{NETWORKS}/resnet.yaml:{name}")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    carry(theirs, ours)
    with torch.no_grad():
        same(ours(image(97)), theirs(image(97)))


def test_efficientnet_b0():
    theirs = fill(models.efficientnet_b0())
    ours = carry(theirs, specc.load(f"{NETWORKS}/efficientnet.yaml:b0"))
    with torch.no_grad():
        same(ours(image(224)), theirs(image(224)))


def test_retinanet():
    theirs = fill(models.detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None))
    ours = carry(theirs, specc.load(f"{NETWORKS}/retinanet.yaml:v1"))
    with torch.no_grad():
        expected = theirs.head(list(theirs.backbone(image(128)).values()))
        found = ours(image(128))
    same(per_anchor(found.logits, 91), expected["cls_logits"])
    same(per_anchor(found.deltas, 4), expected["bbox_regression"])


def per_anchor(maps: list[Tensor], columns: int) -> Tensor:
    """Lay maps (N, anchors * columns, H, W) out as torchvision does."""
    rows = [x.permute(0, 2, 3, 1).reshape(len(x), -1, columns) for x in maps]
    return torch.cat(rows, dim=1)
