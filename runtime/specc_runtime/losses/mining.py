"""The hardest examples of each picture, found without sorting."""

import torch
from torch import Tensor


@torch.no_grad()
def hardest(losses: Tensor, counts: Tensor) -> Tensor:
    """Weights (B, A): 1 at the `counts` (B,) greatest of each row's losses (B, A), 0 at the others.

    No loss is negative. Losses equal to the least that is taken share what is left of the count,
    so the weighted sum is that of the greatest whatever the order of equals.

    Floats that are not negative are ordered as their bits are, so the least that is taken is found
    by bisection over its 31 bits: passes that compare and count, where a sort moves every number.
    """
    losses, counts = losses.float(), counts[:, None]
    bits = torch.zeros_like(counts, dtype=torch.int32)
    for bit in reversed(range(31)):
        higher = bits + (1 << bit)
        reached = _ones(losses >= higher.view(torch.float32)).sum(dim=1, keepdim=True)
        bits = torch.where(reached >= counts, higher, bits)
    least = bits.view(torch.float32)
    above, equal = _ones(losses > least), _ones(losses == least)
    left = counts - above.sum(dim=1, keepdim=True)
    return above + equal * (left / equal.sum(dim=1, keepdim=True).clamp(min=1)).clamp(max=1)


def _ones(where: Tensor) -> Tensor:
    # Compiled for a CPU, a sum of floats is vectorised, a sum of truth values is not.
    return torch.where(where, 1.0, 0.0)
