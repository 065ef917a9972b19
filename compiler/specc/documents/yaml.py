"""YAML read into nodes that know their place, with all that a spec has no use for refused.

Limits hold while the parser runs, and the tree is built without recursion, so a hostile file
costs no more than a large one.
"""

import re
from os import PathLike

import yaml

from specc.documents.building import Builder
from specc.documents.characters import unprintable
from specc.documents.diagnostics import Report
from specc.documents.events import events
from specc.documents.nodes import Node, Scalar
from specc.documents.reader import read, refuse_character
from specc.documents.source import Source, Span
from specc.documents.syntax import explain

_TAG_DIRECTIVE = re.compile(r"^%TAG\b", re.MULTILINE)


def load(path: str | PathLike[str]) -> Node:
    """Read the YAML file at `path`. Raises `Findings`."""
    return parse(read(path))


def parse(source: Source) -> Node:
    """Read one YAML document by the rules of YAML 1.2's core schema. Raises `Findings`.

    All mistakes are reported at once, up to the first that leaves the rest unreadable.
    """
    builder = Builder(source)
    _refuse_unreadable(source, builder.report)
    try:
        for event in events(source.text):
            builder.take(event)
    except yaml.YAMLError as error:
        explain(error, source, builder.report)
    builder.report.stop()
    root = builder.root
    if root is None or (isinstance(root, Scalar) and root.plain and not root.content.text):
        builder.report.add(
            "E0106",
            "the document is empty",
            Span(source, 0, 0),
            help="write its keys, such as `name: value`",
        )
    builder.report.stop()
    assert root is not None
    return root


def _refuse_unreadable(source: Source, report: Report) -> None:
    offset = unprintable(source.text)
    if offset is not None:
        refuse_character(source, offset, report)
    # libyaml compares each %TAG with all before it, which takes minutes for a file full of them.
    directive = _TAG_DIRECTIVE.search(source.text)
    if directive:
        span = Span(source, directive.start(), directive.end())
        report.add("E0111", "a tag directive", span, help="remove the line: specs have no tags")
    report.stop()
