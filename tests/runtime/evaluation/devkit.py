"""The rules of the VOC development kit, read literally and line by line, however slow.

VOCevaldet.m and VOCap.m of VOCdevkit (2012 and, for eleven points, 2007), with its 1-based inclusive
corners. What the project computes is held against this.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Truth:
    corners: tuple[int, int, int, int]
    difficult: bool
    detected: bool = False


def voc_ap(
    truth: dict[str, list[Truth]],
    detections: Sequence[tuple[str, float, tuple[int, int, int, int]]],
    eleven_points: bool,
) -> float:
    npos = sum(not gt.difficult for objects in truth.values() for gt in objects)
    tp: list[int] = []
    fp: list[int] = []
    for image, _, bb in sorted(detections, key=lambda detection: -detection[1]):
        ovmax = float("-inf")
        jmax = None
        for gt in truth.get(image, []):
            bbgt = gt.corners
            bi = [
                max(bb[0], bbgt[0]),
                max(bb[1], bbgt[1]),
                min(bb[2], bbgt[2]),
                min(bb[3], bbgt[3]),
            ]
            iw = bi[2] - bi[0] + 1
            ih = bi[3] - bi[1] + 1
            if iw > 0 and ih > 0:
                ua = (bb[2] - bb[0] + 1) * (bb[3] - bb[1] + 1)
                ua += (bbgt[2] - bbgt[0] + 1) * (bbgt[3] - bbgt[1] + 1)
                ua -= iw * ih
                ov = iw * ih / ua
                if ov > ovmax:
                    ovmax = ov
                    jmax = gt
        hit, miss = 0, 0
        if ovmax >= 0.5 and jmax is not None:
            if not jmax.difficult:
                if not jmax.detected:
                    hit = 1
                    jmax.detected = True
                else:
                    miss = 1
        else:
            miss = 1
        tp.append(hit)
        fp.append(miss)

    recall: list[float] = []
    precision: list[float] = []
    for number in range(len(tp)):
        hits, misses = sum(tp[: number + 1]), sum(fp[: number + 1])
        recall.append(hits / npos)
        precision.append(hits / (hits + misses) if hits + misses else 0.0)

    if eleven_points:
        ap = 0.0
        for t in range(11):
            at_least = [p for r, p in zip(recall, precision, strict=True) if r >= t / 10]
            ap += max(at_least, default=0.0) / 11
        return ap
    mrec = [0.0, *recall, 1.0]
    mpre = [0.0, *precision, 0.0]
    for i in range(len(mpre) - 2, -1, -1):
        mpre[i] = max(mpre[i], mpre[i + 1])
    return sum((mrec[i] - mrec[i - 1]) * mpre[i] for i in range(1, len(mrec)))
