"""The pages of `specc explain`: their examples fail, and are mended, as they say.

A page's first fence is a spec, the shell commands that make one, a file of Darknet, a recipe, or a
command that takes one. To write the output of all examples into the pages after a change of wording:

    python tests/compiler/diagnostics/test_explain_pages.py --update
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import specc
from specc.documents import CODES, Diagnostic, Findings, render_text
from specc.importing import import_darknet
from specc_runtime import recipe

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(specc.__file__).parent / "explain"
FENCE = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A fence: a spec or the commands that make one, and the variant to compile."""

    kind: str
    variant: str | None
    text: str

    def findings(self) -> list[Diagnostic]:
        """Compile the example as `spec.yaml` of the current folder, or import it."""
        if self.kind == "cfg":
            return self._found(import_darknet, "net.cfg")
        if self.kind == "recipe":
            return self._found(lambda name: recipe.read(Path(name)), "recipe.yaml")
        if self.kind == "console":
            return self._found(recipe.find, re.findall(r"--recipe (\S+)", self.text)[0])
        if self.kind == "sh":
            subprocess.run(["sh", "-c", self.text], check=True)
        else:
            Path("spec.yaml").write_text(self.text, encoding="utf-8")
        try:
            return specc.compile("spec.yaml", variant=self.variant).diagnostics
        except Findings as stopped:
            return stopped.diagnostics

    def _found(self, read: Callable[[str], object], name: str) -> list[Diagnostic]:
        """Read the example, written to a file of this name if it is one."""
        if Path(name).suffix:
            Path(name).write_text(self.text, encoding="utf-8")
        try:
            read(name)
        except Findings as stopped:
            return stopped.diagnostics
        return []


def fences(code: str) -> list[Example]:
    """Return the fences of a page."""
    text = (FOLDER / f"{code}.md").read_text(encoding="utf-8")
    return [Example(kind, variant or None, body) for kind, variant, body in FENCE.findall(text)]


def test_every_code_has_a_page() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_page(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    title = (FOLDER / f"{code}.md").read_text(encoding="utf-8").split("\n", 1)[0]
    assert title == f"# {code}: {CODES[code]}"
    failing, output, *_, mended = fences(code)
    assert output.kind == "text"
    monkeypatch.chdir(tmp_path)
    found = failing.findings()
    assert {diagnostic.code for diagnostic in found} == {code}
    assert render_text(found) == output.text, f"accept it: python {__file__} --update"
    (tmp_path / "mended").mkdir()
    monkeypatch.chdir(tmp_path / "mended")
    assert mended.findings() == []


def update() -> None:
    """Write the output of each example into its page."""
    for code in CODES:
        failing, output, *_ = fences(code)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            shown = render_text(failing.findings())
        path = FOLDER / f"{code}.md"
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace(f"```text\n{output.text}```", f"```text\n{shown}```", 1), encoding="utf-8"
        )


if __name__ == "__main__" and "--update" in sys.argv:
    update()
