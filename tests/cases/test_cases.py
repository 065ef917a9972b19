"""Each case is a folder: a spec, and the module that it must become, to the byte."""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path

import pytest

import specc

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/spec.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_emitted_module_is_the_golden_one(case):
    model = specc.compile(case / "spec.yaml")
    golden = case / "model.py"
    if os.environ.get("SPECC_ACCEPT"):
        golden.write_text(model.source, encoding="utf-8")
    known = golden.read_text(encoding="utf-8") if golden.exists() else ""
    changes = unified_diff(known.splitlines(), model.source.splitlines(), str(golden), "emitted")
    message = "\n".join([*changes, "SPECC_ACCEPT=1 python -m pytest tests/cases   # takes it over"])
    assert known == model.source, message
