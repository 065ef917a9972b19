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
