"""A folder with specs, in which each test runs."""

from pathlib import Path

import pytest
from commands import ADVISED, BAD, GOOD


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a spec that is good, one with an error, and one with a warning."""
    for name, text in {"good": GOOD, "bad": BAD, "advised": ADVISED}.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
