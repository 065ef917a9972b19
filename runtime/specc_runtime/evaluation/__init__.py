"""Scores for detections: PASCAL VOC's average precision, and COCO's."""

from specc_runtime.evaluation.evaluator import METRICS, Detections, Evaluator
from specc_runtime.evaluation.voc_ap import Curve, area

__all__ = ["METRICS", "Curve", "Detections", "Evaluator", "area"]
