"""What a run asks of the machine that it is on."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from specc_runtime.device import can_compile

ROOT = Path(__file__).parents[2]
PATHS = [str(ROOT / folder) for folder in ("compiler", "runtime")]
FILLED = """
import resource, torch
from specc_runtime.device import choose

def pages_cleared(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        torch.ones(64 * 2**20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

choose()
pages_cleared(20)
assert pages_cleared(4) < 64 * 2**20 / resource.getpagesize()
"""
"""How many pages the kernel has to give for tensors that are filled and forgotten."""


def alone(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
@pytest.mark.skipif(torch.cuda.is_available(), reason="PyTorch itself keeps a GPU's memory")
def test_memory_that_a_step_frees_is_there_for_the_next():
    process = alone(FILLED)
    assert process.returncode == 0, process.stderr


def test_auto_compiles_on_a_gpu_with_a_c_compiler(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert can_compile("auto", torch.device("cuda")) == (True, "")
    assert can_compile("auto", torch.device("cpu")) == (False, "")
    monkeypatch.setattr("shutil.which", lambda name: None)
    compiled, why_not = can_compile("auto", torch.device("cuda"))
    assert not compiled
    assert "needs a C compiler" in why_not
    assert can_compile("always", torch.device("cuda")) == (True, "")


def test_a_package_that_is_missing_is_named():
    process = alone(
        "import runpy, sys; sys.modules['cv2'] = None; runpy.run_module('specc_runtime')"
    )
    assert process.returncode == 1
    assert process.stderr.startswith("error: there is no cv2 here")
