"""Sampling: the anchors or regions of a picture that the loss counts, drawn at random.

Draws use torch's global generator, so like all of a step they are a function of (seed, step).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from specc_runtime.boxes import area
from specc_runtime.matching import NOTHING, UNDECIDED, Assigned, IoUMatch
from specc_runtime.predictions import take


class Drawn(NamedTuple):
    """The same number n of anchors of each picture, some of which may be padding."""

    places: Tensor  # (B, n), positions among the anchors
    counts: Tensor  # (B, n), False for padding


@torch.no_grad()
def draw(labels: Tensor, examples: int, positive: float) -> Drawn:
    """Draw up to `examples` of each picture's anchors, given their labels (B, A).

    At most a fraction `positive` of them have an object, the rest are background; undecided
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


class Sampled(NamedTuple):
    """The regions that train a second stage, and their targets."""

    regions: Tensor  # (B, S, 4), padded with boxes without area
    assigned: Assigned


@dataclass(frozen=True)
class Sample:
    """Regions to train the second stage: Girshick, Fast R-CNN, ICCV 2015, section 2.3.

    Of each picture's proposals and annotated boxes together, `examples` are drawn, at most a fraction
    `positive` of them with an object. If there are fewer, they are padded with undecided regions
    without area.
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
