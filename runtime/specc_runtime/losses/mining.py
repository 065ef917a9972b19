"""The hardest examples of each picture, found without sorting."""

import torch
from torch import Tensor

from specc_runtime.fusion import stored


@torch.no_grad()
def hardest(losses: Tensor, counts: Tensor) -> Tensor:
    """Weights (B, A): 1 for the `counts` (B,) largest losses of each row (B, A), 0 for the others.

    No loss may be negative. Losses equal to the smallest one taken share what is left of the count,
    so that the weighted sum does not depend on the order of ties.

    Non-negative floats are ordered like their bits, so the smallest loss taken is found by bisection over
    its 31 bits: passes that compare and count, where a sort would move every number.
    """
    losses, counts = stored(losses.float()), counts[:, None]
    sought = counts.clamp(min=1)  # with 0 the bisection would end at a NaN
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
    """The number of true values in each row of (B, A): (B, 1).

    Summed as integers: compiled for a CPU, a sum of floats compensates for rounding and takes far longer.
    """
    return true.sum(dim=1, keepdim=True, dtype=torch.int32)
