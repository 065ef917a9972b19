"""Compare each variant of the zoo's backbones with its reference: those that the tests leave out.

    python benchmarks/variants.py --out benchmarks/results/variants.json

The comparisons are the tests that are marked `full`. What is written says which of them passed, and
which specs and which compiler they speak of.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import pytest
from pairs import ROOT, setting

SPECS = ("efficientnet", "fpn_resnet", "resnet")


def covered() -> str:
    """Return a fingerprint of the specs that the comparisons speak of."""
    sources = [ROOT / f"specs/{name}.yaml" for name in SPECS]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


class Outcomes:
    """What came of each test."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a test's own part, or of a setup that failed."""
        if report.when == "call" or report.failed:
            self.of[report.nodeid] = report.outcome


def main() -> int:
    """Run the comparisons and write their outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    outcomes = Outcomes()
    code = pytest.main(["-m", "full", "--rootdir", str(ROOT), str(ROOT / "tests")], [outcomes])
    if options.out:
        result = {**setting(), "covers": covered(), "outcomes": outcomes.of}
        options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
