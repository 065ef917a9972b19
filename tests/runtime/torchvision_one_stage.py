"""torchvision's RetinaNet and FCOS as oracles: their own methods, called without their networks."""

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torchvision.models.detection import _utils as detection
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead

from specc_runtime.predictions import Predictions


def anchors(sizes, ratios, maps, size) -> Tensor:
    """Anchors of a picture of (height, width)."""
    generator = AnchorGenerator(tuple(sizes), (tuple(ratios),) * len(sizes))
    pictures = SimpleNamespace(tensors=torch.empty(1, 3, *size), image_sizes=[size])
    return generator(pictures, [torch.empty(1, 1, *cells) for cells in maps])[0]


def retinanet_loss(
    said: Predictions, anchors: Tensor, boxes: Tensor, labels: Tensor, box_loss: str
) -> tuple[dict[str, Tensor], Tensor]:
    """`RetinaNet.compute_loss` on targets padded with label -1, and the matches (B, A)."""
    head = RetinaNetHead(8, 1, said.logits.shape[2])
    head.regression_head._loss_type = box_loss
    model = _bare(RetinaNet, head)
    model.proposal_matcher = detection.Matcher(0.5, 0.4, allow_low_quality_matches=True)
    outputs = {"cls_logits": said.logits, "bbox_regression": said.offsets}
    matches = _noted(head)
    losses = model.compute_loss(_targets(boxes, labels), outputs, [anchors] * len(boxes))
    return losses, torch.stack(matches)


def fcos_loss(
    said: Predictions, anchors: Tensor, boxes: Tensor, labels: Tensor, levels: Sequence[int]
) -> tuple[dict[str, Tensor], Tensor]:
    """`FCOS.compute_loss` on targets padded with label -1, and the matches (B, A)."""
    head = FCOSHead(8, 1, said.logits.shape[2], num_convs=0)
    model = _bare(FCOS, head)
    model.center_sampling_radius = 1.5
    matches = _noted(head)
    targets, starts = _targets(boxes, labels), [anchors] * len(boxes)
    return model.compute_loss(targets, _outputs(said), starts, list(levels)), torch.stack(matches)


def retinanet_detections(said: Predictions, anchors: Tensor, levels, size, select):
    """`RetinaNet.postprocess_detections`."""
    model = SimpleNamespace(box_coder=detection.BoxCoder((1.0, 1.0, 1.0, 1.0)))
    return _detections(RetinaNet, model, said, anchors, levels, size, select)


def fcos_detections(said: Predictions, anchors: Tensor, levels, size, select):
    """`FCOS.postprocess_detections`."""
    model = SimpleNamespace(box_coder=detection.BoxLinearCoder(normalize_by_size=True))
    return _detections(FCOS, model, said, anchors, levels, size, select)


def _detections(cls, model, said, anchors, levels, size, select) -> list[dict[str, Tensor]]:
    model.score_thresh, model.topk_candidates = select.score, select.per_map
    model.nms_thresh, model.detections_per_img = select.iou, select.keep
    outputs = {name: list(value.split(levels, dim=1)) for name, value in _outputs(said).items()}
    pictures = len(said.logits)
    starts = [list(anchors.split(levels))] * pictures
    return cls.postprocess_detections(model, outputs, starts, [size] * pictures)


def _outputs(said: Predictions) -> dict[str, Tensor]:
    named = {"cls_logits": said.logits, "bbox_regression": said.offsets}
    return named if said.confidence is None else {**named, "bbox_ctrness": said.confidence}


def _targets(boxes: Tensor, labels: Tensor) -> list[dict[str, Tensor]]:
    pairs = zip(boxes, labels, strict=True)
    return [{"boxes": b[known >= 0], "labels": known[known >= 0]} for b, known in pairs]


def _bare(cls: type[nn.Module], head: nn.Module):
    """A detector with a head and nothing else."""
    model = cls.__new__(cls)
    nn.Module.__init__(model)
    model.head = head
    return model


def _noted(head: nn.Module) -> list[Tensor]:
    """A list that will hold what the head is told of matches."""
    matches: list[Tensor] = []
    compute = head.compute_loss

    def note(targets, outputs, anchors, matched):
        matches.extend(matched)
        return compute(targets, outputs, anchors, matched)

    head.compute_loss = note
    return matches
