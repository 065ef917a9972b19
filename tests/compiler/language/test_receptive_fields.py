"""A row sees as far as the gradient of its middle position reaches into the image.

Each run draws anew; SPECC_SEED repeats one.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import torch
from agreement import compiled
from torch import Tensor

import specc

SEED = int(os.environ.get("SPECC_SEED", random.randrange(2**32)))
SIDE = 256
HEAD = f"specc: 1\nname: net\ninputs: {{image: [N, 1, {SIDE}, {SIDE}]}}\nlayers:\n"

PYRAMID = """\
  fine: Conv2d(_, 2, 5, stride=4, padding=2)
  coarse: AvgPool2d(3, stride=2, padding=1)
  lateral: Conv2d(_, 2, 1)(fine)
  up: %s
  merged: %s(lateral, up)
  smooth: Conv2d(_, 2, 3, padding=1)
  wide: Conv2d(_, 2, 3, padding=2, dilation=2)
"""
MERGED = [
    PYRAMID % ("Upsample()(coarse, like=lateral)", "Add()"),
    PYRAMID % ("Upsample(scale_factor=2)(coarse)", "Cat()"),
]


def chain(draw: random.Random) -> str:
    """Draw five rows, which together see less than the half of the image."""
    rows = []
    for number in range(5):
        stride, spread = draw.choice((1, 2)), draw.choice((1, 2))
        high, wide = draw.choice(((1, 1), (2, 2), (3, 3), (1, 3), (3, 1)))
        window = f"({high}, {wide}), stride={stride}, padding=({high // 2}, {wide // 2})"
        conv = f"Conv2d(_, 2, {window}, dilation={spread})"
        rows.append(f"  r{number}: {draw.choice((conv, conv, f'AvgPool2d({window})'))}\n")
    return "".join(rows)


def reach(output: Tensor, image: Tensor) -> tuple[int, ...]:
    """Return over how many rows and columns of the image the middle of an output reaches."""
    middle = output[:, :, output.shape[2] // 2, output.shape[3] // 2].sum()
    (gradient,) = torch.autograd.grad(middle, image, retain_graph=True)
    seen = gradient[0, 0].nonzero()
    return tuple((seen.amax(dim=0) - seen.amin(dim=0) + 1).tolist())


def agree_on_fields(rows: str, folder: Path) -> None:
    """Compare every layer, all of whose weights are one."""
    path = folder / "spec.yaml"
    path.write_text(HEAD + rows, encoding="utf-8")
    fields = compiled(path).facts.costs.fields
    module = specc.load(path).double()
    made: dict[str, Tensor] = {}
    for name, layer in module.named_children():
        layer.register_forward_hook(lambda _, __, output, name=name: made.update({name: output}))
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    image = torch.ones(1, 1, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    module(image)
    assert len(made) >= 5
    for name, output in made.items():
        assert fields[name].size == reach(output, image), f"SPECC_SEED={SEED}: {name}\n{rows}"


@pytest.mark.parametrize("rows", MERGED, ids=["to the size of another", "by a factor"])
def test_merged_maps_see_as_far_as_the_coarse_one_and_step_as_the_fine_one(
    rows: str, tmp_path: Path
) -> None:
    agree_on_fields(rows, tmp_path)


@pytest.mark.parametrize("number", range(8))
def test_windows_one_on_the_other(number: int, tmp_path: Path) -> None:
    agree_on_fields(chain(random.Random(f"{SEED} {number}")), tmp_path)


def test_windows_on_positions_that_became_channels(tmp_path: Path) -> None:
    rows = "  a: PixelUnshuffle(2)\n  b: Conv2d(_, 2, 3, padding=1)\n  c: PixelUnshuffle(4)\n"
    agree_on_fields(f"{rows}  d: Conv2d(_, 2, 3, padding=1)\n  e: ReLU()\n", tmp_path)


def test_regions_do_not_make_a_map_any_finer(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    rows = """\
  a: Conv2d(_, 8, 3, stride=8)(image)
  pool: RoIPool(7, 0.125)(a, regions)
  each: EachRegion()
  b: Conv2d(_, 8, 3)
"""
    path.write_text(HEAD.replace("}", ", regions: [N, 10, 4]}") + rows, encoding="utf-8")
    assert compiled(path).facts.costs.fields["b"].size == (19, 19)
