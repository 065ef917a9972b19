"""Greedy suppression in many pictures at once: a box goes if a better one that stays overlaps it.

Literally that is a loop from the best box to the worst. Here all classes of all pictures take their next
few boxes at a time. Those that stay among these are found, and what they overlap drops out.
"""

import math

import torch
from torch import Tensor

from specc_runtime.boxes import iou

PAIRS = 2**15
"""How many pairs of boxes, of all classes together, are settled at once."""


def first_survivors(
    boxes: Tensor, labels: Tensor, valid: Tensor, threshold: float, enough: int
) -> Tensor:
    """Which of the boxes (R, k, 4), each row sorted best first, suppression within labels keeps.

    Of a row's answer (R, k) the first `enough` that are kept count, and what follows does not.
    """
    kept = torch.zeros_like(valid)
    left = valid.flatten().nonzero().squeeze(1)
    pictures = torch.arange(len(valid), device=valid.device)[:, None]
    groups = (pictures * (labels.max() + 1) + labels).flatten().index_select(0, left)
    groups, order = groups.sort(stable=True)
    left = left.index_select(0, order)
    boxes = boxes.flatten(0, 1).index_select(0, left)
    boxes = torch.where(boxes.isfinite().all(dim=1, keepdim=True), boxes, 0.0)  # overlaps nothing
    while len(left):
        heads, parts, own = _parts(groups)
        stay = _settled(_overlap(boxes[heads[:, None]], boxes[heads]), threshold)
        best = torch.where(stay, heads, heads[0])  # the first of a group always stays
        kept.view(-1)[left[best]] = True
        most = int(stay.sum(dim=0).max())
        best = best.gather(0, stay.byte().topk(most, dim=0, sorted=False).indices)
        gone = (kept.cumsum(dim=1) >= enough).flatten().index_select(0, left)
        gone[parts] |= _overlap(boxes[best[:, None, own]], boxes[parts]).amax(dim=0) > threshold
        gone[heads] = True
        rest = gone.logical_not_().nonzero().squeeze(1)
        left, groups, boxes = (value.index_select(0, rest) for value in (left, groups, boxes))
    return kept


def _parts(groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Groups (N,), which are sorted, in parts of n boxes.

    Where the first n boxes of each group are (n, G), where those of all parts are (n, P), and which
    group each part (P,) is of. Where a part has fewer boxes, its last one is there again.
    """
    begins = torch.cat((groups.new_ones(1, dtype=torch.bool), groups[1:] != groups[:-1]))
    start = begins.nonzero().squeeze(1)
    end = torch.cat((start[1:], start.new_full((1,), len(groups)))) - 1
    group = begins.cumsum(0) - 1
    n = max(1, math.isqrt(PAIRS // len(start)))
    place = torch.arange(len(groups), device=groups.device)
    part = ((place - start[group]) % n == 0).nonzero().squeeze(1)
    own, place = group[part], place[:n, None]
    return (start + place).minimum(end), (part + place).minimum(end[own]), own


def _overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union (...) of boxes (..., 4), each with the one that stands where it does."""
    return iou(first[..., None, :], second[..., None, :])[..., 0, 0]


def _settled(overlap: Tensor, threshold: float) -> Tensor:
    """Greedy suppression as a fixed point: Zheng et al., Cluster-NMS, 2020, section 3.3.

    Which of a group's boxes (n, G), best first, stay, where they overlap by `overlap` (n, n, G)?
    Each unless a better one that stays overlaps it. Starting from all, each round settles at least one
    more link of every chain of overlaps, so n rounds always suffice; few are needed.
    """
    place = torch.arange(len(overlap), device=overlap.device)
    by_better = overlap * (place[:, None] < place)[..., None]
    keep = torch.ones_like(overlap[0], dtype=torch.bool)
    for _ in overlap:
        settled = (by_better * keep[:, None]).amax(dim=0) <= threshold
        if torch.equal(settled, keep):
            break
        keep = settled
    return keep
