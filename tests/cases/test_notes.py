"""The reading notes' contradictions, in folders `notes_*`.

`spec.yaml` is transcribed as printed, with the line of the notes, `# L105`, behind a line of its own;
`truth.yaml` is the same without the contradiction; `notes.yaml` quotes the lines and says what the
checker reports and what is true. `docs/make_errata.py` makes a page of them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from outcome import outcome

from specc.documents import load, plain, render_text

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("notes_*/notes.yaml"))
SILENT = [case for case in CASES if not plain(load(case / "notes.yaml"))["reports"]]

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_checker_reports_the_contradiction_and_nothing_else(case):
    reports = plain(load(case / "notes.yaml"))["reports"]
    found, _ = outcome(case / "spec.yaml")
    assert len(found) == len(reports), render_text(found)
    for diagnostic, report in zip(found, reports, strict=True):
        code, line = report.split(" at ")
        span = diagnostic.labels[0].span
        assert diagnostic.code == code
        assert line in re.findall(r"\bL(\d+)", span.source.line(span.line)), render_text(found)


@each_case
def test_reported_lines_are_quoted(case):
    notes = plain(load(case / "notes.yaml"))
    quoted = {quote["line"] for quote in notes["notes"]}
    assert {int(report.split(" at ")[1]) for report in notes["reports"]} <= quoted


@each_case
def test_truth_has_no_findings(case):
    found, source = outcome(case / "truth.yaml")
    assert source and not found, render_text(found)


@pytest.mark.parametrize("case", SILENT, ids=lambda case: case.name)
def test_where_nothing_is_reported_the_modules_differ(case):
    differs = plain(load(case / "notes.yaml"))["differs"]
    _, printed = outcome(case / "spec.yaml")
    _, truth = outcome(case / "truth.yaml")
    assert differs["printed"] in printed and differs["printed"] not in truth
    assert differs["truth"] in truth and differs["truth"] not in printed
