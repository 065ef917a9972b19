"""What training makes small, and with it what a class score means.

A softmax needs an output for the background, the first of `num_classes`; sigmoids need none.
"""

from __future__ import annotations

from typing import ClassVar

from specc.detector.base import Component, component
from specc.ops.arguments import choice, integer, number

__all__ = [
    "OHEM",
    "EfficientDetLoss",
    "FCOSLoss",
    "FastRCNNLoss",
    "FocalLoss",
    "Loss",
    "MultiBoxLoss",
    "RPNLoss",
    "YOLOLoss",
    "YOLOv1Loss",
    "YOLOv2Loss",
]


class Loss(Component):
    """A loss; `outputs` are the keys of `detector:` that name what it judges.

    `needs_prior` says that it counts every anchor, so that class scores have to begin low.
    """

    slot = "loss"

    outputs: ClassVar[tuple[str, ...]] = ("boxes", "classes")
    needs_prior: ClassVar[bool] = False


def _alpha() -> float:
    return number(
        "Weight of an object; of all else, 1 - `alpha`.", minimum=0, maximum=1, default=0.25
    )


def _gamma(default: float = 2.0) -> float:
    return number("How little easy examples count.", minimum=0, default=default)


def _beta() -> float:
    return number("Difference of offsets up to which it is squared.", above=0, default=1 / 9)


def _ignore(default: float) -> float:
    return number(
        "Overlap with an object above which a box is not told that it has none.",
        minimum=0,
        maximum=1,
        default=default,
    )


@component
class MultiBoxLoss(Loss):
    """Smooth L1 and cross-entropy over positives and the hardest negatives (SSD, equation 1).

    Scores are a softmax, and class 0 is the background.
    """

    negatives_per_positive: float = number("Ratio of the mined negatives.", above=0, default=3.0)


@component
class OHEM(Loss):
    """Smooth L1 and cross-entropy over the hardest examples (Shrivastava et al., CVPR 2016).

    Scores are a softmax, and class 0 is the background.
    """

    examples: int = integer("Anchors of an image that count.", default=128)


@component
class FocalLoss(Loss):
    """Focal loss over all anchors (Lin et al., RetinaNet, equation 5), and a loss of the boxes.

    Scores are a sigmoid for each class, and there is no background.
    """

    needs_prior = True

    alpha: float = _alpha()
    gamma: float = _gamma()
    boxes: str = choice("Loss of the boxes.", ("l1", "smooth_l1", "giou"), default="smooth_l1")


@component
class FCOSLoss(Loss):
    """Focal loss, GIoU of the boxes, cross-entropy of the center-ness (Tian et al., FCOS, 2019 and 2020).

    Scores are the root of a sigmoid for each class times that of the center-ness.
    """

    outputs = ("boxes", "classes", "centerness")
    beside: ClassVar = {"match": ("CenterSampling",)}
    needs_prior = True

    alpha: float = _alpha()
    gamma: float = _gamma()


@component
class EfficientDetLoss(Loss):
    """Focal loss, and the Huber loss of the offsets, over the whole batch (Tan et al., EfficientDet, section 5.1).

    Scores are a sigmoid for each class, and there is no background.
    """

    needs_prior = True

    alpha: float = _alpha()
    gamma: float = _gamma(1.5)
    delta: float = number("Difference of offsets up to which it is squared.", above=0, default=0.1)
    box_weight: float = number("Weight of the boxes' loss.", minimum=0, default=50.0)


@component
class RPNLoss(Loss):
    """Cross-entropy and smooth L1 over anchors drawn at random (Ren et al., Faster R-CNN, section 3.1).

    The loss of the first of two stages, which tells objects from all else.
    """

    outputs = ("boxes", "objectness")

    examples: int = integer("Anchors of an image that are drawn.", default=256)
    positive: float = number(
        "Largest share of them that have an object.", minimum=0, maximum=1, default=0.5
    )
    beta: float = _beta()


@component
class FastRCNNLoss(Loss):
    """Cross-entropy, and smooth L1 of the own class's offsets (Girshick, Fast R-CNN, equations 1 to 3).

    Scores are a softmax, and class 0 is the background. Each class has offsets of its own.
    """

    slot = "regions.loss"

    beta: float = _beta()


@component
class YOLOLoss(Loss):
    """Cross-entropy of objectness, classes and place, squared error of the log-size (Redmon and Farhadi, YOLOv3, section 2), as in Darknet.

    Scores are a sigmoid for each class times that of the objectness, and there is no background. The
    offsets are those of `CellCoder`.
    """

    outputs = ("boxes", "classes", "objectness")
    needs_cells = True
    beside: ClassVar = {"coder": ("CellCoder",)}

    ignore: float = _ignore(0.5)


@component
class YOLOv2Loss(Loss):
    """As `YOLOLoss`, but for a softmax of the classes, and an objectness that tells the box's overlap (YOLO9000, section 2), as in Darknet.

    Scores are a softmax of the classes times the sigmoid of the objectness, and no class is the
    background.
    """

    outputs = ("boxes", "classes", "objectness")
    needs_cells = True
    beside: ClassVar = {"coder": ("CellCoder",)}

    ignore: float = _ignore(0.6)
    objects: float = number("Weight of an object's objectness.", minimum=0, default=5.0)


@component
class YOLOv1Loss(Loss):
    """Squared errors of offsets, confidence and classes (Redmon et al., YOLO, equation 3).

    One box of a cell is responsible for its object: the one that overlaps it most. Scores are a class's
    times the confidence, which is to be that overlap, and there is no background.
    """

    outputs = ("boxes", "classes", "objectness")
    needs_cells = True
    beside: ClassVar = {"coder": ("RootCoder",), "match": ("GridMatch",)}

    box_weight: float = number("Weight of the offsets.", minimum=0, default=5.0)
    empty_weight: float = number("Weight of confidences that are to be 0.", minimum=0, default=0.5)
