"""YAML's syntax errors in plain words, with the edit that mends the commonest ones."""

from dataclasses import dataclass

import yaml

from specc.documents.characters import is_markup, mend, quoted, unusual
from specc.documents.diagnostics import Label, Report
from specc.documents.events import events
from specc.documents.source import Source, Span

_LONGEST_MENDED = 400


@dataclass(frozen=True)
class _Cause:
    """What libyaml and PyYAML say, and what it means.

    `at_opening` puts the caret where the construct starts, rather than where the parser gave up.
    """

    said: tuple[str, ...]
    message: str
    help: str
    at_opening: bool = False


_CAUSES = (
    _Cause(
        ("mapping values are not allowed",),
        "a `:` stands where no key can end",
        "put each key on a line of its own, in the column of its neighbours; "
        "quote a text that holds `: `",
    ),
    _Cause(
        ("unexpected end of stream",),
        "a quoted text is not closed",
        "add the closing quote; inside '...' an apostrophe is written ''",
        at_opening=True,
    ),
    _Cause(
        ("could not find expected ':'",),
        "a line without `:` among the keys of a mapping",
        "write `key: value`, or indent the line to continue the value above",
        at_opening=True,
    ),
    _Cause(
        ("expected ',' or ']'", "expected ',' or '}'"),
        "a bracket is not closed, or a comma is missing",
        "close the bracket, put commas between its items, "
        "and quote a text that holds brackets or `, `",
    ),
    _Cause(
        ("did not find expected '-' indicator",),
        "this does not belong to the list above it",
        "start each row with `- ` in the same column; "
        "put the whole text in quotes where it starts with a quote or a bracket",
    ),
    _Cause(
        ("did not find expected key", "expected <block end>"),
        "this does not fit the indentation above it",
        "start the keys of a mapping in the same column, and so the `- ` of a list",
    ),
    _Cause(
        ("block sequence entries are not allowed", "sequence entries are not allowed"),
        "a row of a list cannot start here",
        "start the list on the next line, a `- ` for each row",
    ),
    _Cause(
        ("expected alphabetic or numeric character",),
        "`*` or `&` at the start of a value means an alias or an anchor",
        "put the text in quotes",
        at_opening=True,
    ),
    _Cause(
        ("cannot start any token",),
        "a text without quotes cannot start with this character",
        "put the text in quotes",
    ),
    _Cause(
        ("unknown escape character", "hexdecimal", "hexadecimal", "invalid Unicode character"),
        "an unknown escape in a text in double quotes",
        "use single quotes, in which a backslash is a backslash",
    ),
    _Cause(
        ("expected comment or line break", "expected a comment or a line break"),
        "nothing may follow `|` or `>` on its line",
        "start the text on the next line, indented, or put it in quotes",
    ),
    _Cause(
        ("tag URI", "tag handle", "found undefined tag", "scanning a tag", "expected '!'"),
        "`!` at the start of a value means a tag",
        "put the text in quotes",
        at_opening=True,
    ),
    _Cause(
        ("expected node content", "expected the node content"),
        "a value is missing before this",
        "write the value, or put the text in quotes where it starts with a bracket or a comma",
    ),
    _Cause(
        ("expected <document start>",),
        "this stands after the end of the document",
        "indent it to make it part of the document, or remove it",
    ),
)

_OPENINGS = {
    "quoted scalar": "the quote opens here",
    "flow sequence": "`[` opens here",
    "flow mapping": "`{` opens here",
    "block mapping": "the mapping starts here",
    "block collection": "the list starts here",
}


def explain(error: yaml.YAMLError, source: Source, report: Report) -> None:
    """Report the syntax error at which the parser stopped."""
    stop = _offset(getattr(error, "problem_mark", None), source) or 0
    start = _offset(getattr(error, "context_mark", None), source)
    lines = _suspect_lines(source, stop, start)
    if not any(_explain_tab(line, report) or _explain_unusual(line, report) for line in lines):
        _explain_cause(error, source, stop, start, report)


def _offset(mark: yaml.Mark | None, source: Source) -> int | None:
    return min(mark.index, len(source.text)) if mark else None


def _suspect_lines(source: Source, stop: int, start: int | None) -> list[Span]:
    """The lines that may hold the mistake: where the parser stopped, before it, and its context."""
    stop_line = source.position(stop)[0]
    numbers = [stop_line, max(1, stop_line - 1)]
    if start is not None:
        numbers.append(source.position(start)[0])
    starts = [(source.line_start(number), source.line(number)) for number in numbers]
    return [Span(source, offset, offset + len(text)) for offset, text in starts]


def _explain_tab(line: Span, report: Report) -> bool:
    text = line.text
    tab = text.find("\t", 0, len(text) - len(text.lstrip(" \t-")))
    if tab < 0:
        return False
    end = len(text) - len(text[tab:].lstrip())
    report.add(
        "E0108",
        "a tab in the indentation",
        line.within(tab, end),
        "tab" if end - tab == 1 else "from this tab on",
        help="indent with spaces: YAML forbids tabs here",
    )
    return True


def _explain_unusual(line: Span, report: Report) -> bool:
    """Blame characters that YAML does not know, if replacing them changes how the line reads."""
    found = unusual(line.text) if line.end - line.start <= _LONGEST_MENDED else None
    if found is None:
        return False
    mended = mend(line.text)
    shape = _shape(mended)
    if shape is None or shape == _shape(line.text):
        return False
    offset, length = found
    run = line.text[offset : offset + length]
    meant = mend(run)
    markup = is_markup(run)
    report.add(
        "E0121" if markup else "E0120",
        f"Markdown's `{run}` in YAML" if markup else f"full-width `{run}` stands for `{meant}`",
        line.within(offset, offset + length),
        "not part of YAML" if markup else "plain text to YAML",
        help=f"write {quoted(mended.strip(), _LONGEST_MENDED)}",
    )
    return True


def _shape(line: str) -> list[type[yaml.Event]] | None:
    """The kinds of a line's events when it is read alone; None if it is not YAML."""
    try:
        return [type(event) for event in events(line.strip())]
    except yaml.YAMLError:
        return None


def _explain_cause(
    error: yaml.YAMLError, source: Source, stop: int, start: int | None, report: Report
) -> None:
    said = f"{getattr(error, 'context', '')}: {getattr(error, 'problem', error)}"
    cause = next(
        (cause for cause in _CAUSES if any(phrase in said for phrase in cause.said)),
        _Cause((), "this is not YAML", "put the text in quotes, and check the indentation"),
    )
    opening = next((words for key, words in _OPENINGS.items() if key in said), "it starts here")
    at_end = not source.text[stop:].strip()
    if start is not None and (cause.at_opening or at_end):
        span = _to_line_end(source, start) if "simple key" in said else Span(source, start, start)
        report.add("E0107", cause.message, span, opening, help=cause.help, note=_note(said))
        return
    also = [] if start is None or start == stop else [Label(Span(source, start, start), opening)]
    here = Span(source, stop, min(stop + 1, len(source.text)))
    report.add("E0107", cause.message, here, help=cause.help, note=_note(said), also=also)


def _to_line_end(source: Source, start: int) -> Span:
    line, column = source.position(start)
    return Span(source, start, start + len(source.line(line)[column - 1 :].rstrip()))


def _note(said: str) -> str:
    return f"the YAML parser says: {said.removeprefix('None: ')}"
