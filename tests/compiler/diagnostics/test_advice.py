"""Advice: what a spec says and nothing uses. The model is built all the same."""

from pathlib import Path

import pytest
from marked import Fault, check, findings, named, rows

MODULE = "{layers: {a: ReLU()}}"

ADVICE = [
    Fault(
        "W0601",
        named("a: Conv2d(3, 8, 3)", "b: «ReLU()(image)»", more="outputs: [a]\n"),
        "add it to `outputs`",
    ),
    Fault("W0602", rows("ReLU()", more="params: {«num»: 3}\n"), "take it out"),
    Fault("W0603", rows("ReLU()", more=f"modules: {{«Block»: {MODULE}}}\n"), "call it"),
    Fault("W0603", rows("ReLU()", more="use: {block: «zoo/ssd300_vgg»}\n"), "call it"),
]


@pytest.mark.parametrize("fault", ADVICE, ids=str)
def test_advice(fault: Fault, tmp_path: Path) -> None:
    assert check(tmp_path, fault).severity == "warning"


def test_rows_that_only_feed_a_dead_row_are_counted(tmp_path: Path) -> None:
    dead = ["b: ReLU()(image)", "c: ReLU()", "d: «ReLU()»"]
    text = named("a: Conv2d(3, 8, 3)", *dead, more="outputs: [a]\n")
    found = check(tmp_path, Fault("W0601", text, ""))
    assert found.message == "nothing uses `d`, nor the 2 rows before it"


def test_errors_are_not_followed_by_advice(tmp_path: Path) -> None:
    text = rows("Conv2D(3, 8, 3)", more=f"params: {{num: 3}}\nmodules: {{Block: {MODULE}}}\n")
    assert [found.code for found in findings(tmp_path, text)] == ["E0205"]
