"""Advice: what a spec says and nothing uses. The model is built all the same."""

from pathlib import Path

import pytest
from marked import Fault, check, findings, named, rows

MODULE = "{layers: {a: ReLU()}}"
DEAD = "{layers: {a: ReLU(), b: «Sigmoid()»}, outputs: [a]}"

ADVICE = [
    Fault(
        "W0601",
        named("a: Conv2d(3, 8, 3)", "b: «ReLU()(image)»", more="outputs: [a]\n"),
        "add it to `outputs`",
    ),
    Fault(
        "W0605",
        named("a: ReLU()", "b: {for: {«m»: []}, op: ReLU()(m)}", more="outputs: [a, b]\n"),
        "an item",
    ),
    Fault("W0602", rows("ReLU()", more="params: {«num»: 3}\n"), "take it out"),
    Fault("W0602", rows("ReLU()", more="let: {num: «3»}\n"), "take it out"),
    Fault("W0602", rows("ReLU()", more="let: {num: 3, more: «num + 1»}\n"), "take it out"),
    Fault(
        "W0602", rows("Block()", more="modules: {Block: {let: {num: «3»}, layers: [ReLU()]}}\n"), ""
    ),
    Fault(
        "W0601",
        rows("Block()", "Block()", more=f"modules: {{Block: {DEAD}}}\n"),
        "add it to `outputs`",
    ),
    Fault(
        "W0603",
        rows("ReLU()", more="modules: {«Block»: {let: {num: 3}, layers: [ReLU()]}}\n"),
        "call it",
    ),
    Fault("W0603", rows("ReLU()", more=f"modules: {{«Block»: {MODULE}}}\n"), "call it"),
    Fault("W0603", rows("ReLU()", more="use: {block: «zoo/ssd300_vgg»}\n"), "call it"),
]


@pytest.mark.parametrize("fault", ADVICE, ids=str)
def test_advice(fault: Fault, tmp_path: Path) -> None:
    assert check(tmp_path, fault).severity == "warning"


SWITCH = """\
  a: block()
params: {block: One}
modules:
  One: {layers: {a: Inner()}}
  Two: {layers: {a: Inner()}}
  Inner: {layers: {a: ReLU()}}
"""


def test_a_module_that_some_value_of_a_parameter_calls_is_used(tmp_path: Path) -> None:
    assert [found.code for found in findings(tmp_path, named() + SWITCH)] == ["W0603"]
    for more in ("variants: {two: {block: Two}}\n", "expect: {at: {block: Two}, params: 0}\n"):
        assert findings(tmp_path, named() + SWITCH + more) == []


def test_a_module_that_only_an_unused_one_calls_is_unused(tmp_path: Path) -> None:
    modules = "modules: {A: {layers: {a: B()}}, B: {layers: {a: ReLU()}}}\n"
    found = findings(tmp_path, rows("ReLU()", more=modules))
    assert [one.message for one in found] == ["module `A` is not used", "module `B` is not used"]


def test_rows_that_only_feed_a_dead_row_are_counted(tmp_path: Path) -> None:
    dead = ["b: ReLU()(image)", "c: ReLU()", "d: «ReLU()»"]
    text = named("a: Conv2d(3, 8, 3)", *dead, more="outputs: [a]\n")
    found = check(tmp_path, Fault("W0601", text, ""))
    assert found.message == "nothing uses `d`, nor the 2 rows before it"


def test_errors_are_not_followed_by_advice(tmp_path: Path) -> None:
    text = rows("Conv2D(3, 8, 3)", more=f"params: {{num: 3}}\nmodules: {{Block: {MODULE}}}\n")
    assert [found.code for found in findings(tmp_path, text)] == ["E0205"]


READ = [
    "Conv2d(3, num, 3)",
    "Conv2d(3, 8, 3) -> [8, num, num]",
    "{op: ReLU(), if: num == 30}",
    "{op: ReLU(), if: num == 3}",
    "{if: false, op: 'Conv2d(3, num, 3)'}",
    "{op: ReLU(), repeat: num}",
    "{op: 'Dropout(0.1)', repeat: 2, first: {p: 1 / num}}",
    "{op: Dropout(p)(image), for: {p: '[1 / num]'}}",
    "{op: 'Conv2d(3, 8, 3)', init: {weight: constant_(num)}}",
    "ReLU()([image, image][num - 30])",
]


@pytest.mark.parametrize("section", ["params", "let"])
@pytest.mark.parametrize("row", READ)
def test_what_a_row_reads_anywhere_is_used(row: str, section: str, tmp_path: Path) -> None:
    assert findings(tmp_path, rows(row, more=f"{section}: {{num: 30}}\n")) == []


MAPS = [
    "{map: {'0.{p}': 'a.{p}'}, if: num == 30}",
    "{map: {'0.{p}': 'a.{num}.{p}'}}",
    "{map: {'{i < num}.{p}': 'a.{i}.{p}'}}",
]


@pytest.mark.parametrize("section", ["params", "let"])
@pytest.mark.parametrize("weights", MAPS)
def test_what_a_map_of_weights_reads_is_used(weights: str, section: str, tmp_path: Path) -> None:
    more = f"{section}: {{num: 30}}\nweights: {{theirs: {weights}}}\n"
    assert findings(tmp_path, rows("Conv2d(3, 8, 3)", more=more)) == []


@pytest.mark.parametrize("section", ["params", "let"])
def test_what_the_initial_values_of_a_module_read_is_used(section: str, tmp_path: Path) -> None:
    more = f"{section}: {{num: 30}}\ninit: {{Conv2d: {{weight: constant_(num)}}}}\n"
    assert findings(tmp_path, rows("Conv2d(3, 8, 3)", more=more)) == []
