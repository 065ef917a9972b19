"""Ops over regions give the numbers of torchvision's, in float64."""

from __future__ import annotations

import pytest
import torch
from op_torch import emitted
from torch import Tensor
from torchvision import ops as vision

from specc.ops import OPS
from specc.ops.base import ShapeError
from specc.values.dimensions import Size


def _maps(*sides: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, s, s, dtype=torch.float64, generator=generator) for s in sides]


def _regions(side: float = 64, count: int = 200) -> Tensor:
    """Draw boxes (2, count, 4) of sides from 1 / 64 of the image's on; the first is empty."""
    generator = torch.Generator().manual_seed(1)
    drawn = torch.rand(2, count, 4, dtype=torch.float64, generator=generator)
    corner, reach = 0.7 * side * drawn[..., :2], side * 2 ** (-6 * drawn[..., 2:])
    regions = torch.cat([corner, corner + reach], dim=-1)
    regions[:, 0] = 0
    return regions


def _same(found: Tensor, expected: Tensor) -> None:
    assert expected.std() > 1e-2
    torch.testing.assert_close(found.flatten(0, 1), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("sampling_ratio", [-1, 2])
def test_roi_align(sampling_ratio: int, aligned: bool) -> None:
    settings = {"output_size": (3, 5), "spatial_scale": 1 / 4}
    settings |= {"sampling_ratio": sampling_ratio, "aligned": aligned}
    (x,), regions = _maps(16), _regions()
    expected = vision.RoIAlign(**settings)(x, list(regions))
    _same(emitted(OPS["RoIAlign"](**settings))(x, regions), expected)


def test_roi_pool() -> None:
    settings = {"output_size": 7, "spatial_scale": 1 / 4}
    (x,), regions = _maps(16), _regions()
    _same(
        emitted(OPS["RoIPool"](**settings))(x, regions), vision.RoIPool(**settings)(x, [*regions])
    )


@pytest.mark.parametrize("sides", [(16, 8, 4, 2), (8, 4), (8,)])
def test_multi_scale_roi_align(sides: tuple[int, ...]) -> None:
    """Regions for each map of the pyramid, and some beyond both its ends."""
    maps, regions = _maps(*sides), _regions()
    settings = {"output_size": 7, "sampling_ratio": 2, "canonical_scale": 14}
    names = [str(i) for i in range(len(maps))]
    theirs = vision.MultiScaleRoIAlign(names, **settings)
    expected = theirs(dict(zip(names, maps, strict=True)), list(regions), [(64, 64)] * 2)
    ours = emitted(OPS["MultiScaleRoIAlign"](stride=64 // sides[0], **settings))
    _same(ours(regions, *maps), expected)
    if len(sides) > 1:
        assert ours.places(regions, len(maps)).unique().tolist() == list(range(len(maps)))


def test_multi_scale_roi_align_learns_as_torchvisions_does() -> None:
    settings = {"output_size": 2, "sampling_ratio": 2, "canonical_scale": 28}
    regions, gradients = _regions(), []
    for is_ours in (True, False):
        maps = [x.requires_grad_() for x in _maps(16, 8)]
        if is_ours:
            found = emitted(OPS["MultiScaleRoIAlign"](stride=4, **settings))(regions, *maps)
        else:
            theirs = vision.MultiScaleRoIAlign(["0", "1"], **settings)
            found = theirs({"0": maps[0], "1": maps[1]}, list(regions), [(64, 64)] * 2)
        gradients.append(torch.autograd.grad(found.square().sum(), maps))
    for ours, expected in zip(*gradients, strict=True):
        assert expected.std() > 1e-2
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)


def test_is_box_tells_empty_regions() -> None:
    regions = torch.tensor([[[0, 0, 0, 0], [1, 2, 3, 4], [1, 2, 1, 4], [1, 2, 3, 2]]])
    assert emitted(OPS["IsBox"]())(regions).tolist() == [[False, True, False, False]]


def test_regions_become_a_batch_and_come_back() -> None:
    """In the order of the images, and of the regions of each."""
    x, regions = _maps(4)[0].unflatten(1, (3, 1)), _regions(count=3)
    each = emitted(OPS["EachRegion"]())(x)
    assert torch.equal(each[4], x[1, 1])
    assert torch.equal(emitted(OPS["PerImage"]())(each, regions), x)


N, R, H = Size("N"), Size("R"), Size("H")


def test_a_batch_of_regions_knows_how_many_there_are() -> None:
    each, back = OPS["EachRegion"](), OPS["PerImage"]()
    for count in (R, 5):
        rows = each.shape((N, count, 8, 7, 7))
        assert rows[1:] == (8, 7, 7)
        assert back.shape((rows[0], 10), (N, count, 4)) == (N, count, 10)
        with pytest.raises(ShapeError):
            back.shape((rows[0], 10), (N, 6, 4))


def test_the_number_of_regions_may_be_a_name() -> None:
    pool = OPS["RoIPool"](output_size=7, spatial_scale=1 / 16)
    assert pool.shape((N, 512, H, H), (N, R, 4)) == (N, R, 512, 7, 7)


PROPOSALS = {"sizes": [[32], [64]], "ratios": [0.5, 1, 2]}
IMAGES, MAPS = (N, 3, 64, 64), [(N, 8, 16, 16), (N, 8, 8, 8)]


@pytest.mark.parametrize(
    ("kind", "settings", "inputs", "code"),
    [
        ("RoIPool", {"output_size": 7, "spatial_scale": 1}, [(N, 8, 9, 9), (N, R, 5)], "E0406"),
        ("MultiScaleRoIAlign", {"output_size": 7, "stride": 6}, [(N, R, 4), (N, 8, 9, 9)], "E0407"),
        (
            "MultiScaleRoIAlign",
            {"output_size": 7, "stride": 4},
            [(N, R, 4), (N, 8, 9, 9), (N, 9, 4, 4)],
            "E0403",
        ),
        ("Proposals", PROPOSALS, [(N, 960, 2), (N, 960, 4), IMAGES, *MAPS], "E0406"),
        ("Proposals", PROPOSALS, [(N, 959, 1), (N, 960, 4), IMAGES, *MAPS], "E0503"),
        ("Proposals", PROPOSALS, [(N, 960, 1), (N, 960, 4), IMAGES, MAPS[0]], "E0501"),
        (
            "Proposals",
            PROPOSALS | {"sizes": [[32], [64, 80]]},
            [(N, 960, 1), (N, 960, 4), IMAGES, *MAPS],
            "E0407",
        ),
    ],
)
def test_what_does_not_fit_is_refused(kind, settings, inputs, code) -> None:
    with pytest.raises(ShapeError) as refused:
        OPS[kind](**settings).shape(*inputs)
    assert refused.value.code == code


def test_proposals_of_maps_that_fit() -> None:
    arriving = [(N, 960, 1), (N, 960, 4), IMAGES, *MAPS]
    assert OPS["Proposals"](**PROPOSALS, keep=9).shape(*arriving) == (N, 9, 4)
    anywhere = [(N, R, 1), (N, R, 4), (N, 3, H, H), (N, 8, H, H), (N, 8, H, H)]
    assert OPS["Proposals"](**PROPOSALS).shape(*anywhere) == (N, 1000, 4)
