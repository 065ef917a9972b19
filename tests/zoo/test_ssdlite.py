"""SSDLite and MobileNetV3 beside torchvision's, with weights carried over by the specs' own maps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torchvision.models
from detectors import first_loss, loaded
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, images
from torch import Tensor, nn
from torchvision.models.detection import (
    SSDLite320_MobileNet_V3_Large_Weights,
    ssdlite320_mobilenet_v3_large,
)

import specc

torch.set_num_threads(1)

SPEC = SPECS / "ssdlite320_mobilenet_v3.yaml"
CLASSIFIERS = ["large", "large_reduced", "small", "small_reduced"]


def run_theirs(network: nn.Module, batch: Tensor) -> Outputs:
    maps = list(network.backbone(batch).values())
    head = network.head(maps)
    named = {f"map {place}": value for place, value in enumerate(maps)}
    return {**named, "loc": head["bbox_regression"], "conf": head["cls_logits"]}


def run_ours(network: nn.Module, batch: Tensor) -> Outputs:
    maps = network.features(batch)
    loc, conf = network.heads(maps)
    return {**{f"map {place}": x for place, x in enumerate(maps)}, "loc": loc, "conf": conf}


def run_classifier(network: nn.Module, batch: Tensor) -> Outputs:
    return {"features": network.features(batch), "out": network(batch)}


def torchvisions() -> nn.Module:
    return ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)


@pytest.fixture(scope="module")
def pair() -> Pair:
    theirs = fill(torchvisions(), lambda network: run_theirs(network, images(97, 4)))
    ours = carry(theirs, emitted(SPEC.stem), specc.compile(SPEC).weights["torchvision"])
    return Pair(ours, theirs, run_ours, run_theirs)


@pytest.mark.parametrize("size", [97, (64, 128)])
def test_equal_to_torchvision(pair, size):
    agree(pair, images(size, 4))


def test_norms_are_torchvisions(pair):
    """Momentum and eps change no figure and no key, and training would go another way."""
    settings = [
        {
            (norm.eps, norm.momentum)
            for norm in network.modules()
            if isinstance(norm, nn.BatchNorm2d)
        }
        for network in (pair.ours, pair.theirs)
    ]
    assert settings[0] == settings[1] == {(0.001, 0.03)}


def test_published_figures():
    found = specc.compile(SPEC)
    assert not found.diagnostics
    published = SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.meta
    assert found.parameters == published["num_params"]
    assert len(found.weights["torchvision"]) == 476
    assert round(found.macs / 1e9, 3) == published["_ops"]
    assert found.boxes == 3234


def test_every_default_box_is_torchvisions():
    theirs = torchvisions()
    maps = [torch.empty(1, 1, side, side) for side in (20, 10, 5, 3, 2, 1)]
    batch = SimpleNamespace(tensors=torch.empty(1, 3, 320, 320), image_sizes=[(320, 320)])
    expected = theirs.anchor_generator(batch, maps)[0]
    anchors = loaded(SPEC.stem).anchors
    assert anchors.shape == (3234, 4)
    # torchvision works in float32 throughout: its own rounding is up to 3e-5 at 320 pixels.
    assert (anchors - expected).abs().max() < 4e-5


def test_the_rest_of_the_detector_is_torchvisions():
    theirs = torchvisions()
    detector = loaded(SPEC.stem)
    assert detector.coder.weights == theirs.box_coder.weights
    assert detector.match.foreground == theirs.proposal_matcher.high_threshold
    assert detector.criterion.negatives_per_positive == theirs.neg_to_pos_ratio
    select = detector.select
    assert (select.score, select.iou) == (theirs.score_thresh, theirs.nms_thresh)
    assert (select.per_class, select.keep) == (theirs.topk_candidates, theirs.detections_per_img)
    picture = torch.randint(256, (3, 320, 320))
    normalised = theirs.transform.normalize(picture / 255)
    torch.testing.assert_close(detector.normalise(picture[None])[0], normalised)


def test_the_detector_learns():
    detector = loaded(SPEC.stem, classes=3)
    loss = first_loss(detector)
    loss.backward()
    assert torch.isfinite(loss)
    assert loss > 0
    gradients = [parameter.grad for parameter in detector.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_written_in_less_than_120_lines():
    assert len(SPEC.read_text().splitlines()) < 120


@pytest.mark.parametrize("variant", CLASSIFIERS)
def test_classifiers(variant):
    name, _, reduced = variant.partition("_")
    builder = getattr(torchvision.models, f"mobilenet_v3_{name}")
    theirs = builder(reduced_tail=bool(reduced))
    fill(theirs, lambda network: network(images(64, 4)))
    spec = f"{SPECS / 'mobilenet_v3.yaml'}:{variant}"
    ours = carry(
        theirs, emitted(f"mobilenet_v3:{variant}"), specc.compile(spec).weights["torchvision"]
    )
    for size in (65, (64, 96)):
        agree(Pair(ours, theirs, run_classifier, run_classifier), images(size, 4))


@pytest.mark.parametrize("variant", CLASSIFIERS)
def test_figures_of_classifiers(variant):
    found = specc.compile(f"{SPECS / 'mobilenet_v3.yaml'}:{variant}")
    assert not found.diagnostics  # what it expects of itself holds
    name, _, reduced = variant.partition("_")
    published = getattr(torchvision.models, f"MobileNet_V3_{name.title()}_Weights").IMAGENET1K_V1
    if not reduced:
        assert found.parameters == published.meta["num_params"]
