"""FCOS beside torchvision's: figures, weights, heads, losses and detections."""

from __future__ import annotations

from pathlib import Path

import torch
from figures import count, on_meta
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, images
from torch import Tensor, nn
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights, fcos_resnet50_fpn
from torchvision.models.detection.image_list import ImageList

import specc
from specc.driver import compile_spec
from specc_runtime import model as runtime
from specc_runtime.predictions import Predictions

torch.set_num_threads(1)

SPEC = f"{SPECS}/fcos_resnet50_fpn.yaml"
CLASSES = 7
NAMES = {"loc": "bbox_regression", "conf": "cls_logits", "centerness": "bbox_ctrness"}


def reference(classes: int = CLASSES) -> nn.Module:
    return fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=classes)


def table() -> dict[str, str]:
    return specc.compile(SPEC, num_classes=CLASSES).weights["torchvision"]


def run_ours(model: nn.Module, batch: Tensor) -> Outputs:
    return model(batch)._asdict()


def run_theirs(model: nn.Module, batch: Tensor) -> Outputs:
    found = model.head(list(model.backbone(batch).values()))
    return {ours: found[theirs] for ours, theirs in NAMES.items()}


def test_agrees_with_torchvision() -> None:
    """At 97 pixels maps are of 13, 7, 4, 2 and 1: no factor of 2 fits."""
    theirs = fill(reference(), lambda model: run_theirs(model, images(64, 4)))
    ours = carry(theirs, emitted("fcos_resnet50_fpn", num_classes=CLASSES), table())
    both = Pair(ours, theirs, run_ours, run_theirs)
    agree(both, images((32, 64), batch=4))
    agree(both, images(97))


def test_figures_are_torchvisions() -> None:
    assert not specc.compile(SPEC).diagnostics
    model = compile_spec(SPEC, params={"height": 320, "width": 320})
    theirs = on_meta(lambda: _Heads(reference(91)))
    assert (model.parameters, len(model.facts.costs.state), model.macs) == count(theirs, 320)
    assert model.boxes == 2134


def test_figures_are_the_published_ones() -> None:
    """Those of the weights that torchvision trained on COCO."""
    model = specc.compile(SPEC, Norm="FrozenBatchNorm2d")
    published = FCOS_ResNet50_FPN_Weights.COCO_V1.meta
    assert model.parameters == published["num_params"]
    assert round(model.macs / 1e9, 3) == published["_ops"]


def test_loss_and_detections_are_torchvisions(tmp_path: Path) -> None:
    """From the same outputs of the heads, by the emitted file's own literal."""
    path = tmp_path / "model.py"
    source = specc.compile(SPEC, num_classes=CLASSES, height=256, width=320).source
    path.write_text(source, encoding="utf-8")
    file, theirs = runtime.load(path), reference()
    ours = file.build()
    assert ours.num_classes == CLASSES
    torch.manual_seed(0)
    rows = 3, len(ours.anchors)
    said = Predictions(torch.rand(*rows, 4), torch.randn(*rows, 7), torch.randn(*rows, 1))
    outputs = dict(zip(NAMES.values(), said[:3], strict=True))
    pictures = ImageList(torch.empty(3, 3, 256, 320), [(256, 320)] * 3)
    maps = [torch.empty(1, 1, *cells) for cells in file.literal["maps"]]
    anchors = theirs.anchor_generator(pictures, maps)
    assert torch.equal(anchors[0], ours.anchors)

    boxes = torch.tensor(
        [[10.0, 20.0, 50.0, 90.0], [60.0, 4.0, 300.0, 220.0], [9.0, 9.0, 22.0, 23.0]]
    )
    labels = torch.tensor([[1, 5, 0], [6, 2, -1], [-1, -1, -1]])
    targets = [{"boxes": boxes[of >= 0], "labels": of[of >= 0]} for of in labels]
    found = ours.loss(said, boxes.expand(3, 3, 4), labels)
    expected = theirs.compute_loss(targets, outputs, anchors, list(ours.levels))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=0)

    split = {name: list(value.split(ours.levels, dim=1)) for name, value in outputs.items()}
    per_map = [list(of.split(ours.levels)) for of in anchors]
    detections = ours.detect(said)
    theirs_found = theirs.postprocess_detections(split, per_map, pictures.image_sizes)
    for i, one in enumerate(theirs_found):
        assert len(one["scores"]) == 100
        for mine, name in zip(detections.of(i), ("boxes", "scores", "labels"), strict=True):
            torch.testing.assert_close(mine, one[name], rtol=0, atol=1e-4)


class _Heads(nn.Module):
    """A detector up to its heads, which is all of its multiply-adds."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Tensor) -> Outputs:
        return run_theirs(self.model, batch)
