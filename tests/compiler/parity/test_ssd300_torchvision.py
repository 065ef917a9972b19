"""generated/ssd300_vgg.py computes what torchvision's SSD300 computes with the same weights.

Judged in float64, where a wrong layer cannot hide behind rounding, from weights that keep signals
alive.
"""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("torchvision")

from ssd300_pair import pair, run_ours, run_theirs

PARAMETERS = {21: 26_285_486, 91: 35_641_826}


@pytest.fixture(scope="module", params=PARAMETERS)
def models(request):
    torch.set_num_threads(1)
    return pair(request.param, torch.float64)


@pytest.fixture(scope="module")
def image():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, 3, 300, 300, dtype=torch.float64, generator=generator)


@pytest.fixture(scope="module")
def exact(models, image):
    ours, theirs = models
    with torch.no_grad():
        return run_ours(ours, image), run_theirs(theirs, image)


def test_float64(exact):
    found, expected = exact
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        deviation = value.std()
        assert deviation > 1e-2, f"{name} has died out"
        assert (found[name] - value).abs().max() <= 1e-8 * deviation, name


def test_figures(models, exact):
    classes = exact[0]["conf"].shape[-1]
    assert exact[0]["loc"].shape == (1, 8732, 4)
    for model in models:
        assert sum(p.numel() for p in model.parameters()) == PARAMETERS[classes]


def test_float32_differs_by_rounding_only(models, image, exact):
    ours, theirs = models
    with torch.no_grad():
        found = run_ours(ours.float(), image.float())
        expected = run_theirs(theirs.float(), image.float())
    for name, value in expected.items():
        rounding = (value - exact[1][name]).abs().max()
        assert (found[name] - value).abs().max() <= 4 * rounding, name
