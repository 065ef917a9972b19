"""RetinaNet v1 and v2 beside torchvision's: figures, weights, heads, losses and detections."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from figures import count, on_meta
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, frozen, images
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList

import specc
from specc.driver import compile_spec
from specc_runtime import model as runtime
from specc_runtime.predictions import Predictions

torch.set_num_threads(1)

SPEC = f"{SPECS}/retinanet_resnet50_fpn.yaml"
CLASSES = 7
MAKE = {"v1": detection.retinanet_resnet50_fpn, "v2": detection.retinanet_resnet50_fpn_v2}

PUBLISHED = {
    "v1": detection.RetinaNet_ResNet50_FPN_Weights,
    "v2": detection.RetinaNet_ResNet50_FPN_V2_Weights,
}


def reference(variant: str, classes: int = CLASSES) -> nn.Module:
    return MAKE[variant](weights=None, weights_backbone=None, num_classes=classes)


def run_ours(model: nn.Module, batch: Tensor) -> Outputs:
    found = model(batch)
    return {"loc": found.loc, "conf": found.conf}


def run_theirs(model: nn.Module, batch: Tensor) -> Outputs:
    found = model.head(list(model.backbone(batch).values()))
    return {"loc": found["bbox_regression"], "conf": found["cls_logits"]}


@pytest.mark.parametrize("variant", MAKE)
def test_agrees_with_torchvision(variant: str) -> None:
    """At 97 pixels maps are of 13, 7, 4, 2 and 1: no factor of 2 fits."""
    theirs = fill(reference(variant), lambda model: run_theirs(model, images(64, 4)))
    table = specc.compile(f"{SPEC}:{variant}", num_classes=CLASSES).weights["torchvision"]
    ours = carry(theirs, emitted(f"retinanet_resnet50_fpn:{variant}", num_classes=CLASSES), table)
    both = Pair(ours, theirs, run_ours, run_theirs)
    agree(both, images((32, 64), batch=4))
    agree(both, images(97))


def test_agrees_as_torchvisions_trained_one() -> None:
    """COCO_V1 was trained with norms that add nothing to the variance, and is run with such."""
    theirs = fill(reference("v1"), lambda model: run_theirs(model, images(64, 4)))
    theirs = frozen(theirs, 0.0)
    params = {"num_classes": CLASSES}
    table = specc.compile(f"{SPEC}:v1_coco", **params).weights["torchvision"]
    ours = carry(theirs, emitted("retinanet_resnet50_fpn:v1_coco", **params), table)
    agree(Pair(ours, theirs, run_ours, run_theirs), images((32, 64)))


@pytest.mark.parametrize("variant", MAKE)
def test_figures_are_torchvisions(variant: str) -> None:
    assert not specc.compile(f"{SPEC}:{variant}").diagnostics
    model = compile_spec(f"{SPEC}:{variant}", params={"height": 320, "width": 320})
    theirs = on_meta(lambda: _Heads(reference(variant, 91)))
    assert (model.parameters, len(model.facts.costs.state), model.macs) == count(theirs, 320)
    assert model.boxes == 19206


@pytest.mark.parametrize(("variant", "trained"), [("v1", "v1_coco"), ("v2", "v2")])
def test_figures_are_the_published_ones(variant: str, trained: str) -> None:
    """Those of the weights that torchvision trained on COCO."""
    model = specc.compile(f"{SPEC}:{trained}")
    assert not model.diagnostics
    published = PUBLISHED[variant].COCO_V1.meta
    assert model.parameters == published["num_params"]
    assert round(model.macs / 1e9, 3) == published["_ops"]


@pytest.mark.parametrize("variant", MAKE)
def test_loss_and_detections_are_torchvisions(variant: str, tmp_path: Path) -> None:
    """From the same outputs of the heads, by the emitted file's own literal."""
    size = {"height": 128, "width": 160}
    path = tmp_path / "model.py"
    source = specc.compile(f"{SPEC}:{variant}", num_classes=CLASSES, **size).source
    path.write_text(source, encoding="utf-8")
    file, theirs = runtime.load(path), reference(variant)
    ours = file.build()
    assert ours.num_classes == CLASSES
    torch.manual_seed(0)
    offsets = 0.3 * torch.randn(3, len(ours.anchors), 4)
    logits = 2 * torch.randn(3, len(ours.anchors), CLASSES) - 2
    outputs = {"bbox_regression": offsets, "cls_logits": logits}
    pictures = ImageList(torch.empty(3, 3, 128, 160), [(128, 160)] * 3)
    maps = [torch.empty(1, 1, *cells) for cells in file.literal["maps"]]
    anchors = theirs.anchor_generator(pictures, maps)
    assert torch.equal(anchors[0], ours.anchors)

    boxes = torch.tensor(
        [[10.0, 20.0, 50.0, 90.0], [60.0, 4.0, 140.0, 120.0], [3.0, 3.0, 9.0, 11.0]]
    )
    labels = torch.tensor([[1, 5, 0], [6, 2, -1], [-1, -1, -1]])
    targets = [{"boxes": boxes[of >= 0], "labels": of[of >= 0]} for of in labels]
    predictions = Predictions(offsets, logits)
    found = ours.loss(predictions, boxes.expand(3, 3, 4), labels)
    expected = theirs.compute_loss(targets, outputs, anchors)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=0)

    split = {name: list(value.split(ours.levels, dim=1)) for name, value in outputs.items()}
    per_map = [list(of.split(ours.levels)) for of in anchors]
    detections = ours.detect(predictions)
    theirs_found = theirs.postprocess_detections(split, per_map, pictures.image_sizes)
    for i, one in enumerate(theirs_found):
        assert len(one["scores"]) > 100
        for mine, name in zip(detections.of(i), ("boxes", "scores", "labels"), strict=True):
            torch.testing.assert_close(mine, one[name], rtol=0, atol=1e-4)


class _Heads(nn.Module):
    """A detector up to its heads, which is all of its multiply-adds."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Tensor) -> Outputs:
        return run_theirs(self.model, batch)
