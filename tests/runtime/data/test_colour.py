"""Colour distortion: exact against HSV, and a function of (seed, epoch, index) alone."""

import colorsys
from itertools import product

import numpy as np
import pytest
import torch

from specc_runtime.data import photometric
from specc_runtime.data.colour import _distort, turn_colours, uniform


def batch(count: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=rng)


def test_saturation_and_hue_are_those_of_hsv() -> None:
    pixels = np.random.default_rng(0).uniform(0, 1, (500, 3))
    pixels[:3] = [(0.4, 0.4, 0.4), (0, 0, 0), (1, 0, 0)]
    changes = np.random.default_rng(1).uniform((0.5, -18), (1.5, 18), (500, 2))
    expected = []
    for (red, green, blue), (factor, degrees) in zip(pixels, changes, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        turned = (hue + degrees / 360) % 1
        expected.append(colorsys.hsv_to_rgb(turned, min(1, saturation * factor), value))
    x = torch.tensor(pixels * 255)[:, :, None, None]
    factor, degrees = torch.tensor(changes).view(500, 2, 1, 1).unbind(1)
    found = turn_colours(x, factor, degrees)[:, :, 0, 0] / 255
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def literally(pixel: list[float], amounts: tuple[float, ...], late: bool) -> list[float]:
    """A pixel after all four steps, one by one, each by an amount from -1 to 1 of its range."""
    brightness, contrast, saturation, degrees = amounts

    def contrasted(sides: list[float]) -> list[float]:
        return [min(side * (1 + contrast / 2), 255) for side in sides]

    pixel = [min(max(side + 32 * brightness, 0), 255) for side in pixel]
    pixel = pixel if late else contrasted(pixel)
    hue, share, value = colorsys.rgb_to_hsv(*(side / 255 for side in pixel))
    turned = (hue + 18 * degrees / 360) % 1
    pixel = [
        255 * x for x in colorsys.hsv_to_rgb(turned, min(1, share * (1 + saturation / 2)), value)
    ]
    return contrasted(pixel) if late else pixel


@pytest.mark.parametrize("late", [False, True])
def test_steps_and_their_ranges_are_the_authors(late: bool) -> None:
    cases = list(
        product(([140, 80, 100], [250, 128, 20], [30, 10, 200]), product((-1, 0.2, 1), repeat=4))
    )
    images = torch.tensor([pixel for pixel, _ in cases], dtype=torch.uint8)[:, :, None, None]
    amounts = torch.tensor([amounts for _, amounts in cases])
    chances = torch.tensor([0.0, 0.1, 0.3, 0.49, 0.49 if late else 0.5]).expand(len(cases), 5)
    found = _distort(images, torch.cat([chances, (amounts + 1) / 2], dim=1))[:, :, 0, 0]
    expected = [literally(pixel, amounts, late) for pixel, amounts in cases]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-2)


def test_an_image_gets_the_same_in_any_batch() -> None:
    images, indices = batch(6), torch.arange(100, 106)
    together = photometric(images, 7, 3, indices)
    order = torch.tensor([4, 0])
    torch.testing.assert_close(photometric(images[order], 7, 3, indices[order]), together[order])
    for other in (photometric(images, 8, 3, indices), photometric(images, 7, 4, indices)):
        assert (other - together).abs().amax((1, 2, 3)).gt(1).sum() >= 4


def test_range_type_and_memory_format() -> None:
    images = batch(64).contiguous(memory_format=torch.channels_last)
    found = photometric(images, 0, 0, torch.arange(64))
    assert found.dtype == torch.float32 and found.shape == images.shape
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert found.min() >= 0 and found.max() <= 255
    torch.testing.assert_close(found, photometric(images.contiguous(), 0, 0, torch.arange(64)))


def test_half_of_the_images_keep_their_brightness_and_so_on() -> None:
    """All four steps are passed over for 1 image in 16."""
    count = 4000
    images = torch.full((count, 3, 1, 1), 100, dtype=torch.uint8)
    images[:, 0], images[:, 1] = 140, 80
    found = photometric(images, 0, 0, torch.arange(count))
    same = (found - images).abs().amax((1, 2, 3)) < 1e-3
    assert 0.045 < same.float().mean() < 0.08
    mean = found.mean((0, 2, 3))
    assert (mean - images[0, :, 0, 0]).abs().max() < 4


def test_grey_shows_brightness_and_contrast_alone_and_once() -> None:
    """From level 100, 32 up or down and then half to one and a half of it: 34 to 198."""
    grey = torch.full((3000, 3, 1, 1), 100, dtype=torch.uint8)
    found = photometric(grey, 0, 0, torch.arange(3000))
    assert (found.amax(1) - found.amin(1)).max() < 1e-3
    assert 34 <= found.min() < 40 and 190 < found.max() <= 198


def test_uniform_is_uniform_and_uncorrelated() -> None:
    draws = uniform(3, 1, torch.arange(20_000), count=4).double()
    assert draws.min() >= 0 and draws.max() < 1
    counts = torch.histc(draws, bins=20, min=0, max=1)
    assert (counts / 4000 - 1).abs().max() < 0.08
    neighbours = torch.cat([draws[:-1], draws[1:]], dim=1).T
    correlation = torch.corrcoef(neighbours) - torch.eye(8)
    assert correlation.abs().max() < 0.03
    epochs = torch.stack([uniform(3, e, torch.arange(5000), 1)[:, 0] for e in range(4)])
    assert (torch.corrcoef(epochs) - torch.eye(4)).abs().max() < 0.05


def test_one_graph_without_breaks() -> None:
    distort = torch.compile(photometric, fullgraph=True, backend="eager")
    images, indices = batch(2), torch.arange(2)
    torch.testing.assert_close(distort(images, 1, 2, indices), photometric(images, 1, 2, indices))
