"""DOT text: no name of a spec can end its label, and Graphviz reads all of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.draw import Picture, write
from specc.draw.picture import Arrow, Frame, Line, Place

NASTY = [
    'a "quoted" name',
    "</TD></TR></TABLE>> ]; evil [label=pwned]",
    "back\\slash \\N \\G \\",
    "two\nlines\r\nand\ta tab",
    "&amp; &lt; &#39; & é → 名",
    "control \x00\x07\x1b\ufffe and \ud800",
    "]]>--><!--",
    "",
]


def drawn(text: str) -> Picture:
    picture = Picture(Line(text, text), 1)
    first = picture.add("weights", Line(text, text), text)
    first.lines.append(Line(text, text))
    second = picture.add("failed", Line(text, text))
    second.cells, second.details = [text, text], [text]
    picture.items += [first, Frame(text, Line(text, text), [second])]
    picture.arrows.append(Arrow(Place(first), Place(second, 1), [text], is_tap=True))
    return picture


def parse(text: str) -> Any:
    return pytest.importorskip("pygraphviz").AGraph(string=text)


@pytest.mark.parametrize("text", NASTY)
def test_nothing_ends_a_label(text: str) -> None:
    graph = parse(write(drawn(text)))
    assert sorted(graph.nodes()) == ["n0", "n1"]
    assert graph.edges() == [("n0", "n1")]
    assert len(graph.subgraphs()) == 1


@pytest.mark.parametrize("text", NASTY)
def test_graphviz_draws_every_text(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    graph = parse(write(drawn(text)))
    svg = graph.draw(format="svg", prog="dot").decode()
    assert svg.count('class="node"') == 2
    assert "pwned" not in svg or "evil [label=pwned]" in svg
    assert "syntax error" not in capfd.readouterr().err


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=30))
def test_any_text_is_one_line_of_the_text(text: str) -> None:
    assert len(write(drawn(text)).splitlines()) == 12
    assert sorted(parse(write(drawn(text))).nodes()) == ["n0", "n1"]


def test_a_backslash_starts_no_escape_of_graphviz() -> None:
    svg = parse(write(drawn(r"a\Nb"))).draw(format="svg", prog="dot").decode()
    assert "a\u2216Nb" in svg
    assert "an0b" not in svg
    assert "an1b" not in svg


def test_the_text_says_what_the_picture_holds() -> None:
    text = write(drawn("name"))
    assert 'subgraph "cluster_name" {' in text
    assert "<B>name</B>" in text
    assert 'n0 -> n1:c1:n [weight=8, label=" name", color="#dca200"' in text


def test_each_line_of_a_heading_has_its_own_height() -> None:
    """A line break is as high as the text behind it: small text would run into a name."""
    picture = Picture(Line("m", ""), 1)
    picture.items.append(Frame("body", Line("body", "ResNet · 23 params"), []))
    (label,) = [line for line in write(picture).splitlines() if "ResNet" in line]
    assert [row.partition(">body<")[1] for row in label.split("<TR>")[1:]] == [">body<", "", ""]
