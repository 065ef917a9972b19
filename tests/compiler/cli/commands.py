"""Run the command line in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from specc.cli import main

if TYPE_CHECKING:
    import pytest

GOOD = """\
specc: 1
name: net
inputs: {image: [N, 3, 32, 32]}
params: {width: 8}
variants: {big: {width: 16}}
layers:
  - Conv2d(3, width, 3)
  - ReLU() -> 30
"""
BAD = GOOD.replace("Conv2d", "Conv2D")
ADVISED = GOOD.replace("width, 3", "8, 3")


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


def specc(capsys: pytest.CaptureFixture[str], *arguments: object) -> Done:
    """Run `specc` with some arguments."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return Done(code, printed.out, printed.err)
