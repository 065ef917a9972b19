"""How long the compiler takes, as whole processes, against `python -c "import torch"`.

    python benchmarks/compile.py --pairs 20 --out benchmarks/results/compile.json

SSD300 is built and checked, EfficientDet-D7 built; a chain of more and more layers shows how time and memory grow.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pairs import ROOT, alternate, report, summary

SPEC = "specs/ssd300_vgg.yaml"
LARGE = "specs/efficientdet.yaml:d7"
IMPORT_TORCH = [sys.executable, "-c", "import torch"]
SPECC = [sys.executable, "-m", "specc"]
ROWS = (1_000, 3_000, 10_000, 30_000)


@dataclass(frozen=True)
class Process:
    """What a process took: seconds on the clock and of the processor, megabytes at its peak."""

    wall: float
    cpu: float
    memory: float


def run(command: list[str]) -> Process:
    """Run a command to its end; its output is thrown away."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return Process(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def against_torch(command: list[str], pairs: int) -> dict[str, object]:
    """Return what a command takes, and its ratio to importing torch."""
    runs = alternate(partial(run, command), partial(run, IMPORT_TORCH), pairs)
    return {
        "seconds": summary([ours.wall for ours, _ in runs]),
        "import_torch_seconds": summary([torch.wall for _, torch in runs]),
        "ratio": summary([ours.wall / torch.wall for ours, torch in runs]),
        "ratio_of_processor_time": summary([ours.cpu / torch.cpu for ours, torch in runs]),
        "megabytes": round(max(ours.memory for ours, _ in runs)),
    }


def chain(rows: int) -> str:
    """Write a spec of so many rows, each with the shape that it should give."""
    pair = [
        "  - Conv2d(8, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)) -> [8, 64, 64]",
        "  - ReLU(inplace=True) -> 64",
    ]
    head = ["specc: 1", "name: chain", "inputs: {images: [N, 8, 64, 64]}", "layers:"]
    return "\n".join([*head, *pair * (rows // 2), ""])


def growth(pairs: int, folder: Path) -> dict[str, object]:
    """Build chains of more and more rows."""
    found: dict[str, object] = {}
    relative: dict[int, float] = {}
    for rows in ROWS:
        path = folder / f"chain{rows}.yaml"
        path.write_text(chain(rows), encoding="utf-8")
        figures = against_torch([*SPECC, "build", str(path), "-o", str(folder)], pairs)
        found[f"{rows} rows"] = figures
        relative[rows] = figures["ratio_of_processor_time"]["median"]
    first, last = ROWS[1], ROWS[-1]
    exponent = math.log(relative[last] / relative[first]) / math.log(last / first)
    return {**found, "exponent_from_3000_to_30000_rows": round(exponent, 3)}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=20, help="pairs of runs for SSD300")
    parser.add_argument("--growth-pairs", type=int, default=5, help="pairs of runs for each chain")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "build": against_torch([*SPECC, "build", SPEC, "-o", folder], options.pairs),
            "build_efficientdet_d7": against_torch(
                [*SPECC, "build", LARGE, "-o", folder], options.growth_pairs
            ),
            "check_shapes": against_torch([*SPECC, "check-shapes", SPEC], options.pairs),
            "chain": growth(options.growth_pairs, Path(folder)),
        }
    report(figures, options.out)


if __name__ == "__main__":
    main()
