"""What the YAML reader refuses: code, place, and the edit that the help proposes."""

import pytest

from specc.documents import Findings, Source, parse, plain

REFUSED = [
    # text, code, line, column, part of the help
    ("a: 1\nb: x\x07", "E0104", 2, 5, "delete"),
    ("a: \x00", "E0104", 1, 4, "YAML text file"),
    ("a: x\ufeffy", "E0104", 1, 5, "delete"),
    ("", "E0106", 1, 1, "name: value"),
    ("# only\n# comments\n", "E0106", 1, 1, "name: value"),
    ("---\n", "E0106", 1, 1, "name: value"),
    ("# 注释：中文\na: b: c", "E0107", 2, 5, "quote"),
    ("a: 'x\nb: 1\n", "E0107", 1, 4, "closing quote"),
    ("a: [1, 2\nb: 3\n", "E0107", 2, 2, "close the bracket"),
    ("a:\n    b: 1\n  c: 2\n", "E0107", 3, 3, "same column"),
    ("a: 1\nb\n", "E0107", 2, 1, "key: value"),
    ("- [1] -> x", "E0107", 1, 7, "- "),
    ("a: - b", "E0107", 1, 4, "next line"),
    ("a: *", "E0107", 1, 4, "quotes"),
    ("- `x`", "E0107", 1, 3, "quotes"),
    ('a: "x\\q"', "E0107", 1, 6, "single quotes"),
    ("a: |x\n", "E0107", 1, 5, "next line"),
    ("a: !<", "E0107", 1, 4, "quotes"),
    ("a: ]", "E0107", 1, 4, "value"),
    ("a\n...\nb", "E0107", 3, 1, "remove"),
    ("%FOO\n---\na", "E0107", 1, 5, "quotes"),
    ("a:\n\tb: 1\n", "E0108", 2, 1, "spaces"),
    ("- a:\n  \tb: 1", "E0108", 2, 3, "spaces"),
    ("-\ta: 1", "E0108", 1, 2, "spaces"),
    ("# 注释\na: 1\nb: 2\na: 3\n", "E0109", 4, 1, "another name"),
    ("{3: x, '3': y}", "E0109", 1, 8, "another name"),
    ("a: &x 1", "E0110", 1, 4, "remove"),
    ("a: *x", "E0110", 1, 4, "write the value out"),
    ("a: [*x, y]", "E0110", 1, 5, '"[*name]"'),
    ("<<: {a: 1}", "E0110", 1, 1, "write the entries out"),
    ("x: !!python/object/apply:os.system [ls]", "E0111", 1, 4, "remove"),
    ("%TAG !e! tag:e\n---\na: 1", "E0111", 1, 1, "remove"),
    ("a: 1\n---\nb: 2", "E0115", 2, 1, "one document"),
    ("? [a]\n: b", "E0116", 1, 3, "name: value"),
    ("~: 1", "E0116", 1, 1, "name: value"),
    ("a： 1\nb: 2\n", "E0120", 1, 2, "`a: 1`"),
    ("name：SSD\nb: 2\n", "E0120", 1, 5, "`name: SSD`"),
    ("name: “a: b”", "E0120", 1, 7, '`name: "a: b"`'),
    ("l:\n  - **ReLU(inplace=True),**\n", "E0121", 2, 5, "`- ReLU(inplace=True),`"),
]

AMBIGUOUS = [
    ("yes", '`true`, or `"yes"`'),
    ("Off", '`false`, or `"Off"`'),
    ("012", '`10` or `12`, or `"012"`'),
    ("08", '`8`, or `"08"`'),
    ("1e-3", '`1.0e-3`, or `"1e-3"`'),
    ("1.0e3", '`1.0e+3`, or `"1.0e3"`'),
    (".5e3", '`0.5e+3`, or `".5e3"`'),
    ("-.5", '`-0.5`, or `"-.5"`'),
    ("12:30", '`750`, or `"12:30"`'),
    ("-1:30.5", '`-90.5`, or `"-1:30.5"`'),
    ("1_000", '`1000`, or `"1_000"`'),
    ("0b1", '`1`, or `"0b1"`'),
    ("-0x1F", '`-31`, or `"-0x1F"`'),
    ("2024-01-01", '`"2024-01-01"`'),
]

HOSTILE = [
    ("[" * 1_000_000, "E0112"),
    ("- " * 1_000_000, "E0112"),
    ("? " * 1_000_000, "E0112"),
    ("{a: " * 500_000, "E0112"),
    ("a: " * 1_000_000, "E0107"),
    ("\n".join(" " * depth + "a:" for depth in range(1_000)), "E0112"),
    ("[" + "a," * 1_000_000 + "]", "E0113"),
    ("".join(f"%TAG !a{number}! b\n" for number in range(100_000)), "E0111"),
    ("- *a\n" * 100_000, "E0110"),
    ("a:\n" * 100_000, "E0109"),
    ("a: " + "x" * 2_000_000 + ": b", "E0107"),
    ("%" * 1_000_000, "E0107"),
]


def found(text: str) -> Findings:
    with pytest.raises(Findings) as caught:
        parse(Source("a.yaml", text))
    return caught.value


@pytest.mark.parametrize(("text", "code", "line", "column", "help"), REFUSED)
def test_refused(text: str, code: str, line: int, column: int, help: str) -> None:
    (diagnostic,) = found(text).diagnostics
    span = diagnostic.labels[0].span
    assert (diagnostic.code, span.line, span.column) == (code, line, column)
    assert diagnostic.help is not None
    assert help in diagnostic.help


@pytest.mark.parametrize(("scalar", "help"), AMBIGUOUS)
@pytest.mark.parametrize("template", ["a: {}", "{}: 1", "- [x, {}]"])
def test_ambiguous_scalar(scalar: str, help: str, template: str) -> None:
    if ":" in scalar and template.startswith("{"):
        scalar, help = "on", '`true`, or `"on"`'
    text = template.replace("{}", scalar)
    (diagnostic,) = found(text).diagnostics
    assert diagnostic.code == "E0114"
    assert diagnostic.labels[0].span.text == scalar
    assert help in (diagnostic.help or "")


@pytest.mark.parametrize(("text", "code"), HOSTILE, ids=[code for _, code in HOSTILE])
def test_hostile_text_is_refused(text: str, code: str) -> None:
    assert found(text).diagnostics[0].code == code


def test_duplicate_labels_both_places() -> None:
    (diagnostic,) = found("a: 1\n\na: 2\n").diagnostics
    assert [label.span.line for label in diagnostic.labels] == [3, 1]


def test_all_findings_in_reading_order() -> None:
    findings = found("a: &x 1\nb: {c: yes, c: *x}\nd: !t 1\na: 'x\n")
    codes = [diagnostic.code for diagnostic in findings.diagnostics]
    assert codes == ["E0110", "E0114", "E0109", "E0110", "E0111", "E0107"]


def test_a_merge_key_in_quotes_is_a_name() -> None:
    assert plain(parse(Source("a.yaml", "{'<<': 1}"))) == {"<<": 1}


def test_forty_deep_is_read() -> None:
    parse(Source("a.yaml", "[" * 40 + "]" * 40))


def test_full_width_text_in_a_sound_neighbour_is_not_blamed() -> None:
    (diagnostic,) = found("a: 中文，好\nb: c: d\n").diagnostics
    assert diagnostic.code == "E0107"
