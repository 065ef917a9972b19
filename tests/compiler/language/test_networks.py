"""Whole networks, which use the language in earnest: what the compiler says, and what torch makes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from agreement import agree, compiled
from torch import Tensor, nn

import specc

models = pytest.importorskip("torchvision.models")

ZOO = Path(__file__).parents[3] / "specs"
NETWORKS = Path(__file__).parent / "networks"
NAMES = [
    "vgg16.yaml",
    "resnet.yaml:resnet18",
    "resnet.yaml:resnet50",
    "efficientnet.yaml:b0",
    "efficientnet.yaml:tf_b4",
    "fpn_resnet.yaml:resnet18",
]
FIGURES = {
    "retinanet.yaml:v1": (34_068_119, 354),
    "retinanet.yaml:v2": (38_198_935, 362),
}


@pytest.mark.parametrize("name", NAMES)
def test_network_of_the_zoo(name):
    agree(f"{ZOO}/{name}")


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


def test_retinanet():
    """Weights are carried over tensor by tensor, in order, and outputs compared in float64."""
    theirs = fill(models.detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None))
    ours = specc.load(f"{NETWORKS}/retinanet.yaml:v1").double().eval()
    state = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(state))
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(1, 3, 128, 128, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        expected = theirs.head(list(theirs.backbone(image).values()))
        found = ours(image)
    same(per_anchor(found.logits, 91), expected["cls_logits"])
    same(per_anchor(found.deltas, 4), expected["bbox_regression"])


def same(ours: Tensor, theirs: Tensor) -> None:
    assert theirs.std() > 1e-2
    assert (ours - theirs).abs().max() <= 1e-8 * theirs.std()


def per_anchor(maps: list[Tensor], columns: int) -> Tensor:
    """Lay maps (N, anchors * columns, H, W) out as torchvision does."""
    rows = [x.permute(0, 2, 3, 1).reshape(len(x), -1, columns) for x in maps]
    return torch.cat(rows, dim=1)
