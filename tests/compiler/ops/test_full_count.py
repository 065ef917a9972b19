"""The committed count of calls compared with torch speaks of the ops as they are."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
RESULT = ROOT / "benchmarks/results/ops_against_torch.json"


def _covered() -> str:
    spec = importlib.util.spec_from_file_location(
        "counting", ROOT / "benchmarks/ops_against_torch.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.covered()


def _result() -> dict[str, Any]:
    return json.loads(RESULT.read_text())


def test_the_count_is_of_these_ops() -> None:
    """An op that changed has to be counted again."""
    assert _result()["covers"] == _covered(), "run `make full` and commit its result"


def test_nothing_disagreed() -> None:
    """20,000 calls, a hundred legal and fifty illegal for each op, and torch agrees on all."""
    result = _result()
    assert result["disagreements"] == 0
    assert result["legal"] + result["illegal"] >= 20_000
    for name, row in result["table"].items():
        assert row["legal"] >= 100, name
        assert row["illegal"] >= 50, name
