"""Scores for detections: PASCAL VOC's average precision, and COCO's."""

from specc_runtime.evaluation.evaluator import METRICS, Detections, Evaluator

__all__ = ["METRICS", "Detections", "Evaluator"]
