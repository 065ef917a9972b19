"""Diagnostics as people and programs see them."""

import json
from textwrap import dedent

import pytest

from specc.documents import (
    CODES,
    Diagnostic,
    Findings,
    Label,
    Report,
    Source,
    Span,
    render_json,
    render_text,
)

SPEC = Source(
    "specs/ssd.yaml",
    "layers:\n" + "".join(f"  - row{n}\n" for n in range(2, 10)) + "  - Conv2d(3, kernal_size=3)\n",
)


def span(source: Source, word: str) -> Span:
    start = source.text.index(word)
    return Span(source, start, start + len(word))


def shown(*labels: Label, help: str | None = None, note: str | None = None) -> str:
    return render_text([Diagnostic("E0107", "wrong", labels, help, note)])


def underlined(text: str, word: str) -> list[str]:
    return shown(Label(span(Source("a", text), word))).splitlines()[3:5]


def text(block: str) -> str:
    return dedent(block).lstrip("\n")


def test_one_label() -> None:
    label = Label(span(SPEC, "kernal_size"), "unknown argument")
    assert shown(label, help="did you mean `kernel_size`?", note="a\nb") == text("""
        error[E0107]: wrong
          --> specs/ssd.yaml:10:15
           |
        10 |   - Conv2d(3, kernal_size=3)
           |               ^^^^^^^^^^^ unknown argument
           |
           = help: did you mean `kernel_size`?
           = note: a
                   b

        1 error
    """)


def test_secondary_labels_and_another_file() -> None:
    other = Source("block.yaml", "x: 1\n")
    labels = [
        Label(span(SPEC, "kernal_size"), "here"),
        Label(span(SPEC, "Conv2d"), "of this"),
        Label(span(SPEC, "row9")),
        Label(span(SPEC, "layers"), "in these"),
        Label(span(other, "x"), "from there"),
    ]
    assert shown(*labels) == text("""
        error[E0107]: wrong
          --> specs/ssd.yaml:10:15
           |
         1 | layers:
           | ------ in these
        ...
         9 |   - row9
           |     ----
        10 |   - Conv2d(3, kernal_size=3)
           |     ------ of this
           |               ^^^^^^^^^^^ here
           |
          ::: block.yaml:1:1
           |
         1 | x: 1
           | - from there

        1 error
    """)


def test_file_without_text_has_no_excerpt() -> None:
    label = Label(Span(Source("a.yaml", ""), 0, 0))
    assert shown(label) == "error[E0107]: wrong\n --> a.yaml\n\n1 error\n"


@pytest.mark.parametrize(
    ("line", "word", "lines"),
    [
        ("中文: x", "x", ["1 | 中文: x", "  |       ^"]),
        ("a: 中文", "中文", ["1 | a: 中文", "  |    ^^^^"]),
        ("ａ： x", "x", ["1 | ａ： x", "  |      ^"]),
        ("e\u0301: x", "x", ["1 | e\u0301: x", "  |    ^"]),
        ("\ta: x", "x", ["1 |     a: x", "  |        ^"]),
        ("\x1b[2J: x", "x", ["1 | \\x1b[2J: x", "  |          ^"]),
        ("\u202e: x", "x", ["1 | \\u202e: x", "  |         ^"]),
    ],
)
def test_carets_line_up(line: str, word: str, lines: list[str]) -> None:
    assert underlined(line, word) == lines


@pytest.mark.parametrize("filler", ["x", "中", "\x1b", "\u0301"])
def test_long_line_is_cut_around_the_caret(filler: str) -> None:
    line, caret = underlined(filler * 1_000 + "HERE" + filler * 1_000_000, "HERE")
    assert line.startswith("1 | ...")
    assert line.endswith("...")
    assert "HERE" in line
    assert len(line) < 250
    assert caret.count("^") == 4


def test_empty_span_gets_one_caret() -> None:
    assert underlined("a:", "")[1] == "  | ^"


def test_colour() -> None:
    label = Label(span(SPEC, "row2"))
    assert "\x1b[1;31m" in render_text([Diagnostic("E0107", "wrong", (label,))], color=True)


def test_summary_counts_what_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CODES, "W0001", "advice")
    report = Report()
    for _ in range(30_000):
        report.add("E0107", "wrong", span(SPEC, "row2"))
    report.add("W0001", "odd", span(SPEC, "layers"))
    with pytest.raises(Findings) as caught:
        report.stop()
    output = render_text(caught.value.diagnostics)
    assert output.count("error[E0107]") == 200
    assert "29,800 more E0107" in output
    assert output.endswith("30,000 errors, 1 warning\n")


def test_json_round_trip() -> None:
    labels = (Label(span(SPEC, "kernal_size"), "here"), Label(span(SPEC, "layers")))
    data = json.loads(render_json([Diagnostic("E0107", "中 wrong", labels, "help", rows=("a.0",))]))
    (found,) = data["diagnostics"]
    assert data["version"] == 1
    assert (found["code"], found["severity"]) == ("E0107", "error")
    assert (found["message"], found["help"], found["note"]) == ("中 wrong", "help", None)
    assert found["rows"] == ["a.0"]
    assert found["labels"][0] == {
        "path": "specs/ssd.yaml",
        "line": 10,
        "column": 15,
        "end_line": 10,
        "end_column": 26,
        "text": "here",
        "primary": True,
    }
    assert not found["labels"][1]["primary"]


def test_unknown_code_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        Report().add("E9999", "wrong", span(SPEC, "layers"))


def test_uncaught_findings_name_the_place() -> None:
    findings = Findings([Diagnostic("E0107", "wrong", (Label(span(SPEC, "row2")),))])
    assert str(findings) == "specs/ssd.yaml:2:5: E0107: wrong"
