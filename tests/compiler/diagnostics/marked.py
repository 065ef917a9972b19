"""Specs with a marked fault: what stands between « and » is what the finding has to point at."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import specc
from specc.documents import Diagnostic, Findings, render_json, render_text

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "specc: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\n"
LONGEST = 20.0
"""Seconds of the processor: far beyond what is needed, so that only what does not end is told."""


@dataclass(frozen=True)
class Fault:
    """A spec, the one finding in it, and words that its help holds."""

    code: str
    text: str
    help: str

    def __str__(self) -> str:
        lines = self.text.removeprefix(HEAD).splitlines()
        marked = next((line for line in lines if "«" in line), self.code)
        return f"{self.code} {marked.strip()[:50]}"


def rows(*calls: str, more: str = "") -> str:
    """Return a spec of a list of rows."""
    return HEAD + "layers:\n" + "".join(f"  - {call}\n" for call in calls) + more


def named(*calls: str, more: str = "") -> str:
    """Return a spec of a mapping of rows."""
    return HEAD + "layers:\n" + "".join(f"  {call}\n" for call in calls) + more


def findings(folder: Path, text: str, **params: object) -> list[Diagnostic]:
    """Compile a text, and check that whatever is found can be shown and points into it."""
    path = folder / "spec.yaml"
    path.write_bytes(text.encode())
    start = time.process_time()
    try:
        model = specc.compile(path, **params)
        found = model.diagnostics
        if model.ok:
            compile(model.source, "emitted", "exec")
    except Findings as stopped:
        found = stopped.diagnostics
    assert time.process_time() - start < LONGEST
    assert render_text(found)
    assert render_json(found)
    for diagnostic in found:
        assert diagnostic.labels
        for label in diagnostic.labels:
            assert 0 <= label.span.start <= label.span.end <= len(label.span.source.text)
    return found


def check(folder: Path, fault: Fault, **params: object) -> Diagnostic:
    """Compile a fault: one finding, of its code, at the mark, with its help."""
    before, _, rest = fault.text.partition("«")
    marked, _, after = rest.partition("»")
    found = findings(folder, before + marked + after, **params)
    assert [diagnostic.code for diagnostic in found] == [fault.code], render_text(found)
    (diagnostic,) = found
    span = diagnostic.labels[0].span
    place = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    assert (span.line, span.column) == place, render_text(found)
    assert span.text == marked, render_text(found)
    assert fault.help in (diagnostic.help or ""), render_text(found)
    return diagnostic
