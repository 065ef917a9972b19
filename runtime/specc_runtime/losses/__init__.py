"""Losses, one per file; `KINDS` is the registry by the `kind` in a spec.

`OF_REGIONS` is the registry for second stages.
"""

from specc_runtime.losses.efficientdet import EfficientDetLoss
from specc_runtime.losses.fast_rcnn import FastRCNNLoss
from specc_runtime.losses.fcos import FCOSLoss
from specc_runtime.losses.focal import FocalLoss
from specc_runtime.losses.multibox import MultiBoxLoss
from specc_runtime.losses.ohem import OHEM
from specc_runtime.losses.rpn import RPNLoss
from specc_runtime.losses.yolo import YOLOLoss, YOLOv2Loss
from specc_runtime.losses.yolov1 import YOLOv1Loss

Loss = (
    EfficientDetLoss
    | FCOSLoss
    | FocalLoss
    | MultiBoxLoss
    | OHEM
    | RPNLoss
    | YOLOLoss
    | YOLOv1Loss
    | YOLOv2Loss
)

KINDS: dict[str, type[Loss]] = {
    "EfficientDetLoss": EfficientDetLoss,
    "FCOSLoss": FCOSLoss,
    "FocalLoss": FocalLoss,
    "MultiBoxLoss": MultiBoxLoss,
    "OHEM": OHEM,
    "RPNLoss": RPNLoss,
    "YOLOLoss": YOLOLoss,
    "YOLOv1Loss": YOLOv1Loss,
    "YOLOv2Loss": YOLOv2Loss,
}

OF_REGIONS: dict[str, type[FastRCNNLoss]] = {"FastRCNNLoss": FastRCNNLoss}

__all__ = [
    "KINDS",
    "OF_REGIONS",
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
