"""Nodes built from a parser's events, without recursion and within limits."""

import re
from dataclasses import dataclass, field

import yaml

from specc.documents.characters import quoted
from specc.documents.diagnostics import Label, Report
from specc.documents.nodes import Mapping, Node, Scalar, Sequence
from specc.documents.scalars import disagreement, resolve
from specc.documents.source import Source, Span

DEEPEST = 40
MOST_NODES = 400_000

_TAG = re.compile(r"![^\s,\[\]{}]*")


@dataclass(slots=True)
class _Open:
    """A collection whose end is still to come; a mapping's keys and values alternate."""

    event: yaml.CollectionStartEvent
    children: list[Node] = field(default_factory=list[Node])


class Builder:
    """Turns events into nodes, and reports what it meets on the way.

    `root` is the document once all events are taken.
    """

    def __init__(self, source: Source) -> None:
        self.report = Report()
        self.root: Node | None = None
        self._source = source
        self._open: list[_Open] = []
        self._count = 0

    def take(self, event: yaml.Event) -> None:
        """Add what the parser met next."""
        if isinstance(event, yaml.NodeEvent):
            self._limit(event)
            self._refuse_reference(event)
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append(_Open(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(self._collection(self._open.pop(), event))
        elif isinstance(event, yaml.AliasEvent):
            span = self._span(event)
            self._add(Scalar(None, span, False, span))
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._fail(
                "E0115",
                "a second document starts here",
                self._span(event),
                "keep one document in a file: remove the `---`, or move the rest elsewhere",
            )

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node

    def _limit(self, event: yaml.NodeEvent) -> None:
        self._count += 1
        start: int = event.start_mark.index
        if self._count > MOST_NODES:
            message = f"the document has more than {MOST_NODES:,} nodes"
            self._fail("E0113", message, self._here(start, 1), "split the file")
        if isinstance(event, yaml.CollectionStartEvent) and len(self._open) >= DEEPEST:
            message = f"nested more than {DEEPEST} deep"
            self._fail("E0112", message, self._here(start, 1), "give the inner parts names")

    def _fail(self, code: str, message: str, span: Span, help: str) -> None:
        self.report.add(code, message, span, help=help)
        self.report.stop()

    def _refuse_reference(self, event: yaml.NodeEvent) -> None:
        start: int = event.start_mark.index
        if isinstance(event, yaml.AliasEvent):
            self.report.add(
                "E0110",
                f"an alias, {quoted('*' + event.anchor)}",
                self._span(event),
                help='write the value out; quote a list that holds `*name`, whole: "[*name]"',
            )
            return
        if event.anchor is not None:
            mark = f"&{event.anchor}"
            self.report.add(
                "E0110",
                f"an anchor, {quoted(mark)}",
                self._here(self._source.text.index(mark, start), len(mark)),
                help="remove it, or put the text in quotes",
            )
        tag: str | None = getattr(event, "tag", None)
        if tag is not None:
            found = _TAG.search(self._source.text, start)
            assert found is not None
            self.report.add(
                "E0111",
                f"a tag, {quoted(found.group())}",
                self._here(found.start(), len(found.group())),
                help="remove it, or put the text in quotes",
            )

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text: str = event.value
        span = self._span(event)
        if event.style in ("'", '"'):
            return Scalar(text, span, False, span.within(1, span.end - span.start - 1))
        if event.style in ("|", ">"):
            written = span.text.rstrip(" \t\r\n")
            header = len(written.partition("\n")[0])
            whole = span.within(0, len(written))
            return Scalar(text, whole, False, whole.within(header, len(written)))
        value = resolve(text) if event.tag is None else text
        found = disagreement(text, value)
        if found and event.tag is None:
            message, help = found
            self.report.add("E0114", message, span, "two readings", help=help)
        return Scalar(value, span, True, span)

    def _collection(self, opened: _Open, end: yaml.CollectionEndEvent) -> Node:
        children = opened.children
        last: int = end.end_mark.index
        if children and not opened.event.flow_style:
            last = children[-1].span.end
        span = Span(self._source, opened.event.start_mark.index, last)
        if isinstance(opened.event, yaml.SequenceStartEvent):
            return Sequence(children, span)
        return Mapping(self._entries(children), span)

    def _entries(self, children: list[Node]) -> list[tuple[Scalar, Node]]:
        """Pair keys with values; of a name that stands there twice, the first is kept."""
        entries: dict[str, tuple[Scalar, Node]] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar) or key.value is None:
                self._refuse_key(key)
            elif key.plain and key.value == "<<":
                self._refuse_merge(key)
            elif key.name in entries:
                self._refuse_duplicate(key, entries[key.name][0])
            else:
                entries[key.name] = key, value
        return list(entries.values())

    def _refuse_key(self, key: Node) -> None:
        self.report.add(
            "E0116",
            "a key must be a name" if isinstance(key, Scalar) else "a key cannot be a collection",
            key.span,
            "null" if isinstance(key, Scalar) else "",
            help="write `name: value`; put the text in quotes where it starts with a bracket",
        )

    def _refuse_merge(self, key: Scalar) -> None:
        help = "write the entries out"
        self.report.add("E0110", "a merge key, `<<`", key.span, help=help)

    def _refuse_duplicate(self, key: Scalar, first: Scalar) -> None:
        self.report.add(
            "E0109",
            f"the key {quoted(key.name)} stands here twice",
            key.span,
            "again",
            help="remove one of the two, or give it another name",
            also=[Label(first.span, "first")],
        )

    def _span(self, event: yaml.Event) -> Span:
        return Span(self._source, event.start_mark.index, event.end_mark.index)

    def _here(self, start: int, length: int) -> Span:
        return Span(self._source, start, start + length)
