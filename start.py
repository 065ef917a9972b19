#!/usr/bin/env python3
"""Try or test specc on a machine that has Python 3.11 or later, and nothing else.

    python3 start.py demo    compile SSD300; train a light SSD on drawn shapes, and score it
    python3 start.py test    run the tests; what follows goes to pytest

The first run makes a virtual environment in `.venv`, or in the folder that SPECC_VENV names, and
installs the project there with pip; a later one installs again only after pyproject.toml changed.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("SPECC_VENV") or ROOT / ".venv").absolute()
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
OUT = Path("runs/demo")

LEAST = (3, 11)
EXTRAS = {"demo": "train,draw", "test": "test"}

MOST_UNTRAINED = 0.05
LEAST_TRAINED = 0.80
IMAGES = 1000
RECIPE = (
    "epochs=14",
    "batch=8",
    "optimizer=adamw",
    "lr=0.002",
    "weight_decay=0.01",
    "schedule=cosine",
    "warmup_steps=50",
    "ema=0.99",
    "precision=fp32",
    "workers=1",
    "augmentation=gentle",
    "distort_colours=false",
    "evaluate_every=7",
)


def main() -> int:
    """Install what the command needs, and run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=EXTRAS)
    options, rest = parser.parse_known_args()
    if rest and options.command != "test":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    if sys.version_info < LEAST:
        parser.error(f"specc needs Python {'.'.join(map(str, LEAST))}, this is {sys.version}")
    os.chdir(ROOT)
    try:
        install(EXTRAS[options.command])
        return demo() if options.command == "demo" else test(rest)
    except subprocess.CalledProcessError as error:
        print(f"\nstart.py: `{' '.join(map(str, error.cmd))}` failed", file=sys.stderr)
        return 1


def install(extras: str) -> None:
    """Bring the project into the virtual environment, unless it is there as pyproject.toml wants it."""
    stamp = VENV / f"specc-{extras.replace(',', '-')}.sha256"
    wanted = hashlib.sha256(Path("pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    if not (VENV / "pyvenv.cfg").is_file():
        print(f"Making a virtual environment in {VENV}", flush=True)
        venv.create(VENV, with_pip=True)
    print(f"Installing specc[{extras}], which the first time takes some minutes", flush=True)
    pip = [BIN / "python", "-m", "pip", "install", "--disable-pip-version-check"]
    subprocess.run([*pip, "-e", f".[{extras}]"], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def test(arguments: list[str]) -> int:
    """Run pytest, a process for each core and in each a thread, so that they leave each other room."""
    command = [BIN / "python", "-m", "pytest", "-n", "auto", "--dist", "loadfile", *arguments]
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, check=False, env=settings).returncode


def demo() -> int:
    """Compile, check and draw SSD300; train, score and use a light SSD."""
    began = time.monotonic()
    model, data, run = OUT / "ssd_light.py", OUT / "data", OUT / "run"
    clear(OUT)
    say("Compile SSD300's table, and check every shape in it")
    specc("build", "specs/ssd300_vgg.yaml", "specs/ssd_light.yaml", "-o", OUT)
    specc("check-shapes", "specs/ssd300_vgg.yaml")
    specc("viz", "specs/ssd300_vgg.yaml", "-o", OUT / "ssd300_vgg.svg")

    say(f"Draw {IMAGES} pictures of shapes, and train a light SSD on them")
    specc("synth", data, "--images", IMAGES)
    untrained = score(model, data)
    specc("train", model, "--data", data, "-o", run, *RECIPE)
    trained = score(model, data, "--weights", run / "best.safetensors")

    say("Find the shapes on pictures it has not seen")
    pictures = sorted((data / "JPEGImages").glob("test_*.jpg"))[:8]
    weights = ("--weights", run / "best.safetensors")
    specc("predict", model, *pictures, *weights, "-o", OUT / "found")

    is_reached = untrained < MOST_UNTRAINED and trained >= LEAST_TRAINED
    took = time.monotonic() - began
    say("Reached" if is_reached else "Not reached")
    print(f"mAP at IoU 0.5 on the test split: {untrained:.3f} untrained, {trained:.3f} trained")
    print(f"asked for:                        < {MOST_UNTRAINED} and >= {LEAST_TRAINED}")
    print(f"graph of SSD300                   {OUT / 'ssd300_vgg.svg'}")
    print(f"its PyTorch module                {OUT / 'ssd300_vgg.py'}")
    print(f"detections                        {OUT / 'found'}")
    print(f"{took / 60:.1f} minutes")
    return 0 if is_reached else 1


def specc(*arguments: object) -> None:
    """Run the `specc` command."""
    command = ["specc", *map(str, arguments)]
    print(f"\n$ {' '.join(command)}", flush=True)
    subprocess.run([BIN / command[0], *command[1:]], check=True)


def score(model: Path, data: Path, *weights: object) -> float:
    """Score a detector on the test split: the mean average precision at IoU 0.5."""
    arguments = ["eval", model, "--data", data, "--split", "test", *weights]
    command = ["specc", *map(str, arguments), "--workers", "1", "--json"]
    print(f"\n$ {' '.join(command)}", flush=True)
    done = subprocess.run(
        [BIN / command[0], *command[1:]], check=True, stdout=subprocess.PIPE, text=True
    )
    found = float(json.loads(done.stdout)["map50"])
    print(f"map50 {found:.4f}", flush=True)
    return found


def clear(folder: Path) -> None:
    """Take away what an earlier demo left."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def say(title: str) -> None:
    """Begin a part of the demo."""
    print(f"\n== {title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
