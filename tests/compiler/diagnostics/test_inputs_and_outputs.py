"""Names of inputs and outputs, memory that is shared, and figures under other values."""

from pathlib import Path

import pytest

import specc
from specc.documents import Findings

HEAD = "specc: 1\nname: net\ninputs: {image: [N, 3, 64, 64]}\n"


def codes(tmp_path: Path, text: str) -> list[str]:
    """Return the codes of what is found in a spec."""
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        return [found.code for found in specc.compile(path).diagnostics]
    except Findings as findings:
        return [found.code for found in findings.diagnostics]


INJECTED = """\
layers: {a: "Conv2d(_, 8, 1)"}
outputs:
  - |-
    [a,\"\"\"
    getattr(__import__("os"),"system")("id")
    \"\"\"][0]
"""


def test_an_output_cannot_carry_code(tmp_path: Path) -> None:
    assert "E0215" in codes(tmp_path, HEAD + INJECTED)


def test_two_outputs_of_one_name(tmp_path: Path) -> None:
    rows = "layers: {a: 'Conv2d(_, 8, 1)'}\noutputs: [a, a]\n"
    assert codes(tmp_path, HEAD + rows) == ["E0302"]


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ("(a, nonsense=b)", "E0206"),
        ("(a, x=b)", "E0209"),
        ("(like=a)", "E0305"),
        ("(like=a, like=b)", "E0209"),
    ],
)
def test_names_of_inputs(inputs: str, code: str, tmp_path: Path) -> None:
    rows = "layers:\n  a: Conv2d(_, 8, 1)\n  b: MaxPool2d(2)\n"
    assert code in codes(tmp_path, HEAD + rows + f"  up: Upsample(){inputs}\noutputs: [up]\n")


def test_named_inputs_go_where_they_belong(tmp_path: Path) -> None:
    rows = "layers:\n  a: Conv2d(_, 8, 1)\n  b: MaxPool2d(2)\n  up: Upsample()(like=a, x=b)\n"
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + rows, encoding="utf-8")
    assert specc.compile(path).shapes["up"] == ("N", 8, 64, 64)
    assert "size=a.shape[-2:]" in specc.compile(path).source


def test_one_name_for_two_widths(tmp_path: Path) -> None:
    module = (
        "modules:\n  Join:\n    inputs: {p: [N, c, H, W], q: [N, c, H, W]}\n"
        "    layers:\n      one: Conv2d(_, 4, 1)(p)\n      two: Conv2d(_, 4, 1)(q)\n"
        "      joined: Add()(one, two)\n"
    )
    rows = "layers: {a: 'Conv2d(_, 8, 1)', b: 'Conv2d(_, 16, 1)', j: 'Join()(a, b)'}\n"
    assert codes(tmp_path, HEAD + rows + module) == ["E0401"]


@pytest.mark.parametrize("between", ["Identity()", "Flatten()", "Dropout(0.5)"])
def test_memory_that_is_passed_on_and_overwritten(between: str, tmp_path: Path) -> None:
    rows = f"layers: {{a: 'Conv2d(_, 8, 1)', f: '{between}', r: ReLU(inplace=True)}}\n"
    assert codes(tmp_path, HEAD + rows + "outputs: {p: a, q: r}\n") == ["E0306"]
    assert codes(tmp_path, HEAD + rows.replace(" r:", " g: Identity(), r:")) == []
    aside = rows.replace("ReLU(inplace=True)", "ReLU(inplace=True)(a)")
    assert codes(tmp_path, HEAD + aside + "outputs: {p: f, q: r}\n") == ["E0306"]


@pytest.mark.parametrize(
    ("at", "code"),
    [
        ("{H: big}", "E0211"),
        ("{H: -5}", "E0211"),
        ("{H: 1048577}", "E0211"),
        ("{H: 2, W: 2}", "E0402"),
    ],
)
def test_figures_at_sizes_that_cannot_be(at: str, code: str, tmp_path: Path) -> None:
    head = HEAD.replace("64, 64", "H, W")
    expect = f"expect: {{at: {at}, params: 392}}\n"
    assert codes(tmp_path, head + "layers: {a: 'Conv2d(_, 8, 4)'}\n" + expect) == [code]


def test_multiply_adds_of_symbolic_sizes_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    rows = (
        "layers: {a: 'Conv2d(_, 8, 3)', p: AdaptiveAvgPool2d(1), f: Flatten(), l: 'Linear(_, 4)'}\n"
    )
    path.write_text(HEAD.replace("64, 64", "H, W") + rows, encoding="utf-8")
    assert specc.compile(path).macs is None
