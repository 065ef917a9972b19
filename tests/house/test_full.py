"""What takes too long for each run of the tests was done, with the ops and specs as they are."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OPS, VARIANTS = "ops_against_torch", "variants"


def _covered(script: str) -> str:
    sys.path.append(str(ROOT / "benchmarks"))
    return importlib.import_module(script).covered()


def _result(script: str) -> dict[str, Any]:
    return json.loads((ROOT / f"benchmarks/results/{script}.json").read_text())


def test_the_count_is_of_these_ops() -> None:
    """An op that changed has to be counted again."""
    assert _result(OPS)["covers"] == _covered(OPS), "run `make full` and commit its result"


def test_nothing_disagreed() -> None:
    """20,000 calls, a hundred legal and fifty illegal for each op, and torch agrees on all."""
    result = _result(OPS)
    assert result["disagreements"] == 0
    assert result["legal"] + result["illegal"] >= 20_000
    for name, row in result["table"].items():
        assert row["legal"] >= 100, name
        assert row["illegal"] >= 50, name


def test_the_variants_are_of_these_specs() -> None:
    """A backbone that changed has to be compared again, in all its variants."""
    assert _result(VARIANTS)["covers"] == _covered(VARIANTS), (
        "run `make full` and commit its result"
    )


def test_all_variants_agreed() -> None:
    """ResNet-34, 101, 152; B1 to B7 of both kinds; the pyramid on two: 17, and each passed."""
    outcomes = _result(VARIANTS)["outcomes"]
    assert len(outcomes) >= 17
    assert set(outcomes.values()) == {"passed"}
