"""Compare two ways of doing a thing: in turn, many times, on a machine that others may use too.

Neighbouring runs meet the same disturbance, so the ratio of each pair is what is summed up.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[1]
T = TypeVar("T")
PACKAGES = ("torch", "torchvision", "networkx", "pyyaml", "jinja2", "jsonschema")


def alternate(ours: Callable[[], T], theirs: Callable[[], T], pairs: int) -> list[tuple[T, T]]:
    """Run both in turn, after one run each to warm up; return what they measured, pair by pair.

    Who goes first changes from pair to pair.
    """
    ours(), theirs()
    measured: list[tuple[T, T]] = []
    for number in range(pairs):
        if number % 2:
            second, first = theirs(), ours()
        else:
            first, second = ours(), theirs()
        measured.append((first, second))
    return measured


def summary(values: list[float]) -> dict[str, float | list[float] | int]:
    """Return the median, and the interval that holds it with 95 %: a bootstrap of 10,000 draws."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(10_000))
    interval = [medians[250], medians[9749]]
    return {
        "median": round(statistics.median(values), 4),
        "interval_95": [round(value, 4) for value in interval],
        "runs": len(values),
    }


def setting() -> dict[str, object]:
    """Return what the figures depend on: machine, load, versions, commit, time."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--short") else ""),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(terse=True),
            "load": [round(load, 2) for load in os.getloadavg()],
        },
        "versions": {"python": platform.python_version(), **_versions()},
    }


def report(figures: dict[str, object], out: Path | None) -> None:
    """Print figures with their setting, and write them to a file."""
    text = json.dumps({**setting(), **figures}, indent=2)
    print(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
