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
    sought = counts.clamp(min=1)  # so that the least that is taken is a number
    bits = torch.zeros_like(counts, dtype=torch.int32)
    for bit in reversed(range(31)):
        higher = bits + (1 << bit)
        # Compiled for a CPU, a sum of floats is vectorised, a sum of truth values is not.
        above = torch.where(losses >= higher.view(torch.float32), 1.0, 0.0)
        reached = above.sum(dim=1, keepdim=True)
        bits = torch.where(reached >= sought, higher, bits)
    least = bits.view(torch.float32)
    order = torch.sign(losses - least)  # stored for the backward, where truth values would be slow
    above, equal = order.clamp(min=0), 1 - order.abs()
    left = counts - above.sum(dim=1, keepdim=True)
    return above + equal * (left / equal.sum(dim=1, keepdim=True).clamp(min=1)).clamp(max=1)
