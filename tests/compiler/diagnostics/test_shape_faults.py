"""Faults that only the shapes show, and the detector's agreement with the heads."""

from pathlib import Path

import pytest
from marked import HEAD, Fault, check, findings, named, rows

import specc.driver

SSD = Path("specs/ssd300_vgg.yaml").read_text(encoding="utf-8")

FAULTS = [
    Fault("E0402", rows("«Conv2d(3, 8, 33)»"), "larger input"),
    Fault(
        "E0403", named("a: Conv2d(3, 8, 3)", "b: Conv2d(3, 8, 5)(image)", "c: «Add()»(a, b)"), ""
    ),
    Fault(
        "E0404", named("a: Conv2d(3, 8, 3)", "b: Conv2d(3, 8, 5)(image)", "c: «Cat()»(a, b)"), ""
    ),
    Fault("E0405", rows("Conv2d(3, 8, 3, groups=«2»)"), "divide"),
    Fault("E0405", rows("PixelUnshuffle(«3»)"), "a divisor of 32"),
    Fault("E0410", rows("Flatten() -> «99»"), "`-> 3072`"),
    Fault(
        "E0406",
        rows("«Conv2d(3, 8, 3)»").replace("[N, 3, 32, 32]", "[3, 32, 32]"),
        "write `image: [N, 3, 32, 32]`",
    ),
    Fault("E0410", rows("Flatten() -> «[99]»"), "`-> 3072`"),
    Fault("E0410", rows("Flatten() -> «[3, 1024]»"), "`-> 3072`"),
    Fault("E0410", rows("Conv2d(3, 8, (3, 1)) -> «(30, 31)»"), "`-> [8, 30, 32]`"),
    Fault("E0410", named("a: Conv2d(3, 8, 3)", "b: '[a, image] -> «30»'", "c: ReLU()(a)"), "-> 32"),
    Fault("E0406", rows("Flatten()", "«Conv2d(_, 8, 3)»"), "Reshape"),
    Fault("E0406", rows("Flatten(start_dim=«7»)"), "Reshape"),
    Fault("E0407", rows("Conv2d(3, 8, 3, stride=2, padding=«'same'»)"), "tf_same"),
    Fault("E0407", rows("MaxPool2d(2, padding=«2»)"), "change one"),
    Fault("E0408", rows("MaxPool2d(2, return_indices=«True»)"), "another op"),
    Fault("E0401", rows("Flatten()", "«Linear(_, 8)»").replace("32, 32", "H, W"), "fixed size"),
    Fault("E0502", rows("PerBox(«4»)"), "multiple"),
    Fault("E0402", rows("Upsample(scale_factor=«0.001»)"), "larger input"),
    Fault("E0301", rows("ReLU() -> [«imag», 32, 32]"), "`image`"),
    Fault("E0301", rows("ReLU() -> [M, 3, 32, 32]".replace("M", "«M»")), "the names here are"),
    # Of what stands behind an expectation nothing is known, if that has a name for its channels.
    Fault("E0410", rows("Conv2d(3, 8, 3) -> «[N, 30, 30]»", "Conv2d(_, 4, 3, groups=2)"), "8, 30"),
]

IN_SSD = [
    # code, in SSD300, in its place, help
    ("E0501", "sizes=sizes", "sizes=«sizes[:6]»", "7 items"),
    ("E0501", "[8, 16, 32, 64, 100, 300]", "«[8, 16, 32, 64, 100]»", "6 items"),
    ("E0504", "boxes: loc", "boxes: «lok»", "`loc`"),
    ("E0301", "maps: sources", "maps: «sorces»", "`sources`"),
    ("E0406", "maps: sources", "maps: «head»", "maps"),
    ("E0205", "BoxCoder(", "«BoxCodr»(", "`BoxCoder`"),
    ("E0210", "(10, 10, 5, 5)", "«(10, 10, 5)»", "four numbers"),
    ("E0211", "iou=0.45", "iou=«1.45»", "from 0 to 1"),
    ("E0206", "NMS(score=0.01", "NMS(«scores»=0.01", "`score`"),
    ("E0411", "params: 26285486", "params: «1»", "26285486"),
    ("E0303", "parts: {vgg:", "parts: {«vgx»:", "`vgg`"),
    ("E0311", "at: {num_classes", "at: {«num_clases»", "`num_classes`"),
    ("E0301", "{features: sources", "{features: «sorces»", "`sources`"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


@pytest.mark.parametrize("code", ["E0403", "E0404"])
def test_both_sources_are_named(code: str, tmp_path: Path) -> None:
    found = check(tmp_path, next(fault for fault in FAULTS if fault.code == code))
    texts = [label.text for label in found.labels[1:]]
    assert texts == ["`a` gives 8x30x30", "`b` gives 8x28x28"]


@pytest.mark.parametrize(("code", "old", "new", "help"), IN_SSD)
def test_fault_in_ssd(code: str, old: str, new: str, help: str, tmp_path: Path) -> None:
    assert old in SSD
    check(tmp_path, Fault(code, SSD.replace(old, new, 1), help))


def test_heads_and_anchors_that_disagree_name_the_map(tmp_path: Path) -> None:
    own = "ratios=[[2], [2, 3], [2, 3], [2], [2], [2]]"
    (found,) = findings(tmp_path, SSD.replace("ratios=ratios", own))
    assert found.code == "E0503"
    assert "the 5x5 map has 4 a cell, 100 in all" in found.labels[1].text


def test_a_small_input_names_the_row_that_collapses() -> None:
    model = specc.driver.compile_spec("specs/ssd300_vgg.yaml", resize=(32, 32))
    (found,) = (found for found in model.diagnostics if found.severity == "error")
    assert found.code == "E0402"
    assert found.message.startswith("`extras.conv10_2.0` Conv2d: the map is gone: 1 is smaller")


def test_several_findings_of_one_loop_are_one(tmp_path: Path) -> None:
    found = findings(tmp_path, SSD.replace("PerBox(4)", "PerBox(5)"))
    assert [diagnostic.code for diagnostic in found] == ["E0502"]


def test_symbolic_sizes_are_no_fault(tmp_path: Path) -> None:
    text = HEAD.replace("32, 32", "H, W") + "layers:\n  - Conv2d(3, 8, 3)\n"
    assert findings(tmp_path, text) == []
