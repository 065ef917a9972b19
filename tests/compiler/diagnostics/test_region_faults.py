"""Faults of rows over regions point at what is to be mended."""

from pathlib import Path

import pytest
from marked import Fault, check, findings

NET = """\
specc: 1
name: net
inputs: {images: [N, 3, 64, 64], given: [N, R, 4]}
let: {sizes: [[16], [32]], ratios: [0.5, 1, 2]}
layers:
  fine: Conv2d(_, 16, 3, stride=4, padding=1)(images)
  coarse: Conv2d(_, 16, 3, stride=2, padding=1)
  maps: [fine, coarse]
  score: {for: {x: maps}, op: "Conv2d(_, 3, 1)(x)"}
  move: {for: {x: maps}, op: "Conv2d(_, 3 * 4, 1)(x)"}
  scores: {for: {x: score}, op: PerBox(1)(x)}
  moves: {for: {x: move}, op: PerBox(4)(x)}
  objectness: Cat(dim=1)(scores)
  deltas: Cat(dim=1)(moves)
  proposals: Proposals(sizes, ratios, keep=100)(objectness, deltas, images, maps)
  valid: IsBox()(proposals)
  pool: MultiScaleRoIAlign(7, stride=4)(proposals, maps)
  one: RoIPool(7, 1 / 4)(fine, given)
  each: EachRegion()
  flatten: Flatten()
  back: PerImage()(flatten, given)
outputs: {valid: valid, pool: pool, back: back}
"""

PROPOSE = "proposals: «Proposals(sizes, ratios, keep=100)»(objectness, deltas, images, maps)"

FAULTS = [
    # code, rows as they are to be, help
    ("E0406", ["one: «RoIPool(7, 1 / 4)»(fine, images)"], "another row"),
    ("E0406", ["back: «PerImage()»(flatten, proposals)"], "another row"),
    ("E0406", ["each: «EachRegion()»(valid)"], "another row"),
    ("E0407", ["pool: MultiScaleRoIAlign(7, stride=«6»)(proposals, maps)"], "change one"),
    ("E0403", ["pool: «MultiScaleRoIAlign(7, stride=4)»(proposals, fine, score[1])"], "one shape"),
    (
        "E0501",
        ["proposals: Proposals(«sizes», ratios)(objectness, deltas, images, fine)"],
        "each map",
    ),
    ("E0503", ["deltas: Cat(dim=1)(moves[0])", PROPOSE], "3 rows"),
    ("E0305", ["proposals: «Proposals(sizes, ratios)»(objectness, deltas, images)"], "name them"),
    ("E0207", ["one: «RoIPool»(7)(fine, given)"], "spatial_scale"),
    ("E0211", ["one: RoIPool(«0», 1 / 4)(fine, given)"], "from 1"),
]


def changed(rows: list[str]) -> str:
    """Return the net with other rows of the same names."""
    lines = NET.splitlines()
    for row in rows:
        (place,) = (i for i, line in enumerate(lines) if line.startswith(f"  {row.split(':')[0]}:"))
        lines[place] = f"  {row}"
    return "\n".join(lines)


def test_the_net_itself_has_none(tmp_path: Path) -> None:
    assert findings(tmp_path, NET) == []


@pytest.mark.parametrize(("code", "rows", "help"), FAULTS)
def test_fault(code: str, rows: list[str], help: str, tmp_path: Path) -> None:
    check(tmp_path, Fault(code, changed(rows), help))
