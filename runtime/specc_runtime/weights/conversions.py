"""Conversions between another project's tensors and ours."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from specc_runtime.weights.own import WeightsError


class Conversion(Protocol):
    """A conversion of one tensor in both directions; each raises `WeightsError` if it is impossible."""

    def ours(self, theirs: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Our tensor, which must have this shape, from theirs."""
        ...

    def theirs(self, ours: Tensor) -> Tensor:
        """Their tensor from ours."""
        ...


@dataclass(frozen=True)
class Decimate:
    """A smaller convolution from a linear layer or convolution: every nth number of each side.

    Liu et al., SSD, ECCV 2016, section 3: of VGG16's fc6, read as (4096, 512, 7, 7), every fourth
    output and every third row and column are taken, which gives (1024, 512, 3, 3).
    """

    def ours(self, theirs: Tensor, shape: tuple[int, ...]) -> Tensor:
        """(out, in), (out, in, h, w) or (out,), thinned to `shape`."""
        if theirs.dim() == 2 and len(shape) == 4:
            side = 1 if shape[2:] == (1, 1) else math.isqrt(theirs.shape[1] // shape[1])
            if theirs.shape[1] % (side * side):
                raise WeightsError(f"{list(theirs.shape)} is no {shape[1]} flattened squares")
            theirs = theirs.reshape(len(theirs), -1, side, side)
        if theirs.dim() != len(shape):
            raise WeightsError(f"{list(theirs.shape)} cannot be thinned to {list(shape)}")
        steps = [
            max(1, -(-size // wanted)) for size, wanted in zip(theirs.shape, shape, strict=True)
        ]
        return theirs[tuple(slice(None, None, step) for step in steps)]

    def theirs(self, ours: Tensor) -> Tensor:
        """Raise `WeightsError`: what was left out is lost."""
        del ours
        raise WeightsError("it was decimated, and what was left out is lost")


@dataclass(frozen=True)
class SwapRedBlue:
    """A first convolution for RGB from one for BGR, or the other way round."""

    def ours(self, theirs: Tensor, shape: tuple[int, ...]) -> Tensor:
        """(out, 3, h, w) with the input channels in reverse."""
        del shape
        return self.theirs(theirs)

    def theirs(self, ours: Tensor) -> Tensor:
        """(out, 3, h, w) with the input channels in reverse."""
        if ours.dim() != 4 or ours.shape[1] != 3:
            raise WeightsError(f"{list(ours.shape)} is no convolution of three channels")
        return ours.flip(1)


@dataclass(frozen=True)
class ReorderOutputs:
    """Output channels in another order, in groups of `len(order)`: ours k is theirs `order[k]`."""

    order: tuple[int, ...]

    def ours(self, theirs: Tensor, shape: tuple[int, ...]) -> Tensor:
        """(out, ...), put in order group by group."""
        del shape
        return self._taken(theirs, self.order)

    def theirs(self, ours: Tensor) -> Tensor:
        """(out, ...), put back."""
        return self._taken(ours, tuple(self.order.index(k) for k in range(len(self.order))))

    def _taken(self, tensor: Tensor, order: tuple[int, ...]) -> Tensor:
        if sorted(self.order) != list(range(len(self.order))):
            raise WeightsError(f"{list(self.order)} is no order of {len(self.order)} channels")
        if tensor.shape[0] % len(order):
            raise WeightsError(f"{tensor.shape[0]} channels are no groups of {len(order)}")
        groups = tensor.reshape(-1, len(order), *tensor.shape[1:])
        return groups.index_select(1, torch.tensor(order)).reshape(tensor.shape)


KINDS: dict[str, type[Decimate | SwapRedBlue | ReorderOutputs]] = {
    "Decimate": Decimate,
    "ReorderOutputs": ReorderOutputs,
    "SwapRedBlue": SwapRedBlue,
}
