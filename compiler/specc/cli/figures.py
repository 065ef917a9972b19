"""A model's figures, as data for programs and as text for tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from specc.documents import render_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from specc.documents import Diagnostic, Findings
    from specc.driver import Model
    from specc.passes.cost import Field
    from specc.values.dimensions import Shape

__all__ = [
    "count_text",
    "field_text",
    "findings_data",
    "head",
    "shape_data",
    "totals",
    "unreadable",
]


def head(model: Model) -> dict[str, Any]:
    """Return what every report of a model begins with."""
    return {"version": 1, "name": model.name, "spec": model.path, "ok": model.ok}


def unreadable(path: str, findings: Findings) -> dict[str, Any]:
    """Return the report of a spec that could not be read at all."""
    found = findings_data(findings.diagnostics)
    return {"version": 1, "spec": path, "ok": False, "diagnostics": found}


def totals(model: Model) -> dict[str, int | None]:
    """Return the figures of the whole model; `None` for one that it has not."""
    return {"parameters": model.parameters, "macs": model.macs, "boxes": model.boxes}


def findings_data(diagnostics: Iterable[Diagnostic]) -> list[Any]:
    """Return diagnostics as data."""
    return json.loads(render_json(diagnostics))["diagnostics"]


def shape_data(shape: Shape | None) -> list[int | str] | None:
    """Return a shape with symbolic sizes as text."""
    if shape is None:
        return None
    return [int(side) if isinstance(side, int) else str(side) for side in shape]


def field_text(field: Field) -> str:
    """Write a receptive field: `92`, or `92x46` where its sides differ."""
    height, width = field.size
    return str(height) if height == width else f"{height}x{width}"


def count_text(count: int | None) -> str:
    """Write a figure; nothing for one of zero, or that is not known."""
    return f"{count:,}" if count else ""
