"""VGG16 beside torchvision's."""

from __future__ import annotations

import torch
from figures import count, on_meta
from parity import (
    SPECS,
    Outputs,
    Pair,
    agree,
    emitted,
    fill,
    images,
    tapped,
    without_dropping,
)
from torch import nn
from torchvision import models

import specc

torch.set_num_threads(1)


def run(model: nn.Module, batch: torch.Tensor) -> Outputs:
    return tapped(model, batch, features="features")


def test_agrees_with_torchvision() -> None:
    """Both have one set of weights in memory, which is a gigabyte."""
    theirs = on_meta(lambda: models.vgg16(num_classes=10)).to_empty(device="cpu")
    fill(theirs, lambda model: None)
    table = specc.compile(SPECS / "vgg16.yaml").weights["torchvision"]
    ours = on_meta(lambda: emitted("vgg16", num_classes=10))
    state = {table[key]: tensor for key, tensor in theirs.state_dict().items()}
    without_dropping(ours).load_state_dict(state, assign=True)
    agree(Pair(ours.features, theirs.features, tapped, tapped), images(97))
    agree(Pair(ours, theirs, run, run), images((64, 40), batch=4))


def test_figures_and_keys_are_torchvisions() -> None:
    reference = on_meta(models.vgg16)
    model = specc.compile(SPECS / "vgg16.yaml")
    assert not model.diagnostics
    figures = model.parameters, len(model.facts.costs.state), model.macs
    assert figures == count(reference, 224)
    assert list(on_meta(lambda: emitted("vgg16")).state_dict()) == [*reference.state_dict()]
