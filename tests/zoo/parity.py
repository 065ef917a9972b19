"""Emitted networks beside the code that their papers' tables were checked against.

Both get the same weights and must give the same numbers. Judged in float64, where a wrong layer
cannot hide behind rounding, from weights that keep every signal alive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import overwrite_eps
from torchvision.ops import FrozenBatchNorm2d

import specc

SPECS = Path(__file__).parents[2] / "specs"
Outputs = dict[str, Tensor]
full = partial(pytest.param, marks=pytest.mark.full)
"""Parameters of a test that speak of one more variant of the same spec."""
DROPPED = ("Dropout", "StochasticDepth", "DropPath")


class Pair(NamedTuple):
    """A reference with drawn weights, our network with the same, and how each is run."""

    ours: nn.Module
    theirs: nn.Module
    run_ours: Callable[[nn.Module, Tensor], Outputs]
    run_theirs: Callable[[nn.Module, Tensor], Outputs]


def images(side: int | tuple[int, int], batch: int = 1) -> Tensor:
    """Draw images (batch, 3, side, side) in float64."""
    size = (side, side) if isinstance(side, int) else side
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, *size, dtype=torch.float64, generator=generator)


def emitted(name: str, **params: object) -> nn.Module:
    """Compile a spec of the zoo, `resnet:resnet18` for instance, and make its network."""
    stem, _, variant = name.partition(":")
    return specc.load(f"{SPECS / stem}.yaml{':' * bool(variant)}{variant}", **params)


def fill(model: nn.Module, run: Callable[[nn.Module], object]) -> nn.Module:
    """Draw weights of He's variance, and set norms to the statistics of one training pass.

    `run` calls the model. Numbers a channel are drawn around 1 for a norm's weight and around 0 for
    biases: a head's prior would bury its signal.
    """
    generator = torch.Generator().manual_seed(0)
    model.double()
    for name, parameter in model.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        if parameter.dim() > 1:
            parameter.data = drawn * (2 / parameter[0].numel()) ** 0.5
        else:
            parameter.data = (name.endswith(("weight", "weights")) * 1.0) + 0.1 * drawn
    without_dropping(model).train()
    momentum = {m: m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
    for norm in momentum:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of what it sees
    with torch.no_grad():
        run(model)
    for norm, before in momentum.items():
        norm.momentum = before
    return model.eval()


def without_dropping(model: nn.Module) -> nn.Module:
    """Set every dropout and drop-connect of a network to 0."""
    for module in model.modules():
        if any(word in type(module).__name__ for word in DROPPED):
            module.p = 0.0
    return model


def frozen(model: nn.Module, eps: float) -> nn.Module:
    """Put torchvision's frozen norms, of this `eps`, in the place of those of each batch."""
    for parent in list(model.modules()):
        for name, norm in list(parent.named_children()):
            if isinstance(norm, nn.BatchNorm2d):
                fixed = FrozenBatchNorm2d(norm.num_features, norm.eps).double()
                fixed.load_state_dict(norm.state_dict())
                setattr(parent, name, fixed)
    overwrite_eps(model, eps)
    return model


def carry(theirs: nn.Module, ours: nn.Module, table: Mapping[str, str] | None = None) -> nn.Module:
    """Give our network the reference's weights: by their own keys, or by `table`, theirs to ours.

    Every tensor of both sides is accounted for, but counters of batches.
    """
    state = theirs.state_dict()
    if table is not None:
        state = {table[key]: tensor for key, tensor in state.items() if key in table}
        lost = theirs.state_dict().keys() - table.keys()
        assert all(key.endswith("num_batches_tracked") for key in lost), sorted(lost)[:5]
    ours.double().load_state_dict(state, strict=True)
    return without_dropping(ours).eval()


def tapped(model: nn.Module, batch: Tensor, **parts: str) -> Outputs:
    """Run a model; return its `out`, and under each name what the part at that path gave."""
    found: Outputs = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _part, _inputs, output: found.update({name: output})

    hooks = [
        model.get_submodule(path).register_forward_hook(note(name)) for name, path in parts.items()
    ]
    found["out"] = model(batch)
    for hook in hooks:
        hook.remove()
    return found


def agree(pair: Pair, batch: Tensor) -> None:
    """Check evaluation in float64, that float32 differs by rounding only, and training in float64.

    A batch of one image is not run in training, where its norms would see too little.
    """
    with torch.no_grad():
        exact = _same(pair, batch)
        _rounding(pair, batch, exact)
        if len(batch) >= 4:
            pair.ours.train()
            pair.theirs.train()
            _same(pair, batch)
    pair.ours.eval()
    pair.theirs.eval()


def _same(pair: Pair, batch: Tensor) -> Outputs:
    expected = pair.run_theirs(pair.theirs, batch)
    found = pair.run_ours(pair.ours, batch)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        assert value.std() > 1e-2, f"{name} has died out"
        assert (found[name] - value).abs().max() <= 1e-8 * value.std(), name
    return expected


def _rounding(pair: Pair, batch: Tensor, exact: Outputs) -> None:
    expected = pair.run_theirs(pair.theirs.float(), batch.float())
    found = pair.run_ours(pair.ours.float(), batch.float())
    pair.theirs.double()
    pair.ours.double()
    for name, value in expected.items():
        rounding = (value - exact[name]).abs().max()
        assert (found[name] - value).abs().max() <= 4 * rounding, name
