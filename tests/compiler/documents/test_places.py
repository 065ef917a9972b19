"""Where the characters of a text stand that YAML folds or unescapes."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from specc.documents import Findings, Mapping, Report, Scalar, Source, parse
from specc.library import read

HEAD = "specc: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\nlayers:\n"
BLANKS = " \t\r\n\x85\u2028\u2029"


def scalar(text: str) -> Scalar:
    root = parse(Source("a.yaml", text))
    assert isinstance(root, Mapping)
    value = root.entries[0][1]
    assert isinstance(value, Scalar)
    return value


@given(
    text=st.text(st.sampled_from("ab(),='\"\\:#- \n\t\x07é中\U0001f600"), min_size=1, max_size=60),
    style=st.sampled_from(["'", '"', "|", ">", ""]),
    width=st.sampled_from([1, 8, 80]),
)
def test_each_character_is_found_where_it_was_written(text: str, style: str, width: int) -> None:
    written = yaml.dump(
        {"key": text}, default_style=style, width=width, allow_unicode=len(text) % 2 == 0
    )
    node = scalar(written)
    if not isinstance(node.value, str):
        return
    assert node.text == text
    for place, character in enumerate(text):
        there = node.part(place, place + 1).text
        if character not in BLANKS:
            assert there in (character, character * 2) or there.startswith("\\")
    places = node.places()
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("written", "text", "part"),
    [
        (r'"\x43at"', "Cat", r"\x43"),
        (r'"\u0043at"', "Cat", r"\u0043"),
        (r'"\U00000043at"', "Cat", r"\U00000043"),
        (r'"\/at"', "/at", r"\/"),
        ("'''at'", "'at", "''"),
        ('"\\\n  C\\\n  at"', "Cat", "C"),
    ],
)
def test_an_escape_is_one_character(written: str, text: str, part: str) -> None:
    node = scalar(f"a: {written}")
    assert (node.text, node.part(0, 1).text) == (text, part)


def test_a_text_without_characters() -> None:
    assert scalar('a: "\\\n  "').part(0, 1).text == ""


@pytest.mark.parametrize(
    ("rows", "code", "line", "column", "shown"),
    [
        ('  - "\\x43onv2d(_, 8, 3) 4\\t"\n', "E0204", 5, 25, "4"),
        ("  - Conv2d(_, 8,\n\n      3, 1 2)\n", "E0204", 7, 10, "1"),
        ("  - 'Conv2d(_, ''same'',\n      lambda: 3)'\n", "E0213", 6, 7, "lambda: 3"),
        ('  - "Conv2d(_,\\\n     8, {\\u0033: 4})"\n', "E0213", 6, 9, "{\\u0033: 4}"),
        ("  - >-  # folded\n    Conv2d(_,\n    8, lambda: 3)\n", "E0213", 7, 8, "lambda: 3"),
        ("  - |\n    Conv2d(_,\n      8, lambda: 3)\n", "E0213", 7, 10, "lambda: 3"),
        ('  a: "[image,\n    image.b[::2]]"\n', "E0213", 6, 5, "image.b[::2]"),
        ('  a: ["\\x69mage", "lambda:\n     3"]\n', "E0213", 5, 20, "lambda:\n     3"),
    ],
)
def test_diagnostics_point_into_what_was_written(
    rows: str, code: str, line: int, column: int, shown: str
) -> None:
    source = Source("a.yaml", HEAD + rows)
    with pytest.raises(Findings) as caught:
        read(parse(source), "a.yaml", Report())
    (found,) = caught.value.diagnostics
    span = found.labels[0].span
    assert (found.code, span.line, span.column, span.text) == (code, line, column, shown)
