"""Names of turns that cannot be."""

from pathlib import Path
from textwrap import dedent

import pytest
from marked import Fault, check, named

FAULTS = [
    Fault(
        "E0302", named("a: {op: Dropout(n / 9), repeat: {«n»: 3}}", more="params: {n: 1}\n"), "turn"
    ),
    Fault("E0302", named("a: ReLU()", "b: {op: Dropout(a / 9), repeat: {«a»: 3}}"), "turn"),
    Fault("E0215", named("a: {op: ReLU(), repeat: {«self»: 3}}"), "another name"),
    Fault("E0203", named("a: {op: ReLU(), repeat: «{i: 3, j: 2}»}"), ""),
    Fault("E0203", named("a: {op: ReLU(), repeat: «{}»}"), ""),
    Fault("E0301", named("a: {op: Dropout(i / 9), repeat: {i: 3}}", "b: Dropout(«i» / 9)"), ""),
    Fault("E0218", named("a: {op: Dropout(i / 9), repeat: {i: «0»}}"), "`repeat: 1` is the least"),
    Fault("E0218", named("a: {op: ReLU(), repeat: «10001»}"), "repeat less"),
    Fault("E0214", named("a: {op: ReLU()(m), for: {m: reversed(«image»)}}"), "a list of rows"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


def test_what_follows_from_a_loop_that_failed_is_not_reported(tmp_path: Path) -> None:
    pyramid = """\
        modules:
          Pyramid:
            layers:
              c: Conv2d(_, 8, 3, padding=1)
              d: Conv2d(_, 8, 3, padding=1)
              maps: [c, d]
              merged: {for: {m: maps}, op: "Add()(m, «merged[-1]»)"}
              smooth: {for: {m: reversed(merged)}, op: ReLU()(m)}
        """
    text = named("p: Pyramid()", "out: ReLU()(p[1])", more=dedent(pyramid))
    check(tmp_path, Fault("E0214", text, "the values"))
