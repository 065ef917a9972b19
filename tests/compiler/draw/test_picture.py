"""What a picture holds: boxes, frames, arrows, and what is folded."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from specc.draw import MOST_BOXES, Picture, draw, write
from specc.draw.picture import Box, Frame
from specc.driver import compile_spec

ROOT = Path(__file__).parents[3]
SSD300 = ROOT / "specs" / "ssd300_vgg.yaml"
NESTED = ROOT / "tests" / "cases" / "nested_stages" / "spec.yaml"
HEAD = "specc: 1\nname: m\ninputs: {x: [N, 3, 64, 64]}\n"


def picture(text: str, folder: Path, depth: int | None = None) -> Picture:
    path = folder / "spec.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return draw(compile_spec(path), depth)


def names(box: Box) -> list[str]:
    return [line.name for line in box.lines]


def find(drawn: Picture, name: str) -> Box:
    (box,) = [box for box in drawn.boxes if name in names(box)]
    return box


def arrows(drawn: Picture) -> set[tuple[str, str]]:
    return {(names(a.tail.box)[-1], names(a.head.box)[0]) for a in drawn.arrows}


def test_ssd300_is_drawn_in_full() -> None:
    drawn = draw(compile_spec(SSD300))
    assert drawn.is_whole
    assert len(drawn.boxes) == 38
    frames = [item.path for item in drawn.items if isinstance(item, Frame)]
    assert frames == ["vgg", "extras", "head"]
    taps = [
        names(box)[0 if box.lines[0].text == "ConvReLU" else -1]
        for box in drawn.boxes
        if box.role == "tap"
    ]
    assert taps == ["conv4_3", "fc7", "conv8_2", "conv9_2", "conv10_2", "conv11_2"]
    assert [names(box) for box in drawn.boxes if box.role == "output"] == [["loc"], ["conf"]]
    assert {("conv4_3", "l2norm"), ("conv4_3", "23"), ("fc7", "conv8_1")} <= arrows(drawn)


def test_every_row_has_its_place() -> None:
    model = compile_spec(NESTED)
    for depth in range(4):
        assert set(model.shapes) == set(draw(model, depth).places)


def test_activations_ride_on_what_they_follow(tmp_path: Path) -> None:
    drawn = picture("layers:\n  a: Conv2d(_, 8, 3)\n  n: BatchNorm2d(_)\n  r: ReLU()", tmp_path)
    box = find(drawn, "a")
    assert names(box) == ["a", "n", "r"]
    assert [line.text for line in box.lines] == ["Conv2d 3x3, 8", "BatchNorm2d", "ReLU"]


def test_a_value_that_is_used_twice_keeps_its_box(tmp_path: Path) -> None:
    drawn = picture("layers:\n  a: Conv2d(_, 8, 3)\n  r: ReLU()\n  s: Add()(a, r)", tmp_path)
    assert names(find(drawn, "a")) == ["a"]
    assert {("a", "r"), ("a", "s"), ("r", "s")} <= arrows(drawn)


def test_a_row_with_weights_of_its_own_does_not_ride(tmp_path: Path) -> None:
    text = (
        "layers:\n  a: AdaptiveAvgPool2d(1)\n  f: Flatten()\n  l: Linear(3, 3)\n  k: Linear(3, 3)"
    )
    drawn = picture(text, tmp_path)
    assert names(find(drawn, "k")) == ["k"]


def test_shapes_stand_on_the_arrows(tmp_path: Path) -> None:
    drawn = picture("layers:\n  a: Conv2d(_, 8, 3, stride=2)\n  p: MaxPool2d(2)", tmp_path)
    assert [arrow.shapes for arrow in drawn.arrows] == [["3x64x64"], ["8x31x31"], []]
    assert find(drawn, "a").lines[0].text == "Conv2d 3x3, /2, 8"


def test_repeats_are_one_box() -> None:
    more = [box for box in draw(compile_spec(NESTED)).boxes if names(box)[0] == "more"]
    assert [box.lines[0].text for box in more] == ["Block x3", "Block x4", "Block x2"]
    assert more[0].details == ["64x32x32 → 64x32x32", "222 k parameters"]


def test_modules_below_the_depth_are_one_box() -> None:
    drawn = draw(compile_spec(NESTED), 0)
    assert [names(box)[0] for box in drawn.boxes] == [
        "images",
        "backbone",
        "neck",
        "head",
        "levels",
    ]
    assert not drawn.is_whole
    backbone = find(drawn, "backbone")
    assert backbone.details[0] == "3x256x256 → 64x32x32, 128x16x16, 256x8x8"
    assert find(drawn, "head").cells == ["0", "1", "2"]


def test_rounds_of_an_op_stand_side_by_side() -> None:
    drawn = draw(compile_spec(SSD300))
    loc = drawn.places["head.loc.0"].box
    assert loc.lines[0].text == "Conv2d 3x3"
    assert loc.cells == ["16", "24", "24", "24", "16", "16"]
    text = write(drawn)
    assert re.search(rf"n\d+:?\S* -> {loc.id}:c1:n ", text)


def test_the_depth_is_chosen_to_stay_readable(tmp_path: Path) -> None:
    blocks = "".join(f"  b{i}: Block()\n" for i in range(60))
    module = (
        "modules:\n  Block:\n    layers:\n      p: MaxPool2d(3, 1, 1)\n      c: Conv2d(_, 8, 1)\n"
    )
    text = f"layers:\n{blocks}{module}"
    drawn = picture(text, tmp_path)
    assert (drawn.depth, drawn.is_whole, drawn.skipped) == (0, False, 0)
    assert len(drawn.boxes) <= MOST_BOXES
    assert len(picture(text, tmp_path, 1).boxes) == 122


def test_a_long_chain_is_folded_in_the_middle(tmp_path: Path) -> None:
    rows = "".join("  - MaxPool2d(3, 1, 1)\n" for _ in range(5000))
    text = f"layers:\n{rows}"
    begun = time.perf_counter()
    drawn = picture(text, tmp_path, 3)
    assert time.perf_counter() - begun < 20
    assert len(drawn.boxes) == 103
    assert find(drawn, "…").lines[0].text == "4,900 rows"
    assert len(drawn.arrows) == 102
    assert drawn.skipped == 4900
    assert len(picture(text, tmp_path).boxes) <= MOST_BOXES


def test_a_row_that_failed_is_marked(tmp_path: Path) -> None:
    text = (
        "layers:\n  a: Conv2d(_, 8, 3)\n  b: Conv2d(_, 8, 3, groups=3)\n  c: ReLU()\n  d: Nothing()"
    )
    drawn = picture(text, tmp_path)
    assert {names(box)[0]: box.role for box in drawn.boxes} == {
        "x": "input",
        "a": "weights",
        "b": "failed",
        "c": "unknown",
        "d": "failed",
        "out": "output",
    }
    assert find(drawn, "b").details == ["groups=3 does not divide in_channels=8"]
    assert find(drawn, "d").details == ["there is no op or module `Nothing`"]


def test_a_refused_argument_is_told(tmp_path: Path) -> None:
    drawn = picture("layers:\n  a: MaxPool2d('x')", tmp_path)
    assert find(drawn, "a").role == "failed"
    assert "`kernel_size` of `MaxPool2d`" in find(drawn, "a").details[0]


def test_a_failure_shows_through_a_folded_module(tmp_path: Path) -> None:
    text = "layers: {a: B()}\nmodules: {B: {layers: ['Conv2d(_, 8, 99)', 'Conv2d(_, 8, 3)']}}"
    box = find(picture(text, tmp_path, 0), "a")
    assert box.role == "failed"
    assert box.details[-1].startswith("a.0: the map is gone")


def test_a_model_with_nothing_right_is_still_a_drawing(tmp_path: Path) -> None:
    drawn = picture("layers: {a: Nope(), b: Nope()(c)}\noutputs: {y: d}", tmp_path)
    assert write(drawn).startswith("digraph {")


@pytest.mark.parametrize("path", [SSD300, NESTED])
def test_two_drawings_are_the_same(path: Path) -> None:
    assert write(draw(compile_spec(path))) == write(draw(compile_spec(path)))


def test_a_tap_is_read_outside_its_module(tmp_path: Path) -> None:
    block = (
        "modules:\n  Block:\n    layers:\n      - early: Conv2d(_, 8, 3)\n      - MaxPool2d(2)\n"
    )
    inside = picture(f"layers:\n  b: Block()\n  c: ReLU()\n{block}", tmp_path)
    assert [box.role for box in inside.boxes].count("tap") == 0
    outside = picture(f"layers:\n  b: Block()\n  c: ReLU()(b.early)\n{block}", tmp_path)
    assert [names(box) for box in outside.boxes if box.role == "tap"] == [["early"]]


BLOCK = "modules:\n  Block:\n    layers:\n      - Conv2d(_, 8, 3)\n      - ReLU()\n"
FAULTS = {
    # what is wrong, the row that is marked for it, and its code
    "a: Conv2d(_, 8, 3) -> 31": ("a", "E0410"),
    "a: Block() -> 31": ("0", "E0410"),
    "a: Conv2d(_, 8, 3)\n  b: ReLU(inplace=True)\n  c: Add()(a, b)": ("b", "E0306"),
    "a: Conv2d(_, 8, 3)\n  b:\n    for: {m: '[x, a]'}\n    op: Conv2d(_, 4, 1)(m)\n    shared: true": (
        "b",
        "E0313",
    ),
    "a:\n    for: {m: '[x, x]', n: '[1]'}\n    op: Conv2d(_, n, 1)(m)": ("a", "E0307"),
    "a: ReLU()\n  b: ReLU()\n  m:\n    repeat: {a: 2}\n    op: ReLU()": ("m", "E0302"),
    "a: ReLU()\n  b: T()\nuse: {T: missing}": ("b", "E0312"),
    "a: Conv2d(4, 8, 3)": ("a", "E0401"),
}


@pytest.mark.parametrize(("layers", "wanted"), FAULTS.items(), ids=[c for _, c in FAULTS.values()])
def test_a_row_with_an_error_is_marked(
    layers: str, wanted: tuple[str, str], tmp_path: Path
) -> None:
    name, code = wanted
    path = tmp_path / "spec.yaml"
    path.write_text(f"{HEAD}layers:\n  {layers}\n{BLOCK if 'Block' in layers else ''}")
    model = compile_spec(path)
    assert [found.code for found in model.diagnostics if found.severity == "error"] == [code]
    (box,) = (box for box in draw(model).boxes if box.role == "failed")
    assert names(box)[0] == name
    assert box.details


def test_a_row_that_follows_from_a_fault_is_not_marked(tmp_path: Path) -> None:
    text = "layers:\n  a: AvgPool2d(32) -> 16\n  b: Conv2d(_, 8, 3)\n  c: ReLU()\n"
    drawn = picture(text, tmp_path)
    roles = {names(box)[0]: box.role for box in drawn.boxes}
    assert (roles["a"], roles["b"], roles["c"]) == ("failed", "unknown", "unknown")
