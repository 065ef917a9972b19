"""Diagnostics as SARIF 2.1.0, for code scanning and editors (OASIS, sarif-v2.1.0)."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from specc.documents.codes import CODES
from specc.documents.diagnostics import Diagnostic, Label
from specc.documents.source import Span
from specc.documents.suggest import suggest

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_MEANT = re.compile(r"did you mean ([`'])(.+?)\1\?")
_FIGURE = re.compile(r"write (\d+), or")


def render_sarif(
    diagnostics: Iterable[Diagnostic], version: str, explain: Callable[[str], str]
) -> str:
    """The diagnostics as one run of specc.

    `explain` gives the Markdown page of a code, which becomes the help of its rule. A rule is
    listed where one of its findings is.
    """
    found = list(diagnostics)
    codes = sorted({diagnostic.code for diagnostic in found})
    rules = [_rule(code, explain(code)) for code in codes]
    run = {
        "tool": {"driver": {"name": "specc", "version": version, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, codes.index(diagnostic.code)) for diagnostic in found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(code: str, page: str) -> dict[str, object]:
    return {
        "id": code,
        "shortDescription": {"text": CODES[code]},
        "help": {"text": f"`specc explain {code}` tells more", "markdown": page},
        "defaultConfiguration": {"level": Diagnostic(code, "").severity},
    }


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, object]:
    first, *others = diagnostic.labels or (None,)
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": _message(diagnostic)},
    }
    if first is not None:
        result["locations"] = [{**_location(first), **_rows(diagnostic)}]
    if others:
        result["relatedLocations"] = [{"id": i, **_location(o)} for i, o in enumerate(others, 1)]
    edit = _edit(diagnostic)
    if first is not None and edit is not None:
        result["fixes"] = [_fix(first.span, edit)]
    return result


def _message(diagnostic: Diagnostic) -> str:
    lines = [diagnostic.message]
    lines += [f"{kind}: {text}" for kind, text in _remarks(diagnostic) if text]
    if diagnostic.more:
        lines.append(f"{diagnostic.more:,} more {diagnostic.code} not shown")
    return "\n".join(lines)


def _remarks(diagnostic: Diagnostic) -> tuple[tuple[str, str | None], ...]:
    return ("help", diagnostic.help), ("note", diagnostic.note)


def _location(label: Label) -> dict[str, object]:
    place: dict[str, object] = {"artifactLocation": _artifact(label.span)}
    if label.span.source.text:
        place["region"] = _region(label.span)
    message = {"message": {"text": label.text}} if label.text else {}
    return {"physicalLocation": place, **message}


def _rows(diagnostic: Diagnostic) -> dict[str, object]:
    """The model's rows that it is about: what the place is called in the model (3.28.4)."""
    rows = [{"fullyQualifiedName": path} for path in dict.fromkeys(diagnostic.rows)]
    return {"logicalLocations": rows} if rows else {}


def _artifact(span: Span) -> dict[str, str]:
    path = Path(span.source.path)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}


def _region(span: Span) -> dict[str, int]:
    end_line, end_column = span.source.position(span.end)
    start = {"startLine": span.line, "startColumn": span.column}
    return {**start, "endLine": end_line, "endColumn": end_column}


def _edit(diagnostic: Diagnostic) -> str | None:
    """What is to stand in the first place, where the help names that and nothing else.

    A word that is meant has to resemble the one that stands there: some diagnostics point at
    another place than the word that they speak of.
    """
    if not diagnostic.labels or not diagnostic.help:
        return None
    written = diagnostic.labels[0].span.text
    meant = _MEANT.fullmatch(diagnostic.help)
    if meant:
        bare = written.strip("'\"")
        return written.replace(bare, meant[2]) if bare and suggest(bare, [meant[2]]) else None
    figure = _FIGURE.match(diagnostic.help)
    return figure[1] if figure and written.isdigit() else None


def _fix(span: Span, text: str) -> dict[str, object]:
    replacement = {"deletedRegion": _region(span), "insertedContent": {"text": text}}
    change = {"artifactLocation": _artifact(span), "replacements": [replacement]}
    return {"description": {"text": f"write {text}"}, "artifactChanges": [change]}
