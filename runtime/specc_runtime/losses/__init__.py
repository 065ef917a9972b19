"""Losses, one a file; `KINDS` is the registry by the `kind` that a spec names."""

from specc_runtime.losses.efficientdet import EfficientDetLoss
from specc_runtime.losses.fcos import FCOSLoss
from specc_runtime.losses.focal import FocalLoss
from specc_runtime.losses.multibox import MultiBoxLoss
from specc_runtime.losses.ohem import OHEM
from specc_runtime.losses.yolo import YOLOLoss, YOLOv2Loss

Loss = EfficientDetLoss | FCOSLoss | FocalLoss | MultiBoxLoss | OHEM | YOLOLoss | YOLOv2Loss

KINDS: dict[str, type[Loss]] = {
    "EfficientDetLoss": EfficientDetLoss,
    "FCOSLoss": FCOSLoss,
    "FocalLoss": FocalLoss,
    "MultiBoxLoss": MultiBoxLoss,
    "OHEM": OHEM,
    "YOLOLoss": YOLOLoss,
    "YOLOv2Loss": YOLOv2Loss,
}

__all__ = [
    "KINDS",
    "OHEM",
    "EfficientDetLoss",
    "FCOSLoss",
    "FocalLoss",
    "Loss",
    "MultiBoxLoss",
    "YOLOLoss",
    "YOLOv2Loss",
]
