"""generated/ssd300_vgg.py: its keys, the shapes of its layers, and the weights that it takes."""

from __future__ import annotations

import pytest
import torch
from emitted import ROOT, emitted, shapes
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

import specc

SPEC = ROOT / "specs/ssd300_vgg.yaml"

VGG16_REDUCEDFC = {
    0: (64, 3, 3, 3),
    2: (64, 64, 3, 3),
    5: (128, 64, 3, 3),
    7: (128, 128, 3, 3),
    10: (256, 128, 3, 3),
    12: (256, 256, 3, 3),
    14: (256, 256, 3, 3),
    17: (512, 256, 3, 3),
    19: (512, 512, 3, 3),
    21: (512, 512, 3, 3),
    24: (512, 512, 3, 3),
    26: (512, 512, 3, 3),
    28: (512, 512, 3, 3),
    31: (1024, 512, 3, 3),
    33: (1024, 1024, 1, 1),
}
"""The convolutions of `vgg16_reducedfc.pth`, by the number in their keys."""


@pytest.fixture(scope="module")
def meta():
    with torch.device("meta"):
        return emitted("ssd300_vgg").MODEL()


def test_state_dict_is_the_one_that_was_counted(meta):
    state = [(key, tuple(tensor.shape)) for key, tensor in meta.state_dict().items()]
    counted = specc.compile(SPEC).facts.costs.state
    assert state == [(key, entry.shape) for key, entry in counted.items()]
    assert len(state) == 71


def test_takes_the_weights_of_vgg16_reducedfc():
    weights = {}
    for number, shape in VGG16_REDUCEDFC.items():
        weights[f"{number}.weight"] = torch.full(shape, float(number))
        weights[f"{number}.bias"] = torch.full(shape[:1], float(number))
    model = emitted("ssd300_vgg").MODEL()
    model.vgg.load_state_dict(weights, strict=True)
    assert len(weights) == 30
    assert model.vgg[33].weight[0, 0, 0, 0] == 33


def test_every_layer_gives_what_was_inferred(meta):
    inferred = specc.compile(SPEC).shapes
    seen = {}
    leaves = {name: layer for name, layer in meta.named_modules() if not list(layer.children())}
    for name, layer in leaves.items():
        layer.register_forward_hook(
            lambda _layer, _inputs, output, name=name: seen.update({name: tuple(output.shape)})
        )
    meta(torch.empty(2, 3, 300, 300, device="meta"))
    assert seen == {name: (2, *inferred[name][1:]) for name in leaves}


@pytest.mark.parametrize(
    ("classes", "parameters", "macs"),
    [(21, 26_285_486, 31_373_537_792), (91, 35_641_826, 34_858_153_472)],
)
def test_figures(classes, parameters, macs):
    with torch.device("meta"):
        model = emitted("ssd300_vgg").MODEL(classes)
        counter = FlopCounterMode(display=False)
        with counter:
            outputs = model(torch.empty(1, 3, 300, 300))
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert counter.get_total_flops() == 2 * macs
    assert shapes(outputs) == [(1, 8732, 4), (1, 8732, classes)]


def test_runs_on_fake_tensors():
    with FakeTensorMode():
        model = emitted("ssd300_vgg").MODEL(num_classes=4)
        outputs = model(torch.empty(3, 3, 300, 300))
    assert shapes(outputs) == [(3, 8732, 4), (3, 8732, 4)]


def test_stages_are_the_whole(meta):
    images = torch.empty(1, 3, 300, 300, device="meta")
    assert shapes(meta.heads(meta.features(images))) == shapes(meta(images))


def test_l2norm_under_autocast_hands_on_the_type_that_it_takes():
    norm = emitted("ssd300_vgg").L2Norm(8, scale=20)
    torch.nn.init.uniform_(norm.weight, 10, 30)
    x = torch.randn(2, 8, 5, 5).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = norm(x)
    exact = torch.nn.functional.normalize(x, dim=1) * norm.weight[:, None, None]
    assert exact.dtype == torch.float32
    assert found.dtype == torch.bfloat16 and torch.equal(found, exact.bfloat16())
