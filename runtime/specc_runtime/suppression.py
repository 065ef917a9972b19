"""Greedy suppression in many pictures at once: a box goes if a better one that stays overlaps it.

Literally that is a loop from the best box to the worst. Here it takes a few steps for all together.
"""

import torch
from torch import Tensor

from specc_runtime.boxes import iou
from specc_runtime.sparse import are_few, true_at

PART = 128
"""How many boxes of a picture are settled at once."""


def first_survivors(
    boxes: Tensor, labels: Tensor, valid: Tensor, threshold: float, enough: int
) -> Tensor:
    """Which of the boxes (R, k, 4), each row sorted best first, suppression within labels keeps.

    Of a row's answer (R, k) the first `enough` that are kept count, and what follows does not. So a
    part of the boxes at a time is compared with those few, and nothing is where they are complete.
    """
    kept = valid.clone()
    places = torch.arange(valid.shape[1], device=valid.device)
    most = 0
    for start in range(0, valid.shape[1], PART):
        earlier = kept[:, :start] * (start - places[:start])
        first = earlier.topk(min(enough, most)).indices
        part = places[start : start + PART]
        pool = torch.cat((first, part.expand(len(first), -1)), dim=1)
        kept[:, part] = _settle(
            boxes.gather(1, pool[..., None].expand(-1, -1, 4)),
            labels.gather(1, pool),
            kept.gather(1, pool),
            first.shape[1],
            threshold,
        )
        counts = kept[:, : start + PART].sum(dim=1)
        if bool((counts >= enough).all()):
            break
        most = int(counts.max())
    return kept


def _settle(boxes: Tensor, labels: Tensor, valid: Tensor, first: int, threshold: float) -> Tensor:
    """Greedy suppression as a fixed point: Zheng et al., Cluster-NMS, 2020, section 3.3.

    Of the boxes (R, n, 4) that are `valid` (R, n) the `first` ones stay. Which of the others do,
    (R, n - first)? Each unless a better, earlier one that stays overlaps it. Starting from all, each
    round settles at least one more link of every chain of overlaps, so n rounds always suffice; few
    are needed.
    """
    better, worse = torch.where(valid, labels, -1), torch.where(valid, labels, -2)[:, first:]
    rivals = (better[..., None] == worse[:, None]).triu_(diagonal=1 - first)
    better, worse = _overlaps(boxes, rivals, threshold)
    valid = valid.flatten()
    keep = valid
    for _ in range(boxes.shape[1]):
        beaten = torch.zeros_like(valid, dtype=torch.int32).index_add_(0, worse, keep[better].int())
        settled = valid & (beaten == 0)
        if torch.equal(settled, keep):
            break
        keep = settled
    return keep.view(boxes.shape[:2])[:, first:]


def _overlaps(boxes: Tensor, rivals: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Which of all pictures' boxes (R, n, 4), numbered through, overlap which, (P,) and (P,).

    Only `rivals` (R, n, m), pairs of a box and one of the last m, count. On a CPU, where they are few,
    no others are looked at.
    """
    _, count, others = rivals.shape

    def numbered(at: Tensor) -> tuple[Tensor, Tensor]:
        better = at.div(others, rounding_mode="floor")
        picture = better.div(count, rounding_mode="floor")
        return better, (picture + 1) * count - others + at % others

    if rivals.is_cpu and are_few(int(rivals.count_nonzero()), rivals.numel()):
        better, worse = numbered(true_at(rivals.flatten()))
        first, second = (boxes.flatten(0, 1).index_select(0, at)[:, None] for at in (better, worse))
        overlap = iou(first, second).flatten() > threshold
        return better[overlap], worse[overlap]
    return numbered(true_at((rivals & (iou(boxes, boxes[:, -others:]) > threshold)).flatten()))
