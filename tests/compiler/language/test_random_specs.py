"""Any small spec that is right compiles, runs, and is what was inferred."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agreement import agree, agree_on_beginnings, compiled
from hypothesis import HealthCheck, given, settings
from random_specs import specs

ROOT = Path(__file__).parents[3]
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MANY
@given(text=specs())
def test_what_is_emitted_is_what_was_inferred(text, tmp_path):
    path = tmp_path / "drawn.yaml"
    path.write_text(text, encoding="utf-8")
    agree(path)
    agree_on_beginnings(path)


@settings(MANY, max_examples=25)
@given(text=specs())
def test_what_is_emitted_is_formatted(text, tmp_path):
    path = tmp_path / "drawn.yaml"
    path.write_text(text, encoding="utf-8")
    source = compiled(path).source
    rules = ["--config", str(ROOT / "generated/ruff.toml"), "--stdin-filename", "drawn.py", "-"]
    for command in (["format", "--diff"], ["check", "--quiet"]):
        ruff = [str(Path(sys.executable).with_name("ruff")), *command, *rules]
        done = subprocess.run(ruff, input=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{source}"
