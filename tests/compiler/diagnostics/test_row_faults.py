"""Faults inside one row: the call, its arguments, its expressions."""

from pathlib import Path

import pytest
from marked import Fault, check, findings, named, rows

import specc

FAULTS = [
    Fault("E0401", rows("Conv2d(«4», 8, 3)"), "write 3, or `_`"),
    Fault("E0205", rows("«Conv2D»(3, 8, 3)"), "`Conv2d`"),
    Fault("E0205", rows("«Frobnicate»(3)"), "`specc ops`"),
    Fault("E0205", rows("«Concat»()"), "here it is `Cat`"),
    Fault("E0205", rows("«GlobalAveragePooling2d»()"), "here it is `AdaptiveAvgPool2d`"),
    Fault("E0205", rows("«swish»()"), "here it is `SiLU`"),
    Fault("E0205", rows("«nn».ReLU()"), "the op's name alone: `ReLU(...)`"),
    Fault("E0205", rows("«torch.nn.Conv2d»(3, 8, 3)"), "the op's name alone: `Conv2d(...)`"),
    Fault("E0204", rows("Conv2d(3, «012», 3)"), "write 12"),
    Fault("E0204", rows("Conv2d(3, 8, 3) -> «8x30x30»"), "write `[8, 30, 30]`"),
    Fault("E0204", rows("Conv2d(3, 8, 3) -> «8 × 30 x 30»"), "write `[8, 30, 30]`"),
    Fault("E0204", rows("Conv2d(3, 8, «3x3», padding=1)"), "write `[3, 3]`"),
    Fault("E0207", rows("Flatten()", "«Linear»(10)"), "`Linear(_, out_features)`"),
    Fault("E0202", rows("Conv2d(3, n, 3)", more="params: {«n»}\n"), "`n: int`"),
    Fault("E0206", rows("Conv2d(3, 8, 3, «pading»=1)"), "`padding`"),
    Fault("E0206", rows("ReLU(«colour»=1)"), "inplace"),
    Fault("E0210", rows("Conv2d(_, «'64'», 3)"), "64 without quotes"),
    Fault("E0210", rows("Conv2d(_, «64.0», 3)"), "write 64"),
    Fault("E0210", rows("Conv2d(_, «[64]», 3)"), "a whole number"),
    Fault("E0210", rows("Conv2d(_, 8, «(3, 3, 3)»)"), "two of them"),
    Fault("E0210", rows("Conv2d(_, 8, 3, padding=«'sane'»)"), "'same'"),
    Fault("E0210", rows("Upsample(size=4, mode=«'biliner'»)"), "'bilinear'"),
    Fault("E0211", rows("Conv2d(3, 8, 3, stride=«0»)"), "from 1"),
    Fault("E0211", rows("Conv2d(3, 8, 3, stride=«-1»)"), "from 1"),
    Fault("E0211", rows("Conv2d(3, «9999999», 3)"), "above 1,048,576"),
    Fault("E0207", rows("«Conv2d»(3, 8)"), "`Conv2d(_, out_channels, kernel_size)`"),
    Fault("E0208", rows("ReLU(False, «1»)"), "takes 1"),
    Fault("E0209", rows("Conv2d(3, 8, 3, «kernel_size»=3)"), "leave one"),
    Fault("E0211", rows("{op: 'Conv2d(3, 8, 3)', repeat: 1, first: {stride: «0»}}"), "from 1"),
    Fault(
        "E0211",
        rows("{first: {stride: «0»}, repeat: 1, op: 'Conv2d(3, 8, 3, stride=1)'}"),
        "from 1",
    ),
    Fault("E0206", rows("{op: ReLU(), repeat: 2, first: {«inplac»: true}}"), "`inplace`"),
    Fault("E0214", rows("{op: ReLU(), repeat: 2, first: {inplace: «1 / 0»}}"), "check the values"),
    Fault("E0301", rows("{op: ReLU(), repeat: 2, first: {inplace: not «yep»}}"), "`image`"),
    Fault("E0210", rows("ReLU(«image»)"), "`ReLU()(image)`"),
    Fault("E0210", rows("Conv2d(«image», 8, 3)"), "`Conv2d(...)(image)`"),
    Fault("E0210", named("a: ReLU()", "b: Add(«a», image)"), "`Add()(a, image)`"),
    Fault("E0210", named("a: ReLU()", "b: Cat(«[a, image]», dim=1)"), "`Cat(...)([a, image])`"),
    Fault("E0210", named("a: ReLU()", "b: Upsample(like=«image»)(a)"), "`Upsample()(image)`"),
    Fault("E0210", rows("Block(«image»)", more="modules: {Block: {layers: [ReLU()]}}\n"), "()(i"),
    Fault("E0204", named("a: ReLU()", "b: «a + image»"), "`Add()(a, image)`"),
    Fault("E0204", named("a: ReLU()", "b: «a*image + a»"), "`Add()(a*image, a)`"),
    Fault("E0204", named("a: ReLU()", "b: «a * image»"), "`Mul()(a, image)`"),
    Fault("E0204", rows("«ReLU»"), "`ReLU()`"),
    Fault("E0204", rows("ReLU«(»inplace=True"), "add 1 `)`"),
    Fault("E0204", rows("ReLU()«)»"), "remove 1 `)`"),
    Fault("E0213", rows("Conv2d(3, «1 < 2 < 3», 3)"), "arithmetic"),
    Fault("E0213", rows("Conv2d(3, «8 << 1», 3)"), "arithmetic"),
    Fault("E0213", rows("Conv2d(3, «~8», 3)"), "arithmetic"),
    Fault("E0213", rows("Conv2d(3, len(«[1, 2, 3, 4][0:3:2]»), 3)"), "arithmetic"),
    Fault("E0301", rows("{op: ReLU(), if: \"'größe' == «size»\"}"), "`image`"),
    Fault("E0210", rows("Conv2d(3, «n * 1.0», 3)", more="params: {n: 8}\n"), "write 8"),
    Fault("E0213", rows("Conv2d(3, «open»('f'), 3)"), "`range`"),
    Fault("E0214", rows("Conv2d(3, «8 // 0», 3)"), ""),
    Fault("E0214", rows("Conv2d(3, «len(3)», 3)"), ""),
    Fault("E0214", rows("Conv2d(3, «8 + 'a'», 3)"), ""),
    Fault("E0203", rows("«3»"), "ReLU(inplace=True)"),
    Fault("E0203", rows("«~»"), "ReLU(inplace=True)"),
    Fault("E0215", rows("«(²)»: ReLU()"), "`conv1: Conv2d(...)`"),
    Fault("E0213", rows("Conv2d(«*[3, 8, 3]»)"), "one by one"),
    Fault("E0217", rows("ReLU()", "ReLU()", "ReLU()", "«(7)»: ReLU()"), "`(3): ...`"),
    Fault("E0218", rows("{op: ReLU(), repeat: «1000000000»}"), "repeat less"),
    Fault("E0218", rows("{op: ReLU(), repeat: «0»}"), "`repeat: 1` is the least"),
    Fault("E0218", rows("{op: ReLU(), repeat: «1 == 1»}"), "`repeat: 1` is the least"),
    Fault("E0218", rows("{op: ReLU(), repeat: «10001»}"), "repeat less"),
    Fault("E0120", rows("Conv2d(3«，»8，kernel_size=3）"), "`Conv2d(3, 8, kernel_size=3)`"),
    Fault("E0120", rows("Conv2d(3, 8, 3) «→» 30"), "`Conv2d(3, 8, 3) -> 30`"),
    Fault("E0120", rows("Conv2d(3, 8, 3) «⇒» [8, 30, 30]"), "`Conv2d(3, 8, 3) -> [8, 30, 30]`"),
    Fault("E0120", rows("Conv2d(3, 8, 3) «–»> 30"), "`Conv2d(3, 8, 3) -> 30`"),
    Fault("E0204", rows("Conv2d(3, 8, 3) «=>» 30"), "`Conv2d(3, 8, 3) -> 30`"),
    Fault("E0204", rows("ReLU()(image) «=>» [3, 32, 32]"), "`ReLU()(image) -> [3, 32, 32]`"),
    Fault("E0301", rows("ReLU()", more="let: {a: «b», b: 1}\n"), "move it up"),
    Fault("E0301", rows("ReLU()", more="let: {a: 2 * «a»}\n"), "move it up"),
    Fault("E0121", rows("Conv2d(3, 8, «**»kernel_size=3**)"), "`Conv2d(3, 8, kernel_size=3)`"),
    Fault("E0121", rows("«**»Conv2d(3, 8, kernel_size=3)**"), "`- Conv2d(3, 8, kernel_size=3)`"),
    Fault("E0219", rows("{op: «Conv2d(3», 8, 3)}"), "line of its own"),
    Fault("E0219", "specc: 1\nname: net\nlayers: [«Conv2d(3», 8, 3)]\n", "line of its own"),
    Fault("E0215", rows("«Conv2d(3, lambda»: 1)"), "`conv1: Conv2d(...)`"),
    Fault("E0301", rows("ReLU(inplace=«yes»)"), "`True`"),
    Fault("E0301", rows("ReLU(inplace=«inplace»)"), "`image`"),
    Fault("E0301", rows("ReLU(«inplac»)"), "`image`"),
    Fault("E0210", rows("LeakyReLU(«inplace»)"), "a number"),
    Fault("E0204", rows("Conv2d«(»3, 0x10"), "add 1 `)`"),
    Fault("E0214", named("a: Conv2d(_, k + 1, 3)", more="let: {k: «1 / 0»}\n"), ""),
]

SOUND = [
    rows("(0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)),", "(1): ReLU(inplace=True)"),
    rows("Conv2d(3, 8, 3),", "ReLU(),"),
    named("(conv1): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))", "(relu): ReLU(inplace=True)"),
    rows("(0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), bias=False) -> 30"),
    rows("'Conv2d(3, 8, 3)'", '"ReLU()"'),
    rows("(0): ReLU(inplace)", "(1): ReLU6(inplace)", "(2): LeakyReLU(0.1, inplace)"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


@pytest.mark.parametrize("text", SOUND)
def test_rows_as_printed_by_torch_are_accepted(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, text) == []


def test_a_name_of_a_loop_is_not_the_flag_of_that_name(tmp_path: Path) -> None:
    text = rows('{for: {bias: "[False, True]"}, op: "Linear(_, 4, bias)(image)"}')
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    counts = specc.compile(path).facts.costs.parameters.values()
    without, with_bias = (count for count in counts if count)
    assert with_bias == without + 4


def test_all_rows_are_looked_at(tmp_path: Path) -> None:
    text = rows("Conv2d(4, 8, 3)", "Conv2D(8, 8, 3)", "ReLU(inplace='x')", "Sigmod()")
    codes = [diagnostic.code for diagnostic in findings(tmp_path, text)]
    assert codes == ["E0401", "E0205", "E0210", "E0205"]
