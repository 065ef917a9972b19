"""Positioned, safe YAML, and diagnostics that point into it.

`load` reads a file into nodes that know their place; whatever it finds wrong comes as one
`Findings`, for `render_text`, `render_json` or `render_sarif` to show. A phase of its own collects
into a `Report`.
"""

from specc.documents.characters import is_markup, mend, quoted, unusual
from specc.documents.codes import CODES
from specc.documents.diagnostics import Diagnostic, Findings, Label, Report
from specc.documents.excerpt import display_width
from specc.documents.nodes import Mapping, Node, Scalar, Sequence, Value, plain
from specc.documents.reader import read
from specc.documents.render import render_json, render_text
from specc.documents.sarif import render_sarif
from specc.documents.source import Source, Span
from specc.documents.suggest import did_you_mean, suggest
from specc.documents.yaml import load, parse

__all__ = [
    "CODES",
    "Diagnostic",
    "Findings",
    "Label",
    "Mapping",
    "Node",
    "Report",
    "Scalar",
    "Sequence",
    "Source",
    "Span",
    "Value",
    "did_you_mean",
    "display_width",
    "is_markup",
    "load",
    "mend",
    "parse",
    "plain",
    "quoted",
    "read",
    "render_json",
    "render_sarif",
    "render_text",
    "suggest",
    "unusual",
]
