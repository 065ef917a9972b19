"""Each case is a folder: a spec, the module that it must become, and what must be found in it."""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path

import pytest
from outcome import outcome

from specc.documents import render_text

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/spec.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_spec_becomes_what_its_folder_holds(case, monkeypatch):
    monkeypatch.chdir(HERE)
    found, source = outcome(Path(case, "spec.yaml"))
    _compare(Path(case, "model.py"), source)
    _compare(Path(case, "output.txt"), render_text(found) if found else "")


def _compare(golden: Path, made: str) -> None:
    """Compare with a golden file, which is there only if it holds something."""
    if os.environ.get("SPECC_ACCEPT"):
        golden.unlink(missing_ok=True)
        if made:
            golden.write_text(made, encoding="utf-8")
    known = golden.read_text(encoding="utf-8") if golden.exists() else ""
    changes = unified_diff(known.splitlines(), made.splitlines(), str(golden), "made")
    message = "\n".join([*changes, "SPECC_ACCEPT=1 python -m pytest tests/cases   # takes it over"])
    assert known == made, message
