"""The figures of a reference, counted by torch itself without its weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    """Make a model of shapes alone."""
    with torch.device("meta"):
        return make().eval()


def count(model: nn.Module, side: int) -> tuple[int, int, int]:
    """Return parameters, entries of the state dict, and multiply-adds of one square image."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as flops:
        model(torch.empty(1, 3, side, side))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return parameters, len(model.state_dict()), flops.get_total_flops() // 2
