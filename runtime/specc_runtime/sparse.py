"""Picking out the few of many values that matter: what a CPU does before it computes with them."""

import torch
from torch import Tensor
from torch.nn.functional import pad

WORD = 8
"""How many flags are looked at as one number."""


def are_few(count: int, of: int) -> bool:
    """Whether to pick out that many values is less work than to compute with all."""
    return 4 * count <= of


def true_at(flags: Tensor) -> Tensor:
    """Positions (P,), ascending, of the flags (n,) that are set, of which few are.

    Equal to `flags.nonzero().squeeze(1)`, which on a CPU goes through the flags one by one.
    """
    if len(flags) % WORD:
        flags = pad(flags, (0, -len(flags) % WORD))
    words = flags.view(-1, WORD)
    busy = words.view(torch.int64).nonzero()[:, 0]
    word, flag = words.index_select(0, busy).nonzero().unbind(dim=1)
    return busy.index_select(0, word) * WORD + flag


def top_above(values: Tensor, least: float, most: int) -> tuple[Tensor, Tensor]:
    """The greatest of each row (R, n) that are above `least`, in no order, and where: (R, k), (R, k).

    There are as many as in the row that has most, at least 1 and at most `most`. What a shorter row is
    filled up with is 0 and stands anywhere. The host waits for k.
    """
    above = values > least
    counts = above.sum(dim=1)
    count = max(1, int(counts.max()))
    if not values.is_cpu or not are_few(int(counts.sum()), values.numel()):
        top, at = values.topk(min(most, count), sorted=False)
        return torch.where(top > least, top, 0.0), at
    flat = true_at(above.flatten())
    row = flat.div(values.shape[1], rounding_mode="floor")
    place = torch.arange(len(flat)) + (row * count - (counts.cumsum(0) - counts)[row])
    few = values.new_zeros(len(values), count)
    few.view(-1).index_copy_(0, place, values.flatten().index_select(0, flat))
    at = flat.new_zeros(few.shape)
    at.view(-1).index_copy_(0, place, flat % values.shape[1])
    top, order = few.topk(min(most, count), sorted=False)
    return top, at.gather(1, order)
