"""What the whole of Faster R-CNN finds, beside torchvision's with the same weights, and learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from detectors import first_loss
from parity import SPECS, carry, fill, images
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList

import specc
from specc.driver import Model
from specc_runtime import model

torch.set_num_threads(1)

REFERENCES = {
    "faster_rcnn_resnet50_fpn": detection.fasterrcnn_resnet50_fpn,
    "faster_rcnn_resnet50_fpn_v2": detection.fasterrcnn_resnet50_fpn_v2,
    "faster_rcnn_mobilenet_v3_large_fpn": detection.fasterrcnn_mobilenet_v3_large_fpn,
}
SIZE = (96, 128)
CLASSES = 7
PER_MAP, KEEP = 60, 100


def small(name: str, folder: Path) -> tuple[Model, model.Detector]:
    """Compile a spec for small images and few proposals, and make its detector."""
    size = {"height": SIZE[0], "width": SIZE[1], "per_map": PER_MAP, "keep": KEEP}
    compiled = specc.compile(f"{SPECS / name}.yaml", num_classes=CLASSES, **size)
    path = folder / f"{name}.py"
    path.write_text(compiled.source)
    return compiled, model.load(path).build(CLASSES - 1)


@pytest.mark.parametrize("name", REFERENCES)
def test_detections_are_torchvisions(name: str, tmp_path: Path) -> None:
    """Boxes of each class, clipped, thinned out and in order; a score is compared to 1e-9."""
    few = {"rpn_pre_nms_top_n_test": PER_MAP, "rpn_post_nms_top_n_test": KEEP}
    theirs = REFERENCES[name](weights=None, weights_backbone=None, num_classes=CLASSES, **few)
    batch = images(SIZE, 2)
    pictures = ImageList(batch, [SIZE] * 2)

    def find(network):
        maps = network.backbone(batch)
        proposals, _ = network.rpn(pictures, maps)
        return network.roi_heads(maps, proposals, pictures.image_sizes)[0]

    fill(theirs, lambda network: network.backbone(batch))
    theirs.rpn.head.bbox_pred.weight.data *= 0.02
    theirs.rpn.head.cls_logits.weight.data *= 0.1
    theirs.roi_heads.box_predictor.bbox_pred.weight.data *= 0.1
    compiled, detector = small(name, tmp_path)
    detector.double().eval()
    carry(theirs, detector.network, compiled.weights["torchvision"])
    detector.normalise = lambda given: given
    with torch.no_grad():
        ours = detector.detect(detector(batch))
        expected = find(theirs)
    for i, wanted in enumerate(expected):
        boxes, scores, labels = ours.of(i)
        assert len(boxes) > 20
        assert len(labels.unique()) > 1
        torch.testing.assert_close(scores, wanted["scores"], rtol=0, atol=1e-9)
        torch.testing.assert_close(boxes, wanted["boxes"], rtol=0, atol=1e-6)
        assert torch.equal(labels + 1, wanted["labels"])


@pytest.mark.parametrize("name", [*REFERENCES, "faster_rcnn_vgg16"])
def test_the_losses_of_both_stages_reach_every_weight(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    _, detector = small(name, tmp_path)
    first_loss(detector).backward()
    gradients = [parameter.grad for parameter in detector.parameters()]
    assert all(g is not None and g.isfinite().all() and g.abs().max() > 0 for g in gradients)
