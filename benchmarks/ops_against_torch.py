"""Draw calls of every op and count how often specc and torch disagree.

    PYTHONPATH=compiler python benchmarks/ops_against_torch.py --draws 500 --out benchmarks/results/ops_against_torch.json

For a legal call, torch must give the same shape, the same state dict and the same multiply-adds,
and for maps the shape inferred from named sides must come to the same; for an illegal one, torch
must refuse as well, but for the documented list. Two draws in three are legal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import random
import subprocess
import sys
from datetime import date
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests/compiler/ops"))

import torch
from op_judge import Row, judge, table

from specc.ops import OPS


def covered() -> str:
    """Return a fingerprint of the sources that the count speaks of: the ops and their sizes."""
    compiler = Path(__file__).parents[1] / "compiler/specc"
    sources = [*sorted(compiler.glob("ops/*.py")), compiler / "values/dimensions.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def commit() -> str:
    """Return the commit that the sources stand at, with a `+` if they were changed since."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def report(rows: dict[str, Row], seed: int) -> dict[str, object]:
    """Return the table as data, with what it was made by."""
    return {
        "date": date.today().isoformat(),
        "commit": commit(),
        "covers": covered(),
        "seed": seed,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "ops": len(rows),
        "legal": sum(row.legal for row in rows.values()),
        "illegal": sum(row.illegal for row in rows.values()),
        "documented": sum(row.documented.total() for row in rows.values()),
        "disagreements": sum(len(row.disagreements) for row in rows.values()),
        "table": {
            name: {
                "legal": row.legal,
                "illegal": row.illegal,
                "documented": dict(sorted(row.documented.items())),
                "disagreements": row.disagreements,
            }
            for name, row in rows.items()
        },
    }


def main() -> None:
    """Draw, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500, help="draws an op")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    illegal = options.draws // 3
    legal = options.draws - illegal
    rows = {
        name: judge(op, random.Random(f"{options.seed} {name}"), legal=legal, illegal=illegal)
        for name, op in OPS.items()
    }
    print(f"seed {options.seed}", table(rows), sep="\n")
    if options.out:
        options.out.write_text(json.dumps(report(rows, options.seed), indent=2) + "\n")


if __name__ == "__main__":
    main()
