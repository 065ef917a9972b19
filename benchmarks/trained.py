"""Train a small member of a family on drawn shapes, and score it before and after on the test split.

    python benchmarks/trained.py ssd_light

The weights scored are those that were best on the val split. A run that is there already is scored
as it is. Beside the JSON go a sheet of pictures with what was found and the run's curves.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import torch

from specc_runtime import model
from specc_runtime.drawing import contact_sheet, save_image
from specc_runtime.report import svg

MEMBERS: dict[str, tuple[str, dict[str, object]]] = {  # the spec, and what its recipe has instead
    "ssd_light": ("specs/ssd_light.yaml", {"epochs": 8}),
    "retinanet_light": ("specs/retinanet_light.yaml", {"epochs": 24}),
    "efficientdet_light": (
        "specs/efficientdet.yaml:light",
        {
            "epochs": 24,
            "batch": 16,
            "lr": 0.012,
            "warmup_steps": 100,
            "evaluate_every": 3,
            "precision": "fp32",
        },
    ),
    "faster_rcnn_light": (
        "specs/faster_rcnn_light.yaml",
        {"epochs": 14, "batch": 16, "lr": 0.001, "log_every": 20},
    ),
    "yolov3_tiny_light": ("specs/yolov3_tiny.yaml:light", {"epochs": 16, "lr": 0.005}),
}
RECIPE = {
    "epochs": 10,
    "batch": 8,
    "optimizer": "adamw",
    "lr": 0.002,
    "weight_decay": 0.01,
    "clip_norm": 10,
    "schedule": "cosine",
    "warmup_steps": 50,
    "ema": 0.99,
    "workers": 0,
    "augmentation": "gentle",
    "distort_colours": "false",
    "evaluate_every": 2,
    "log_every": 50,
}
IMAGES = 2000
SHOWN = 12
STYLE = (
    "<style>text{font:11px sans-serif;fill:#555}.grid{stroke:#ddd}polyline{fill:none;stroke-width:2}"
    ".line-0{stroke:#0b64c4}.line-1{stroke:#c4450b}.line-2{stroke:#2a8a3e}.line-3{stroke:#8a2a86}</style>"
)


def main() -> None:
    """Train what is missing, score, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=MEMBERS)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where data and runs are")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/trained"))
    options = parser.parse_args()
    name, (spec, instead) = options.name, MEMBERS[options.name]
    recipe = RECIPE | instead
    data, run = options.runs / "shapes", options.runs / name
    if not data.is_dir():
        _specc("synth", data, "--images", IMAGES)
    settings = [f"{key}={value}" for key, value in recipe.items()]
    command = ["specc", "train", spec, "--data", data, "-o", run, *settings]
    seconds = _train(run, command)
    weights = run / "best.safetensors"
    untrained, trained = _score(spec, data), _score(spec, data, "--weights", weights)
    records = _records(run)
    report = {
        "spec": spec,
        "command": " ".join(map(str, command)),
        "metric": "area AP at IoU 0.5 on the test split, mean over the classes",
        "map50": trained["map50"],
        "untrained_map50": untrained["map50"],
        "per_class": trained["per_class"],
        "images": {split: _images(data, split) for split in ("train", "val", "test")},
        "epochs": recipe["epochs"],
        "seconds": seconds,
        "parameters": _parameters(run),
        "recipe": settings,
        "curve": [
            {"step": record["step"], "map50": record["map50"]} for record in records["validation"]
        ],
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _output("git", "rev-parse", "HEAD").strip(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, no GPU",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    result = options.out / f"{name}.json"
    result.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    result.with_suffix(".svg").write_text(_curves(records), encoding="utf-8")
    _sheet(spec, data, run, result.with_suffix(".jpg"))
    print(f"mAP {untrained['map50']:.4f} untrained, {trained['map50']:.4f} trained: {result}")


def _train(run: Path, command: list[object]) -> int:
    """Train unless the run is there; return how many seconds that took."""
    clock = run / "seconds.txt"
    if not clock.is_file():
        began = time.monotonic()
        subprocess.run([*map(str, command)], check=True)
        clock.write_text(f"{time.monotonic() - began:.0f}\n", encoding="utf-8")
    return int(clock.read_text(encoding="utf-8"))


def _images(data: Path, split: str) -> int:
    return len((data / f"ImageSets/Main/{split}.txt").read_text(encoding="utf-8").split())


def _score(spec: str, data: Path, *weights: object) -> dict[str, Any]:
    """Return the scores on the test split."""
    command = ["specc", "eval", spec, "--data", data, "--split", "test", *weights]
    found = _output(*command, "--workers", 0, "--json")
    return json.loads(found[found.index("{") :])


def _records(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what the run logged, by kind."""
    records: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        records.setdefault(record["kind"], []).append(record)
    return records


def _parameters(run: Path) -> int:
    """Return how many parameters the network has for the data's classes."""
    classes = json.loads((run / "run.json").read_text(encoding="utf-8"))["classes"]
    network = model.load(run / "model.py").build(len(classes)).network
    return sum(parameter.numel() for parameter in network.parameters())


def _curves(records: dict[str, list[dict[str, Any]]]) -> str:
    """Draw the loss in training and the score on the val split, side by side."""
    losses = [(record["step"], record["loss"]) for record in records["train"]]
    scores = [(record["step"], record["map50"]) for record in records["validation"]]
    left = _chart(svg.lines({"loss": losses}, "loss over steps"), 0)
    scored = svg.lines({"map50": scores}, "mAP at IoU 0.5 over steps", y_range=(0.0, 1.0))
    size = f'width="{2 * svg.WIDTH}" height="{svg.HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return f"{head}{STYLE}{left}{_chart(scored, svg.WIDTH)}</svg>\n"


def _chart(page: str, x: int) -> str:
    """Return a page's chart without its legend, to stand at x in another."""
    chart, end, _ = page.partition("</svg>")
    return chart.replace("<svg ", f'<svg x="{x}" ', 1) + end


def _sheet(spec: str, data: Path, run: Path, out: Path) -> None:
    """Draw what was found on the first pictures of the test split."""
    names = (data / "ImageSets/Main/test.txt").read_text(encoding="utf-8").split()[:SHOWN]
    pictures = [data / "JPEGImages" / f"{name}.jpg" for name in names]
    folder = run / "found"
    _specc("predict", spec, *pictures, "--weights", run / "best.safetensors", "-o", folder)
    drawn = [cv2.imread(str(folder / picture.name)) for picture in pictures]
    small = [cv2.resize(i, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA) for i in drawn]
    save_image(out, contact_sheet([cv2.cvtColor(i, cv2.COLOR_BGR2RGB) for i in small], 4))


def _specc(*arguments: object) -> None:
    subprocess.run(["specc", *map(str, arguments)], check=True)


def _output(*command: object) -> str:
    done = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


if __name__ == "__main__":
    main()
