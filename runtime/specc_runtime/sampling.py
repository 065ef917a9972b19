"""Sampling: which anchors or regions of a picture count, drawn at random.

The draws come from torch's own generator, so that they are a function of (seed, step) as the rest of
a step is.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import area
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned, IoUMatch


class Drawn(NamedTuple):
    """Some of the anchors of each picture, as many of each; not all need count."""

    places: Tensor  # (B, n), positions among the anchors
    counts: Tensor  # (B, n), whether this one counts


@torch.no_grad()
def draw(labels: Tensor, examples: int, positive: float) -> Drawn:
    """Draw from each picture's anchors with labels (B, A): at most `examples`, or A if there are fewer.

    Of those, at most a share `positive` have an object, and background fills up the rest; undecided
    anchors never count. Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1.3.
    """
    anchors = labels.shape[1]
    draws = torch.rand(labels.shape, device=labels.device)
    keys = torch.where(labels == NOTHING, draws, -1.0)
    best, places = torch.where(labels >= 0, draws, -1.0).topk(
        min(int(examples * positive), anchors)
    )
    keys = keys.scatter(1, places, torch.where(best >= 0, 1.0 + best, keys.gather(1, places)))
    keys, index = keys.topk(min(examples, anchors))
    return Drawn(index, keys >= 0)


def take(values: Tensor, index: Tensor) -> Tensor:
    """Rows (B, n, C) of values (B, A, C) at positions (B, n)."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))


class Sampled(NamedTuple):
    """The regions that a second stage learns from, and what each is to find."""

    regions: Tensor  # (B, S, 4), without area where there are fewer
    assigned: Assigned


@dataclass(frozen=True)
class Sample:
    """Regions for the second stage to learn from: Girshick, Fast R-CNN, ICCV 2015, section 2.3.

    Of each picture's proposals, and its objects beside them, `examples` are drawn, at most a share
    `positive` of them with an object. Where there are fewer, regions without area fill up the
    places, and they are undecided.
    """

    examples: int = 512
    positive: float = 0.25

    @torch.no_grad()
    def __call__(
        self, proposals: Tensor, boxes: Tensor, labels: Tensor, match: IoUMatch
    ) -> Sampled:
        """Draw among proposals (B, R, 4), given objects: boxes (B, M, 4), labels (B, M), M >= 1."""
        real = torch.cat((area(proposals) > 0, labels >= 0), dim=1)
        candidates = torch.cat((proposals, boxes.to(proposals.dtype)), dim=1)
        matched = match(candidates, boxes, labels)
        places, counts = draw(matched.labels.where(real, UNDECIDED), self.examples, self.positive)
        regions = take(candidates, places).where(counts[..., None], 0.0)
        return Sampled(
            regions,
            Assigned(
                matched.found.gather(1, places).where(counts, UNDECIDED),
                matched.labels.gather(1, places).where(counts, UNDECIDED),
                matched.objects,
                regions,
            ),
        )


KINDS: dict[str, type[Sample]] = {"Sample": Sample}
