"""Train the light SSD on BCCD's blood cells, three seeds, and score each once on the test split.

    python benchmarks/bccd.py --data BCCD_Dataset/BCCD --out benchmarks/results/bccd_ssd_light.json

The weights scored are those that were best on the val split. Runs that are there already are
scored as they are; beside the JSON goes a sheet of pictures with what the first seed found.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import torch

from specc_runtime.drawing import contact_sheet, save_image

MODEL = "generated/ssd_light.py"
RECIPE = (
    "epochs=40",
    "batch=8",
    "optimizer=adamw",
    "lr=0.002",
    "weight_decay=0.01",
    "schedule=cosine",
    "warmup_steps=50",
    "ema=0.995",
    "precision=fp32",
    "workers=1",
    "augmentation=gentle",
    "distort_colours=false",
    "evaluate_every=5",
    "log_every=125",
)
SEEDS = (0, 1, 2)
SHOWN = 12


def main() -> None:
    """Train what is missing, score, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the runs are kept")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = [_seed(seed, options.data, options.runs / f"bccd_{seed}") for seed in SEEDS]
    scores = [result["map50"] for result in results]
    report = {
        "model": MODEL,
        "metric": "area AP at IoU 0.5 on the test split, mean over the classes",
        "map50": statistics.mean(scores),
        "spread": [min(scores), max(scores)],
        "seeds": results,
        "recipe": list(RECIPE),
        "command": f"python benchmarks/bccd.py --data BCCD_Dataset/BCCD --out {options.out}",
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, no GPU",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _sheet(options.data, options.runs / f"bccd_{SEEDS[0]}", options.out.with_suffix(".jpg"))
    print(f"mAP {report['map50']:.4f}, {min(scores):.4f} to {max(scores):.4f}: {options.out}")


def _seed(seed: int, data: Path, run: Path) -> dict[str, object]:
    """Train one seed unless its run is there, and score it on the test split."""
    clock = run / "seconds.txt"
    if not clock.is_file():
        began = time.monotonic()
        _specc("train", MODEL, "--data", data, "-o", run, *RECIPE, f"seed={seed}")
        clock.write_text(f"{time.monotonic() - began:.0f}\n", encoding="utf-8")
    best = run / "best.safetensors"
    scored = _specc("eval", MODEL, "--data", data, "--split", "test", "--weights", best, "--json")
    found = json.loads(scored)
    return {
        "seed": seed,
        "map50": found["map50"],
        "per_class": found["per_class"],
        "images": found["images"],
        "best_on_val": max(_validations(run)),
        "minutes": round(float(clock.read_text(encoding="utf-8")) / 60, 1),
    }


def _validations(run: Path) -> list[float]:
    """Return the scores on the val split, in the order of the epochs."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [record["map50"] for record in records if record["kind"] == "validation"]


def _sheet(data: Path, run: Path, out: Path) -> None:
    """Draw what was found on the first pictures of the test split."""
    names = (data / "ImageSets/Main/test.txt").read_text(encoding="utf-8").split()[:SHOWN]
    pictures = [data / "JPEGImages" / f"{name}.jpg" for name in names]
    folder = run / "found"
    weights = run / "best.safetensors"
    _specc("predict", MODEL, *pictures, "--weights", weights, "-o", folder)
    drawn = [cv2.imread(str(path)) for path in sorted(folder.glob("*.jpg"))]
    halves = [cv2.cvtColor(cv2.resize(i, None, fx=0.6, fy=0.6), cv2.COLOR_BGR2RGB) for i in drawn]
    save_image(out, contact_sheet(halves, 4))


def _specc(*arguments: object) -> str:
    command = [sys.executable, "-m", "specc_runtime", *map(str, arguments)]
    shown = None if arguments[0] == "train" else subprocess.PIPE
    return subprocess.run(command, check=True, stdout=shown, text=True).stdout or ""


def _commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
