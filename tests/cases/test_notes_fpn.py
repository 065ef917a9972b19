"""Where the notes' FPN and the paper's part: at each mended level, torchvision's is the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.ops import FeaturePyramidNetwork

import specc

HERE = Path(__file__).parent
CHANNELS = {"c2": 256, "c3": 512, "c4": 1024, "c5": 2048}
SIDES = {"c2": 15, "c3": 8, "c4": 4, "c5": 2}
LATERALS = ["latlayer3", "latlayer2", "latlayer1"]


def _maps(kind: str) -> dict[str, torch.Tensor]:
    """Maps of noise, or flat ones, which every way of upsampling leaves alone."""
    generator = torch.Generator().manual_seed(0)
    sides = {name: side if kind == "noise" else 1 for name, side in SIDES.items()}
    maps = {
        name: torch.randn(2, CHANNELS[name], s, s, generator=generator, dtype=torch.float64)
        for name, s in sides.items()
    }
    return {name: x.expand(-1, -1, SIDES[name], SIDES[name]) for name, x in maps.items()}


def _largest_difference(spec: Path, kind: str, level: str) -> float:
    """Between a level of a spec and torchvision's, with the same weights."""
    torch.manual_seed(1)
    theirs = FeaturePyramidNetwork(list(CHANNELS.values()), 256).double()
    ours = specc.load(spec).double()
    rows = dict(ours.named_children())
    top = "toplayer" if "toplayer" in rows else "p5"
    pairs = [*zip([*LATERALS, top], theirs.inner_blocks, strict=True)]
    pairs += zip(["p2", "p3", "p4", "p5"], theirs.layer_blocks, strict=True)
    for name, block in pairs if top == "toplayer" else pairs[:-1]:
        rows[name].load_state_dict(block[0].state_dict())
    maps = _maps(kind)
    with torch.no_grad():
        want = theirs(maps)[level.replace("p", "c")]
        return (getattr(ours(**maps), level) - want).abs().max().item()


@pytest.mark.parametrize(
    ("case", "kind", "level"),
    [
        ("notes_fpn_p5", "noise", "p5"),
        ("notes_fpn_bilinear", "noise", "p4"),
        ("notes_fpn_cascade", "flat", "p3"),
        ("notes_fpn_cascade", "flat", "p2"),
    ],
)
def test_truth_is_torchvisions_and_the_print_is_not(case, kind, level):
    assert _largest_difference(HERE / case / "truth.yaml", kind, level) < 1e-12
    printed = HERE / case / "spec.yaml"
    is_refused = not specc.compile(printed).ok
    assert is_refused or _largest_difference(printed, kind, level) > 1e-2
