"""Optimizers, learning rate and averaged weights."""

import copy
import math
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.sgd import sgd

from specc_runtime.recipe import Recipe

M = TypeVar("M", bound=nn.Module)


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with weight decay and without: biases, norms and gains have one axis and no decay."""
    trained = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer, fused: if its `found_inf` is 1 it skips the step without a host wait.

    Its state is allocated at once, so that no later step can lack the memory for it, and is zero.
    PyTorch would take SGD's momentum from the first gradient, which is the same, except
    that uninitialised memory is used if that first step is skipped.
    """
    groups = parameter_groups(network, recipe.weight_decay)
    rate, momentum = recipe.lr, recipe.momentum
    parameters = [p for group in groups for p in group["params"]]
    if recipe.optimizer == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=rate, betas=(momentum, 0.999), fused=True)
        names = ("exp_avg", "exp_avg_sq")
        for parameter in parameters:
            optimizer.state[parameter]["step"] = parameter.new_zeros((), dtype=torch.float32)
    else:
        optimizer = _SGD(groups, lr=rate, momentum=momentum, fused=True)
        names = ("momentum_buffer",) if momentum else ()
    for parameter in parameters:
        optimizer.state[parameter] |= {name: torch.zeros_like(parameter) for name in names}
    return optimizer


class _SGD(torch.optim.SGD):
    """PyTorch's fused SGD on tensors viewed as contiguous.

    On a CPU its kernel copies each gradient that is not contiguous, such as channels-last ones, and
    then does not use the copy.
    """

    OPTIONS = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update the parameters that have a gradient."""
        for group in self.param_groups:
            trained = [p for p in group["params"] if p.grad is not None]
            kept = [self.state[p]["momentum_buffer"] for p in trained if group["momentum"]]
            sgd(
                _as_they_lie(trained),
                _as_they_lie([p.grad for p in trained]),
                _as_they_lie(kept),
                fused=True,
                found_inf=getattr(self, "found_inf", None),
                **{name: group[name] for name in self.OPTIONS},
            )


def _as_they_lie(tensors: list[Tensor]) -> list[Any]:
    """The tensors, with the axes of channels-last ones permuted to their order in memory."""
    layout = torch.channels_last
    return [t.movedim(1, -1) if t.is_contiguous(memory_format=layout) else t for t in tensors]


def learning_rate(recipe: Recipe, step: int, total: int) -> float:
    """The learning rate of `step`, counted from 0, in a run of `total` steps.

    It rises linearly over `warmup_steps`, or a tenth of a short run. Then it falls by `gamma` at each of
    `milestones`, which below 1 are fractions of the run and from 1 on its epochs or steps, or along half
    a cosine to 0 (Loshchilov, Hutter, SGDR, 2017).
    """
    warmup = min(recipe.warmup_steps, total // 10)
    if step < warmup:
        return recipe.lr * (step + 1) / (warmup + 1)
    if recipe.schedule == "cosine":
        done = (step - warmup) / max(1, total - warmup)
        return recipe.lr * 0.5 * (1.0 + math.cos(math.pi * done))
    if recipe.schedule == "step":
        ends = (m * total if m < 1.0 else m * total / recipe.length for m in recipe.milestones)
        return recipe.lr * recipe.gamma ** sum(step >= end for end in ends)
    return recipe.lr


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups the same rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by name: `<parameter>/<what>`, as `head.weight/momentum_buffer`."""
    return {
        f"{name}/{what}": value
        for name, parameter in network.named_parameters()
        for what, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


@torch.no_grad()
def load_optimizer_tensors(
    network: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Load what `optimizer_tensors` gave. Raises `ValueError` unless names and shapes match.

    A fused optimizer would write beyond the end of a tensor that is too small.
    """
    state = optimizer_tensors(network, optimizer)
    if other := sorted(state.keys() ^ tensors.keys()):
        raise ValueError(f"the optimizer keeps other values, as {other[0]}")
    for name, place in state.items():
        if place.shape != tensors[name].shape:
            raise ValueError(
                f"{name} is {list(tensors[name].shape)}, not {list(place.shape)} as its parameter"
            )
        place.copy_(tensors[name])


class RunningStatistics:
    """The running statistics of a network's norms, which a forward pass changes."""

    def __init__(self, network: nn.Module) -> None:
        self._buffers = [b for b in network.buffers() if b.is_floating_point()]
        self._empty = next(network.parameters()).new_empty(0)

    @torch.no_grad()
    def read(self) -> Tensor:
        """A flat copy of them all."""
        return torch.cat([self._empty, *(b.flatten() for b in self._buffers)])

    @torch.no_grad()
    def write(self, values: Tensor) -> None:
        """Restore values that `read` returned."""
        if self._buffers:
            parts = torch.split_with_sizes(values, [b.numel() for b in self._buffers])
            shaped = [part.view_as(b) for part, b in zip(parts, self._buffers, strict=True)]
            torch._foreach_copy_(self._buffers, shaped)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


class Average(Generic[M]):
    """A copy of a module with the exponential moving average of its weights.

    Polyak, Juditsky, 1992. The decay grows with the steps, min(decay, (1 + n) / (10 + n)), so that
    an average over few steps does not remember the initial weights.
    """

    def __init__(self, module: M, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: M, step: int) -> None:
        """Add the weights after `step` steps to the average; buffers are copied."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mine: list[Tensor] = list(self.module.parameters())
        theirs: list[Tensor] = list(module.parameters())
        torch._foreach_lerp_(mine, theirs, 1.0 - decay)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        mine, theirs = list(self.module.buffers()), list(module.buffers())
        torch._foreach_copy_(mine, theirs)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
