"""Names of turns that cannot be."""

from pathlib import Path

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
    Fault("E0218", named("a: {op: Dropout(i / 9), repeat: {i: «0»}}"), "repeat"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)
