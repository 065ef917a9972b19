"""Greedy suppression in many pictures at once: a box goes if a better one that stays overlaps it.

Literally that is a loop from the best box to the worst. Here all classes of all pictures take their next
few boxes at a time, and each time fewer are left.
"""

import torch
from torch import Tensor

from specc_runtime.boxes import iou

FEW, MANY = 5, 32
"""How many boxes of each class are settled at once, at least and at most."""
PAIRS = 2**15
"""How many pairs of boxes are compared at once, where that is between the two."""


def first_survivors(
    boxes: Tensor, labels: Tensor, valid: Tensor, threshold: float, enough: int
) -> Tensor:
    """Which of the boxes (R, k, 4), each row sorted best first, suppression within labels keeps.

    Of a row's answer (R, k) the first `enough` that are kept count, and what follows does not.
    """
    kept = torch.zeros_like(valid)
    left = valid.flatten().nonzero().squeeze(1)
    rows = torch.arange(len(valid), device=valid.device)[:, None]
    groups = (rows * (labels.max() + 1) + labels).flatten().index_select(0, left)
    groups, order = groups.sort(stable=True)
    left = left.index_select(0, order)
    boxes = boxes.flatten(0, 1).index_select(0, left)
    while len(left):
        heads, own = _heads(groups)
        rivals = boxes.index_select(0, heads.index_select(1, own).flatten())
        overlap = (iou(boxes[:, None], rivals.view(len(heads), -1, 1, 4)) > threshold)[..., 0, 0]
        stay = _settled(overlap[:, heads])
        kept.view(-1)[left[torch.where(stay, heads, heads[0])]] = True
        gone = (overlap & stay.index_select(1, own)).any(dim=0)
        gone[heads] = True
        gone |= (kept.cumsum(dim=1) >= enough).flatten().index_select(0, left)
        rest = gone.logical_not_().nonzero().squeeze(1)
        left, groups, boxes = (value.index_select(0, rest) for value in (left, groups, boxes))
    return kept


def _heads(groups: Tensor) -> tuple[Tensor, Tensor]:
    """Where the first boxes (n, G) of each group are, and which group each box (N,) is of.

    `groups` (N,) is sorted. A group of fewer boxes has its first one again.
    """
    begins = torch.cat((groups.new_ones(1, dtype=torch.bool), groups[1:] != groups[:-1]))
    start = begins.nonzero().squeeze(1)
    sizes = start.diff(append=start.new_full((1,), len(groups)))
    most = min(max(FEW, PAIRS // len(groups)), MANY)
    place = torch.arange(most, device=groups.device)[:, None]
    return start + torch.where(place < sizes, place, 0), begins.cumsum(0) - 1


def _settled(overlap: Tensor) -> Tensor:
    """Greedy suppression as a fixed point: Zheng et al., Cluster-NMS, 2020, section 3.3.

    Which of a group's boxes (n, G), best first, stay, where `overlap` (n, n, G) says which overlap which?
    Each unless a better one that stays overlaps it. Starting from all, each round settles at least one
    more link of every chain of overlaps, so n rounds always suffice; few are needed.
    """
    place = torch.arange(len(overlap), device=overlap.device)
    beaten = overlap & (place[:, None] < place)[..., None]
    keep = torch.ones_like(overlap[0])
    for _ in overlap:
        settled = ~(beaten & keep[:, None]).any(dim=0)
        if torch.equal(settled, keep):
            break
        keep = settled
    return keep
