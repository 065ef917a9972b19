"""What becomes of a spec."""

from pathlib import Path

import specc
from specc.documents import Diagnostic, Findings


def outcome(spec: Path) -> tuple[list[Diagnostic], str]:
    """Compile a spec: what is found in it, and the module, which is empty if there are errors."""
    try:
        model = specc.compile(spec)
    except Findings as stopped:
        return stopped.diagnostics, ""
    return model.diagnostics, model.source if model.ok else ""
