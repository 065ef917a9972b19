"""Faults between rows: inputs, taps, names, values overwritten in place, modules."""

from pathlib import Path

import pytest
from marked import HEAD, Fault, check, findings, named, rows

TWO = HEAD.replace("{image: [N, 3, 32, 32]}", "{a: [N, 3, 8, 8], b: [N, 3, 8, 8]}")
PAIR = "modules: {Pair: {inputs: [p, q], layers: {c: 'Add()(p, q)'}}}\n"
SELF = "modules: {Block: {layers: {a: «Block»()}}}\n"
BLOCK = """
modules:
  Block:
    params: {out: int}
    layers:
      - Conv2d(_, out, 3)
"""

FAULTS = [
    Fault("E0301", rows("a: ReLU()", "ReLU()(«b»)"), "`image`, `a`"),
    Fault("E0301", rows("stem: ReLU()", "ReLU()(«sten»)"), "`stem`"),
    Fault("E0301", rows("ReLU()(«b»)", "b: ReLU()"), "move it up"),
    Fault("E0303", named("a: Block(8)", "b: ReLU()(«a.c»)", more=BLOCK), "it has"),
    Fault("E0303", rows("Conv2d(3, «image.width», 3)"), "`channels`"),
    Fault("E0214", named("a: Conv2d(_, «k.channels», 3)", more="let: {k: [1, 2]}\n"), "check"),
    Fault("E0210", named("a: ReLU()", more="params: {k: 3}\noutputs: {y: «k»}\n"), "a row"),
    Fault("E0210", named("a: ReLU()", more="outputs: {y: '«[a, 3]»'}\n"), "a row"),
    Fault("E0210", named("a: ReLU()", "b: '«[a, 3]»'", "c: Cat()(b)"), "`let`"),
    Fault("E0305", named("a: ReLU()", "b: Cat()(«[a, 3]»)"), "a row or input"),
    Fault("E0205", named("a: «act»()", more="params: {act: Relu}\n"), "`ReLU`"),
    Fault("E0205", named("a: ReLU()", "b: «a»()"), "`specc ops`"),
    Fault("E0207", named("a: act()", more="params: {«act»: module}\n"), "--set act=..."),
    Fault("E0203", named("a: {repeat: «{i: 3, j: 4}», op: ReLU()}"), "`repeat: {i: 3}`"),
    Fault("E0214", rows("Conv2d(_, «image.channels», 3)").replace("3, 32", "C, 32"), "a number"),
    Fault(
        "E0214",
        named("a: {if: «image.channels» == 3, op: ReLU()}").replace("3, 32", "C, 32"),
        "a number",
    ),
    Fault("E0214", rows("ReLU()(«image[0]»)"), "name the row itself"),
    Fault("E0214", rows("Cat()([*«image»])"), "name the row itself"),
    Fault("E0303", named("a: Block(8)", "b: ReLU()(«a[3]»)", more=BLOCK), "count from 0"),
    Fault("E0305", TWO + "layers:\n  - «ReLU()»\n", "ReLU(...)(x)"),
    Fault("E0305", TWO + "layers:\n  c: «Pair()»(a, b, a)\n" + PAIR, "Pair(...)(p, q)"),
    Fault("E0304", named("a: ReLU()", "b: «ReLU()»()"), "name an input"),
    Fault("E0305", rows("ReLU()", "Add()(«0», image)"), "give row 0 a name"),
    Fault("E0305", rows("ReLU()", "Add()(image, other=«0»)"), "give row 0 a name"),
    Fault("E0305", rows("ReLU()", "ReLU()(«'a'»)"), "the name of a row or input"),
    Fault("E0204", rows("ReLU()", "ReLU()(«vgg.21»)"), "write `vgg.name`"),
    Fault("E0210", named("a: {if: «image», op: ReLU()}"), "`x.channels == 64`"),
    Fault("E0210", named("a: ReLU()", "b: {if: not «a», op: ReLU()}"), "`x.channels == 64`"),
    Fault("E0210", named("a: ReLU()", "b: {if: «a» and 1, op: ReLU()}"), "`x.channels == 64`"),
    Fault("E0210", named("a: Conv2d(_, 8 if «image» else 9, 3)"), "`x.channels == 64`"),
    Fault("E0210", named("a: Block(8)", "b: {if: «a», op: ReLU()}", more=BLOCK), "a parameter"),
    Fault("E0302", rows("a: ReLU()", "«a»: Sigmoid()"), "another name"),
    Fault("E0109", named("a: ReLU()", "«a»: Sigmoid()"), "another name"),
    Fault(
        "E0307",
        named("a: {op: 'ReLU()(x)', for: {x: '[image, image]', n: «[1]»}}"),
        "one item for each turn",
    ),
    Fault("E0308", named("a: Block()", more=SELF), "take this call out"),
    Fault("E0206", rows("Block(«outs»=3)", more=BLOCK), "`out`"),
    Fault("E0207", rows("«Block»()", more=BLOCK), "`Block(out)`"),
    Fault("E0210", rows("Block(«'x'»)", more=BLOCK), "a whole number"),
    Fault("E0205", rows("«Blok»(8)", more=BLOCK), "`Block`"),
]

OVERWRITTEN = [
    named("a: Conv2d(3, 8, 3)", "b: «ReLU(inplace=True)»", "c: Add()(a, b)"),
    named("a: Conv2d(3, 8, 3)", "b: «ReLU(inplace=True)»", more="outputs: [a, b]\n"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


@pytest.mark.parametrize("text", OVERWRITTEN)
def test_value_overwritten_in_place_names_both_rows(text: str, tmp_path: Path) -> None:
    found = check(tmp_path, Fault("E0306", text, "tap `b`"))
    assert [label.span.line for label in found.labels[:2]] == [6, 5]


def test_ssd_taps_the_row_before_its_relu(tmp_path: Path) -> None:
    spec = Path("specs/ssd300_vgg.yaml").read_text(encoding="utf-8")
    row = "Conv2d(512, 512, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))\n"
    after = "      - conv4_3: ReLU(inplace=True) -> [512, 38, 38]"
    assert row + after in spec
    text = spec.replace(row + after, f"conv4_3: {row}      - «ReLU(inplace=True)»", 1)
    found = check(tmp_path, Fault("E0306", text, "tap `vgg.22`"))
    assert "`vgg.21` is computed here" in [label.text for label in found.labels]


def test_duplicates_label_both_places(tmp_path: Path) -> None:
    for text in (rows("a: ReLU()", "a: Sigmoid()"), named("a: ReLU()", "a: Sigmoid()")):
        (found,) = findings(tmp_path, text)
        assert [label.span.line for label in found.labels] == [6, 5]


def test_an_error_inside_a_module_points_at_its_line_and_at_the_call(tmp_path: Path) -> None:
    text = rows("Block(8)", "Block(8)", more=BLOCK.replace("_, out, 3", "_, out, «0»"))
    found = check(tmp_path, Fault("E0211", text, "from 1"))
    assert [(label.span.line, label.text) for label in found.labels[1:]] == [(5, "in this call")]


def test_a_failed_row_is_one_finding(tmp_path: Path) -> None:
    text = named("a: Conv2D(3, 8, 3)", "b: Conv2d(_, a.channels, 3)", "c: Add()(a, b)")
    assert [found.code for found in findings(tmp_path, text)] == ["E0205"]
    taps = ["b: ReLU()(a.c3)", "c: ReLU()(a[0])", "d: Cat()([*a, image])", "e: ReLU()(a.b.c)"]
    text = named("a: Lock()", *taps, more=BLOCK)
    assert {found.code for found in findings(tmp_path, text)} == {"E0205"}
