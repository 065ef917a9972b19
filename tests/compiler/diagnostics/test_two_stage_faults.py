"""What the second stage of a detector lacks, and where it and the first disagree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from marked import Fault, check, findings

import specc
from specc.explain import page

SPEC = re.findall(r"```yaml\n(.*?)```", page("E0509"), flags=re.DOTALL)[1]
KEYS = ("proposals", "boxes", "classes", "match", "sample", "coder", "loss")

CHANGED = [
    # code, in the spec, in its place, help
    ("E0509", "AnchorGrid(sizes=sizes, ratios=ratios)", "«AnchorGrid(sizes=[[16, 33]], ratios=ratios)»", "with what `Proposals` takes"),
    ("E0509", "AnchorGrid(sizes=sizes, ratios=ratios)", "«AnchorGrid(sizes=[[16]], ratios=[1, 2])»", "with what `Proposals` takes"),
    ("E0509", "AnchorGrid(sizes=sizes, ratios=ratios)", "«CellAnchors(scales=[2, 4], aspects=[[1, 1]], strides=[8])»", "`AnchorGrid(sizes"),
    ("E0509", "BoxCoder()", "«BoxCoder(weights=(10, 10, 5, 5))»", "weights=(1, 1, 1, 1)"),
    ("E0509", "coder: BoxCoder()", "coder: «BoxLinearCoder()»", "`coder: BoxCoder("),
    ("E0509", "propose: proposals, judge: boxes", "all: boxes", "propose: proposals, judge: boxes"),
    ("E0509", "propose: proposals,", "propose: pool,", "propose: proposals, judge: boxes"),
    ("E0509", "    proposals: proposals", "    proposals: «propsals»", "`proposals`"),
    ("E0509", "    proposals: proposals", "    proposals: «flatten»", "row `Proposals(...)`"),
    ("E0509", "boxes: offsets", "boxes: «twin»", "holds `offsets`"),
    ("E0509", "objectness: objectness", "objectness: «other»", "holds `objectness`"),
    ("E0509", "maps: map", "maps: «again»", "the same list"),
    ("E0505", "    boxes: boxes", "    boxes: «classes»", "`Linear(_, 4 * num_classes)`"),
    ("E0505", "    classes: classes", "    classes: «boxes»", "`Linear(_, num_classes)`"),
    ("E0504", "    classes: classes", "    classes: «clases»", "`classes`"),
    ("E0505", "objectness: objectness", "objectness: «offsets»", "`PerBox(1)`"),
    ("E0205", "FastRCNNLoss()", "«RPNLoss»()", "there is FastRCNNLoss"),
    ("E0205", "IoUMatch(foreground=0.5, best", "«CenterSampling»(best", "there is IoUMatch"),
    ("E0205", "BoxCoder(weights=(10", "«CellCoder»(weights=(10", "there is BoxCoder, BoxLinearCoder"),
    ("E0204", "Sample(64)", "«Sample»", "write `sample: Sample(...)`"),
    ("E0211", "Sample(64)", "Sample(«0»)", "1"),
    ("E0211", "RPNLoss()", "RPNLoss(positive=«1.5»)", "from 0 to 1"),
    ("E0203", "    sample: Sample(64)", "    sample: «[Sample(64)]»", "a text"),
    ("E0301", "outputs: [objectness, offsets, classes, boxes]", "outputs: {objectness: «objectnes», offsets: offsets, classes: classes, boxes: boxes}", "`objectness`"),
    ("E0301", "Conv2d(_, 8, 1)(map)", "Conv2d(_, 8, 1)(«mop»)", "`map`"),
    ("E0201", "    sample: Sample(64)", "    sample: Sample(64)\n    «select»: NMS()", "there are"),
]  # fmt: skip

MORE = """\
  twin: PerBox(4)(move)
  other: PerBox(1)(score)
  again: ReLU()(map)
outputs: [twin, other, again, objectness, offsets, classes, boxes]
"""


def test_the_spec_is_right(tmp_path: Path) -> None:
    assert findings(tmp_path, SPEC) == []


@pytest.mark.parametrize(("code", "old", "new", "help"), CHANGED)
def test_fault(code: str, old: str, new: str, help: str, tmp_path: Path) -> None:
    assert old in SPEC
    text = SPEC.replace(old, new, 1)
    if any(f"«{name}»" in new for name in ("twin", "other", "again")):
        head, rows, rest = text.partition("stages: {propose: proposals, judge: boxes}\n")
        _, _, rest = rest.partition("\n")
        text = f"{head}{MORE}{rows.replace('judge: boxes', 'judge: again')}{rest}"
    if "«" not in text:
        text = text.replace("    proposals: proposals", "    proposals: «proposals»")
    check(tmp_path, Fault(code, text, help))


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    head, _, rest = SPEC.partition("  regions:\n")
    lines = rest.splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.startswith(f"    {key}: "))
    first = kept.split(":", 1)[0].strip()
    text = f"{head}  regions:\n    «{first}»{kept.removeprefix(f'    {first}')}"
    found = check(tmp_path, Fault("E0202", text, f"add `{key}:`"))
    assert found.message == f"`{key}` is missing"


def test_the_first_of_two_stages_has_a_loss_of_its_own(tmp_path: Path) -> None:
    text = SPEC.replace("  loss: RPNLoss()", "  loss: «FocalLoss()»").replace(
        "  objectness: objectness\n", "  classes: objectness\n"
    )
    codes = [found.code for found in findings(tmp_path, text.replace("«", "").replace("»", ""))]
    assert codes == ["E0505", "E0509"]


def test_one_stage_has_no_loss_of_two(tmp_path: Path) -> None:
    section = re.search(r"  regions:\n(    .*\n)+", SPEC)
    assert section
    text = SPEC.replace(section[0], "").replace("RPNLoss()", "«RPNLoss()»")
    check(tmp_path, Fault("E0509", text, "add `regions`"))


def test_the_literal_says_what_each_stage_hands_on(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    names: dict[str, object] = {}
    exec(compile(specc.compile(path).source, "emitted", "exec"), names)
    regions = names["DETECTOR"]["regions"]
    assert regions["stages"] == {
        "propose": ["map", "objectness", "offsets", "proposals"],
        "judge": [],
    }
    assert regions["proposals"] == "proposals"
    assert regions["outputs"] == {"boxes": "boxes", "classes": "classes"}
    assert regions["sample"] == {"kind": "Sample", "examples": 64, "positive": 0.25}
