"""What the benchmarks share: two ways compared in turn, the setting that figures depend on, a report."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from specc_runtime.bench.pairs import alternate, summary

__all__ = ["ROOT", "alternate", "report", "setting", "summary"]

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch", "torchvision", "networkx", "pyyaml", "jinja2", "jsonschema")


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
