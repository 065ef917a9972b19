"""Batch norms whose statistics cover the images of all ranks.

On GPUs this is PyTorch's `SyncBatchNorm`, which runs only there; on the CPU, the same written out.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn

from specc_runtime import distributed


def synchronise(network: nn.Module) -> None:
    """Make the batch norms of a network use the images of all ranks; names and tensors stay."""
    nn.SyncBatchNorm.convert_sync_batchnorm(network)  # pyright: ignore[reportUnknownMemberType]
    for module in network.modules():
        if isinstance(module, nn.SyncBatchNorm):
            module.__class__ = _SynchronisedNorm


class _SynchronisedNorm(nn.SyncBatchNorm):
    """Ioffe and Szegedy, Batch Normalization, ICML 2015, algorithm 1, over the images of all ranks."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - PyTorch's name
        """Normalise x (B, C, ...) by channel, in evaluation with the running statistics."""
        if input.is_cuda or not self.training or distributed.world_size() == 1:
            return super().forward(input)
        x = input.to(torch.promote_types(input.dtype, torch.float32)).movedim(1, -1)
        axes = tuple(range(x.ndim - 1))
        count = _total(torch.tensor(float(x[..., 0].numel())))
        mean = _total(x.sum(axes)) / count
        centred = x - mean
        variance = _total(centred.square().sum(axes)) / count
        self._follow(mean, variance * count / (count - 1))
        y = centred * (variance + self.eps).rsqrt()
        gain, shift = self._parameters["weight"], self._parameters["bias"]
        y = y if gain is None else y * gain
        y = y if shift is None else y + shift
        return y.movedim(-1, 1).to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards a batch's; without `momentum`, average all batches."""
        kept = self.num_batches_tracked, self.running_mean, self.running_var
        if all(value is not None for value in kept):
            seen, *running = cast(tuple[Tensor, ...], kept)
            seen += 1
            rate = 1 / float(seen) if self.momentum is None else self.momentum
            for value, now in zip(running, (mean, variance), strict=True):
                value.lerp_(now, rate)


class _Sum(torch.autograd.Function):
    """The sum of a tensor over the ranks; its gradient is summed too, as the loss is over all ranks."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:  # noqa: ARG004 - PyTorch hands it over
        total = tensors[0].clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.forward(ctx, *gradients)


def _total(tensor: Tensor) -> Tensor:
    """The sum of a tensor over the ranks."""
    return cast(Tensor, _Sum.apply(tensor))  # pyright: ignore[reportUnknownMemberType]
