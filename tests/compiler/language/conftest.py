"""Specs from text."""

from __future__ import annotations

from textwrap import dedent

import pytest


@pytest.fixture
def spec(tmp_path):
    """Write a spec file below the lines that all of them begin with; return its path."""

    def write(text: str, name: str = "tried"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"specc: 1\nname: {name}\n{dedent(text)}", encoding="utf-8")
        return path

    return write
