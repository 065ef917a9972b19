"""The hardest examples of each picture, found without sorting."""

import torch
from torch import Tensor

from specc_runtime.fusion import stored


@torch.no_grad()
def hardest(losses: Tensor, counts: Tensor) -> Tensor:
    """Weights (B, A): 1 at the `counts` (B,) greatest of each row's losses (B, A), 0 at the others.

    No loss is negative. Losses equal to the least that is taken share what is left of the count,
    so the weighted sum is that of the greatest whatever the order of equals.

    Floats that are not negative are ordered as their bits are, so the least that is taken is found
    by bisection over its 31 bits: passes that compare and count, where a sort moves every number.
    """
    losses, counts = stored(losses.float()), counts[:, None]
    sought = counts.clamp(min=1)  # so that the least that is taken is a number
    bits = torch.zeros_like(counts, dtype=torch.int32)
    for bit in reversed(range(31)):
        higher = bits + (1 << bit)
        reached = count(losses >= higher.view(torch.float32))
        bits = torch.where(reached >= sought, higher, bits)
    least = bits.view(torch.float32)
    above, equal = losses > least, losses == least
    share = ((counts - count(above)) / count(equal).clamp(min=1)).clamp(max=1)
    return torch.where(above, 1.0, torch.where(equal, share, 0.0))


def count(true: Tensor) -> Tensor:
    """How many of each row (B, A) are true (B, 1).

    In whole numbers: compiled for a CPU, a sum of floats keeps account of rounding, and takes far longer.
    """
    return true.sum(dim=1, keepdim=True, dtype=torch.int32)
