"""Detectors of every family on a GPU: a step waits for nothing, and the losses are the CPU's."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from specc_runtime import inference, model
from specc_runtime.detector import Detector
from specc_runtime.step import Stepper

from .noise import batch
from .training import RECIPE

pytestmark = pytest.mark.gpu

GENERATED = Path(__file__).parents[2] / "generated"
ONE_STAGE = (
    "efficientdet",
    "fcos_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "ssd300_vgg",
    "ssdlite320_mobilenet_v3",
    "yolov1",
    "yolov2",
    "yolov3",
    "yolov3_tiny",
)
CAPTURED = ("retinanet_resnet50_fpn", "ssd300_vgg", "yolov3_tiny")
TWO_STAGES = ("faster_rcnn_light", "faster_rcnn_resnet50_fpn", "faster_rcnn_vgg16")


def detector(name: str) -> Detector:
    torch.manual_seed(0)
    return model.load(GENERATED / f"{name}.py").build(3)


@pytest.mark.parametrize(
    ("name", "compiled"),
    [*((name, "never") for name in ONE_STAGE), *((name, "always") for name in CAPTURED)],
)
def test_a_step_waits_for_nothing(name, compiled):
    recipe = replace(RECIPE, precision="bf16", clip_norm=5.0, compile=compiled)
    steps = Stepper(detector(name).cuda(), recipe, print)
    made = batch(steps.detector, 4)
    made = made._replace(**{key: value.cuda() for key, value in made._asdict().items()})
    for number in range(4):  # compiled, tried, captured
        steps(made, 0, number, 1e-4)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        steps(made, 0, 4, 1e-4)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", ONE_STAGE)
def test_the_losses_are_those_of_the_cpu(name, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    here = detector(name).eval()  # without what is drawn at random
    made = batch(here, 2)
    with torch.no_grad():
        expected = here.losses(made.images, made.boxes, made.labels)
        there = here.cuda()
        found = there.losses(made.images.cuda(), made.boxes.cuda(), made.labels.cuda())
    for key, value in expected.items():
        torch.testing.assert_close(found[key].cpu(), value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [*ONE_STAGE, *TWO_STAGES])
def test_what_is_trained_finds_objects(name):
    recipe = replace(RECIPE, precision="bf16", accumulate=2, compile="never")
    steps = Stepper(detector(name).cuda(), recipe, print)
    made = batch(steps.detector, 4)
    steps(made, 0, 0, 1e-4)
    steps.scored.select = replace(steps.scored.select, score=0.0)
    found = inference.detect(steps.scored, made.images, made.sizes, bf16=True)
    assert all(of.boxes.device.type == "cpu" and len(of.boxes) > 0 for of in found)
