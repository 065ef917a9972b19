"""What the section `detector:` lacks, and where it and the heads disagree."""

import re
from pathlib import Path

import pytest
from marked import Fault, check, findings

import specc

SPEC = """\
specc: 1
name: net
params: {num_classes: 3}
inputs: {image: [N, 3, 64, 64]}
layers:
  fine: Conv2d(_, 32, 3, stride=8, padding=1)
  coarse: Conv2d(_, 32, 3, stride=2, padding=1)
  maps: [fine, coarse]
  offsets: {for: {x: maps}, op: "Conv2d(_, 12, 3, padding=1)(x)"}
  logits: {for: {x: maps}, op: "Conv2d(_, 3 * num_classes, 3, padding=1)(x)", init: {bias: constant_(-4.6)}}
  box_rows: {for: {x: offsets}, op: PerBox(4)(x)}
  class_rows: {for: {x: logits}, op: PerBox(num_classes)(x)}
  boxes: Cat(dim=1)(box_rows)
  scores: Cat(dim=1)(class_rows)
outputs: {loc: boxes, conf: scores, map: fine, parts: box_rows}
detector:
  maps: maps
  boxes: loc
  classes: conf
  anchors: AnchorGrid(sizes=[[16], [32]], ratios=[0.5, 1, 2])
  coder: BoxCoder()
  match: IoUMatch()
  loss: FocalLoss()
  select: LevelNMS()
"""

GRID = "AnchorGrid(sizes=[[16], [32]], ratios=[0.5, 1, 2])"
KEYS = ("maps", "boxes", "classes", "anchors", "coder", "match", "loss", "select")

CHANGED = [
    # code, in the spec, in its place, help
    ("E0501", "[[16], [32]]", "«[[16], [32], [64]]»", "`sizes` 2 items"),
    ("E0503", "AnchorGrid(sizes=[[16], [32]]", "«AnchorGrid(sizes=[[16], [32, 40]]", "same number"),
    ("E0505", "classes: conf", "classes: «parts»", "`Cat(dim=1)` joins"),
    ("E0505", "boxes: loc", "boxes: «map»", "`PerBox(4)`"),
    ("E0505", "boxes: loc", "boxes: «conf»", "`PerBox(4)`"),
    ("E0210", "[[16], [32]]", "«[16, 32]»", "a list of lists"),
    ("E0210", "[0.5, 1, 2]", "«[[0.5, 1, 2]]»", "a list of numbers"),
    ("E0211", "FocalLoss()", "FocalLoss(alpha=«1.5»)", "from 0 to 1"),
    ("E0210", "FocalLoss()", "FocalLoss(boxes=«'smooth'»)", "'smooth_l1'"),
    ("E0407", "IoUMatch()", "IoUMatch(background=«0.6»)", "the lower IoU"),
    ("E0407", "IoUMatch()", "CenterSampling(nearest=«8»)", "between the two"),
    ("E0205", "FocalLoss()", "«FocalLos»()", "`FocalLoss`"),
    ("W0607", "classes: conf", "classes: conf\n  centerness: «conf»", "take it out"),
    ("W0607", "classes: conf", "classes: conf\n  objectness: «conf»", "take it out"),
    (
        "W0609",
        GRID,
        "«AnchorGrid(sizes=[[32], [16]], ratios=[0.5, 1, 2])»",
        "in the order of `maps`",
    ),
    (
        "W0609",
        GRID,
        "«BoxPriors(sizes=[[[9, 8], [2, 2], [1, 1]], [[6, 7], [1, 1], [1, 1]]])»",
        "larger",
    ),
    (
        "W0610",
        GRID,
        "CellAnchors(scales=[1, 2, 3], aspects=[[1, 1]], strides=«[8, 24.5]»)",
        "write 16 for this map",
    ),
    (
        "W0610",
        GRID,
        "CellAnchors(scales=[1, 2, 3], aspects=[[1, 1]], strides=«[5, 16]»)",
        "write 8 for this map",
    ),
    ("E0507", "BoxCoder()", "«CellCoder()»", "`BoxPriors`"),
    ("E0507", "IoUMatch()", "«CellMatch()»", "`BoxPriors`"),
    ("E0501", GRID, "BoxPriors(sizes=«[[[16, 16]]]»)", "2 items"),
    ("E0210", GRID, "BoxPriors(sizes=«[[16], [32]]»)", "a list"),
]


def test_the_spec_is_right(tmp_path: Path) -> None:
    assert findings(tmp_path, SPEC) == []


@pytest.mark.parametrize("strides", ["[8, 16]", "[8, 23.5]", "[5.5, 16]"])
def test_strides_that_reach_about_once_across_the_image(strides: str, tmp_path: Path) -> None:
    anchors = f"CellAnchors(scales=[1, 2, 3], aspects=[[1, 1]], strides={strides})"
    assert findings(tmp_path, SPEC.replace(GRID, anchors)) == []


@pytest.mark.parametrize("shape", ["[N, 5]", "[N, 5, 4]", "[N, 5, 64]"])
def test_strides_are_not_compared_with_an_input_that_is_no_image(
    shape: str, tmp_path: Path
) -> None:
    text = SPEC.replace(GRID, "CellAnchors(scales=[1, 2, 3], aspects=[[1, 1]], strides=[8, 16])")
    text = text.replace("{image: [N, 3, 64, 64]}", f"{{other: {shape}, image: [N, 3, 64, 64]}}")
    text = text.replace("padding=1)\n  coarse", "padding=1)(image)\n  coarse")
    text = text.replace("\noutputs: {", "\n  same: ReLU()(other)\noutputs: {same: same, ")
    assert findings(tmp_path, text) == []


def test_an_error_at_other_values_counts_more_than_advice(tmp_path: Path) -> None:
    text = SPEC.replace("{num_classes: 3}", "{num_classes: 3, big: 32, each: 12}")
    text = text.replace("[[16], [32]]", "[[16], [big]]").replace("Conv2d(_, 12,", "Conv2d(_, each,")
    text += "expect: [{«at»: {big: 8, each: 24}, keys: 12}]\n"
    check(tmp_path, Fault("E0503", text, "same number"))


@pytest.mark.parametrize(("code", "old", "new", "help"), CHANGED)
def test_fault(code: str, old: str, new: str, help: str, tmp_path: Path) -> None:
    assert old in SPEC
    text = SPEC.replace(old, new, 1)
    if "»" not in text:
        text = text.replace("ratios=[0.5, 1, 2])", "ratios=[0.5, 1, 2])»")
    check(tmp_path, Fault(code, text, help))


SCORES = "Conv2d(_, 3 * num_classes, 3, padding=1)(x)"
PRIOR = ", init: {bias: constant_(-4.6)}"
FOR_ALL = "\ninit: {Conv2d: {bias: %s}}\nlayers:"


@pytest.mark.parametrize("zeros", ["", FOR_ALL % "zeros_()"], ids=["torch's", "zeros for all"])
def test_class_scores_begin_low(zeros: str, tmp_path: Path) -> None:
    """Zeros for all layers are no more a prior than torch's own values are."""
    bare = SPEC.replace(PRIOR, "").replace("\nlayers:", zeros or "\nlayers:")
    marked = bare.replace(SCORES, f"«{SCORES}»")
    check(tmp_path, Fault("W0606", marked, "one anchor in a hundred"))


def test_class_scores_begin_as_a_row_or_module_says(tmp_path: Path) -> None:
    said = [
        SPEC.replace(PRIOR, ", init: {bias: zeros_()}"),
        SPEC.replace(PRIOR, "").replace("\nlayers:", FOR_ALL % "constant_(-4.6)"),
        SPEC.replace("\nlayers:", FOR_ALL % "zeros_()"),
    ]
    for text in said:
        assert findings(tmp_path, text) == []


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    head, _, section = SPEC.partition("detector:")
    lines = section.splitlines(keepends=True)
    kept = [head, "detector:", *(line for line in lines if not line.startswith(f"  {key}: "))]
    text = "".join(kept).replace("detector:", "«detector»:")
    found = check(tmp_path, Fault("E0202", text, f"add `{key}:` with "))
    assert found.message == f"`{key}` is missing"


def test_what_goes_under_a_missing_key_beside_the_loss_is_proposed(tmp_path: Path) -> None:
    one = SPEC.replace("  loss: FocalLoss()\n", "").replace("detector:", "«detector»:")
    found = check(
        tmp_path, Fault("E0202", one, "`MultiBoxLoss(...)`, `OHEM(...)`, `FocalLoss(...)`")
    )
    assert "FastRCNNLoss" not in (found.help or "")
    (missing,) = findings(tmp_path, YOLO.replace("  coder: CellCoder()\n", ""))
    assert missing.help == "add `coder:` with `CellCoder(...)`"


def test_an_output_that_the_loss_does_not_read_is_left_out(tmp_path: Path) -> None:
    text = Path("specs/fcos_resnet50_fpn.yaml").read_text(encoding="utf-8")
    text = re.sub(r"loss: FCOSLoss\(.*\)", "loss: FocalLoss()", text)
    path = tmp_path / "spec.yaml"
    path.write_text(re.sub(r"(\w+)\.yaml\b(?=.*}$)", r"zoo/\1", text, flags=re.MULTILINE))
    model = specc.compile(path)
    assert model.ok
    assert "W0607" in {found.code for found in model.diagnostics}
    literal = model.facts.detector or {}
    assert literal["outputs"].keys() == {"boxes", "classes"}


def test_a_loss_that_reads_the_centerness_needs_it(tmp_path: Path) -> None:
    spec = SPEC.replace("IoUMatch()", "CenterSampling()")
    text = spec.replace("FocalLoss()", "FCOSLoss()").replace("detector:", "«detector»:")
    check(tmp_path, Fault("E0202", text, "add `centerness:` with the name of an output"))
    named = spec.replace("FocalLoss()", "FCOSLoss()\n  centerness: «conf»")
    found = check(tmp_path, Fault("E0505", named, "`PerBox(1)`"))
    assert found.message == "`centerness` has 3 columns, but an anchor has 1"


def test_yolo_needs_the_objectness_and_cells(tmp_path: Path) -> None:
    found = findings(tmp_path, SPEC.replace("FocalLoss()", "YOLOLoss()"))
    assert [item.code for item in found] == ["E0202", "E0507"]
    assert found[0].help == "add `objectness:` with the name of an output"
    assert found[1].labels[1].text == "without cells"


YOLO = (
    SPEC.replace("outputs: {", """\
  objects: {for: {x: maps}, op: "Conv2d(_, 3, 3, padding=1)(x)"}
  object_rows: {for: {x: objects}, op: PerBox(1)(x)}
  objectness: Cat(dim=1)(object_rows)
outputs: {objectness: objectness, """)
    .replace(GRID, "BoxPriors(sizes=[[[8, 8], [16, 8], [8, 16]], [[32, 32], [64, 32], [32, 64]]])")
    .replace("BoxCoder()", "CellCoder()")
    .replace("IoUMatch()", "CellMatch()")
    .replace("FocalLoss()", "YOLOLoss()\n  objectness: objectness")
)  # fmt: skip


def test_the_spec_of_yolo_is_right(tmp_path: Path) -> None:
    assert findings(tmp_path, YOLO) == []


@pytest.mark.parametrize("loss", ["YOLOLoss", "YOLOv2Loss"])
def test_a_loss_of_yolo_needs_its_coder(loss: str, tmp_path: Path) -> None:
    text = YOLO.replace("YOLOLoss", loss).replace("CellCoder()", "«BoxCoder()»")
    found = check(tmp_path, Fault("E0508", text, "`coder: CellCoder()`, or choose another `loss`"))
    assert found.message == f"`{loss}` goes with `CellCoder`, and not with `BoxCoder`"


@pytest.mark.parametrize(
    ("given", "instead", "help"),
    [
        ("CellMatch()", "IoUMatch()", "`match: CellMatch()`, or choose another `coder`"),
        (
            "YOLOLoss()\n  objectness: objectness",
            "MultiBoxLoss()",
            "`loss: YOLOLoss()`, or choose another `coder`",
        ),
    ],
)
def test_the_coder_of_yolo_needs_its_match_and_loss(
    given: str, instead: str, help: str, tmp_path: Path
) -> None:
    found = check(tmp_path, Fault("E0508", YOLO.replace(given, f"«{instead}»"), help))
    assert found.labels[1].span.text == "CellCoder()"


def test_center_ness_needs_centres_inside(tmp_path: Path) -> None:
    text = YOLO.replace("CellCoder()", "BoxLinearCoder()").replace(
        "YOLOLoss()\n  objectness: objectness", "FCOSLoss()\n  centerness: objectness"
    )
    help = "`match: CenterSampling()`, or choose another `loss`"
    check(tmp_path, Fault("E0508", text.replace("CellMatch()", "«IoUMatch()»"), help))


YOLOV1 = (
    YOLO.replace("CellCoder()", "RootCoder()")
    .replace("CellMatch()", "GridMatch()")
    .replace("YOLOLoss()", "YOLOv1Loss()")
)


@pytest.mark.parametrize(
    ("given", "instead", "help"),
    [
        ("GridMatch()", "CellMatch()", "`match: GridMatch()`, or choose another `coder`"),
        ("RootCoder()", "BoxCoder()", "`coder: RootCoder()`, or choose another `loss`"),
        ("YOLOv1Loss()", "YOLOLoss()", "`loss: YOLOv1Loss()`, or choose another `coder`"),
    ],
)
def test_the_parts_of_the_first_yolo_need_each_other(
    given: str, instead: str, help: str, tmp_path: Path
) -> None:
    assert findings(tmp_path, YOLOV1) == []
    found = findings(tmp_path, YOLOV1.replace(given, instead))
    assert {item.code for item in found} == {"E0508"}
    (first,) = [item for item in found if help in (item.help or "")]
    assert first.labels[0].span.text == instead


def test_objects_may_be_matched_by_cell_whatever_the_coder(tmp_path: Path) -> None:
    text = YOLO.replace("YOLOLoss()\n  objectness: objectness", "MultiBoxLoss()")
    assert findings(tmp_path, text.replace("CellCoder()", "BoxCoder()")) == []


def test_the_map_where_heads_and_anchors_part_is_named(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, SPEC.replace("[[16], [32]]", "[[16], [32, 40]]"))
    assert found.labels[1].text == "`box_rows.1`: 48 rows, but the 4x4 map has 6 a cell, 96 in all"


def test_scores_are_counted_as_boxes_are(tmp_path: Path) -> None:
    text = SPEC.replace("Cat(dim=1)(class_rows)", "Cat(dim=1)([class_rows[0]])")
    found = check(
        tmp_path,
        Fault("E0503", text.replace("AnchorGrid(", "«AnchorGrid(").replace("2])", "2])»"), ""),
    )
    assert found.message == "the heads give 192 scores of boxes, the anchors 240"


@pytest.mark.parametrize("behind", ["Cat(dim=1)(*)", "Cat(dim=1)(*)\n  kept: ReLU()"])
def test_rows_joined_in_another_order_than_the_maps(behind: str, tmp_path: Path) -> None:
    """They are as many, so that nothing but their order tells: each would be matched with a wrong anchor."""
    swapped = behind.replace("*", "box_rows[1], box_rows[0]")
    text = SPEC.replace("Cat(dim=1)(box_rows)", swapped).replace("maps: maps", "maps: «maps»")
    text = text.replace("loc: boxes", "loc: kept") if "kept" in behind else text
    found = check(tmp_path, Fault("E0503", text, "in the order of `maps`"))
    assert (
        found.message == "`boxes` joins 48 and 192 rows, but the anchors of `maps` are 192 and 48"
    )
    assert found.labels[1].text == "`boxes` joins 48 and 192 rows"


def test_without_a_size_there_are_no_boxes(tmp_path: Path) -> None:
    text = SPEC.replace("image: [N, 3, 64, 64]", "«image»: [N, 3, H, W]")
    found = check(tmp_path, Fault("W0604", text, "[N, 3, height, width]"))
    assert found.severity == "warning"


def test_a_variant_leaves_the_number_of_classes_open(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC + "variants: {coco: {num_classes: 80}}\n", encoding="utf-8")
    for name in ("spec.yaml", "spec.yaml:coco"):
        model = specc.compile(tmp_path / name)
        assert model.ok
        assert f"num_classes: int = {80 if 'coco' in name else 3}" in model.source


@pytest.mark.parametrize(
    ("classes", "codes"),
    [("abc", ["E0210"]), (2.5, ["E0210"]), (None, ["E0210"]), (0, ["E0211"] * 2)],
)
def test_a_number_of_classes_that_fails_is_the_only_finding(
    classes: object, codes: list[str], tmp_path: Path
) -> None:
    found = findings(tmp_path, SPEC, num_classes=classes)
    assert [one.code for one in found] == codes


def test_a_head_that_fails_does_not_leave_the_number_of_classes_unused(tmp_path: Path) -> None:
    text = SPEC.replace("3 * num_classes", "«wrong» * num_classes")
    check(tmp_path, Fault("E0301", text.replace("PerBox(num_classes)", "PerBox(3)"), "`image`"))


@pytest.mark.parametrize(
    ("old", "new", "label"),
    [
        ("params: {num_classes: 3}", "let: {num_classes: 3}", "no `num_classes`"),
        ("params: {num_classes: 3}", "params: {num_classes: true}", "not a whole number"),
        ("* num_classes", "* 3", "not used"),
        ("3 * num_classes", "(9 if num_classes else 3)", "decides the structure"),
    ],
)
def test_the_number_of_classes_stays_open(old: str, new: str, label: str, tmp_path: Path) -> None:
    text = SPEC.replace(old, new)
    if label in ("not used", "not a whole number"):
        text = text.replace("* num_classes", "* 3").replace("PerBox(num_classes)", "PerBox(3)")
    (found,) = findings(tmp_path, text)
    assert found.code == "E0506"
    assert found.labels[0].text == label
    assert found.labels[0].span.text == ("detector" if label[:3] == "no " else "num_classes")
