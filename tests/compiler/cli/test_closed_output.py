"""Output that nobody takes ends a command without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHORT, LONG = ["ops", "Conv2d"], ["ops"]
WRONG = ["check-shapes", "bad.yaml"]
FULL = Path("/dev/full")


def run(arguments: list[str], output: object) -> tuple[int, str]:
    """Run `specc` with some output; return its exit code and what it says of it."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "specc", *arguments]
    done = subprocess.run(
        command, stdout=output, stderr=subprocess.PIPE, env=environment, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [SHORT, LONG], ids=len)
def test_a_reader_that_has_gone(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert run(arguments, writing) == (0, "")
    os.close(writing)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("arguments", [SHORT, LONG, WRONG], ids=" ".join)
def test_a_full_disk(arguments: list[str]) -> None:
    with FULL.open("w") as output:
        code, said = run(arguments, output)
    assert code == 2
    assert said.startswith("specc: ") and "No space left" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(("arguments", "code"), [(SHORT, 0), (WRONG, 1)])
def test_no_output_at_all(arguments: list[str], code: int) -> None:
    shell = f'exec "$0" -m specc {" ".join(arguments)} >&-'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
