"""A shared row is one instance: what its turns want has to be the same."""

from pathlib import Path

import pytest
from marked import HEAD, Fault, check

BODY = """\
layers:
  a: Conv2d(3, 8, 3)
  b: Conv2d(8, 16, 3)
  head:
    for: {m: "[a, b]", d: [1, 2], part: [ReLU, Sigmoid]}
    shared: true
    op: OP
outputs: [head]
"""
MODULE = "modules:\n  Head:\n    params: {d: 1, part: ReLU}\n    layers:\n"


def spec(op: str, *rows: str) -> str:
    """Return a spec that shares an op, or a module of these rows."""
    module = MODULE + "".join(f"      {row}\n" for row in rows) if rows else ""
    return HEAD + BODY.replace("OP", op) + module


FAULTS = {
    "weights": spec("«Conv2d(_, 4, 1)»(m)"),
    "settings": spec("«Conv2d(3, 4, 3, padding=d, dilation=d)»(image)"),
    "op": spec("«part()»(m)"),
    "weights of a module": spec("Head()(m)", "one: «Conv2d(_, 4, 1)»"),
    "row left out in the first turn": spec(
        "Head()(m)", "skip: {if: x.channels > 8, op: «MaxPool2d(2)»}", "last: Sigmoid()"
    ),
    "row left out in a later turn": spec(
        "Head()(m)", "skip: {if: x.channels < 9, op: «MaxPool2d(2)»}", "last: Sigmoid()"
    ),
    "repeats": spec("Head()(m)", "pools: {repeat: x.channels // 8, op: «MaxPool2d(1)»}"),
    "loops": spec(
        "Head()(m)",
        "pools: {for: {i: range(x.channels // 8)}, op: «MaxPool2d(1)»(x)}",
        "last: Cat(dim=1)(pools)",
    ),
    "turns of a loop": spec(
        "Head()(m)",
        "pools: {for: {i: '[8, 16]'}, if: x.channels == i, op: «MaxPool2d(1)»(x)}",
        "last: Cat(dim=1)(pools)",
    ),
    "settings of a module": spec("Head(d=d)(image)", "one: «Conv2d(_, 4, 3, padding=d)»"),
    "op that a module is given": spec("Head(part=part)(image)", "one: «part()»"),
    "numbers of an op without weights": spec("Head()(m)", "one: «PerBox(x.channels // 4)»"),
}


@pytest.mark.parametrize("text", FAULTS.values(), ids=FAULTS)
def test_turns_that_differ(text: str, tmp_path: Path) -> None:
    found = check(tmp_path, Fault("E0313", text, "drop `shared`"))
    labels = [label.text for label in found.labels]
    assert "`head@1" in labels[0]
    if "(image)" not in text:
        assert labels[1:3] == ["`b` gives 16x28x28", "`a` gives 8x30x30"]
