"""The schema that editors read: the document's, with that of each op's arguments beside it."""

from __future__ import annotations

import json

from specc.detector import COMPONENTS
from specc.ops import INITIALIZERS, OPS
from specc.schema.calls import call_schema
from specc.schema.document import document_schema

__all__ = ["published_schema"]


def published_schema() -> str:
    """Return the published schema as JSON, the same at each call.

    A call is one text to YAML, so that no editor can check what stands inside it; the arguments
    of each op are under `$defs/ops` for tools that want them.
    """
    schema = document_schema()
    calls = {
        name: {"title": name, "description": _summary(declared.__doc__)} | call_schema(declared)
        for name, declared in sorted((OPS | COMPONENTS | INITIALIZERS).items())
    }
    schema["$defs"] = schema["$defs"] | {"ops": calls}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _summary(doc: str | None) -> str:
    return (doc or "").partition("\n")[0].replace("``", "`")
