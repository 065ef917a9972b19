"""What the YAML reader reads, and where it says that it stood."""

import math

import pytest

from specc.documents import Mapping, Node, Scalar, Sequence, Source, parse, plain

VALUES = [
    ("true", True),
    ("FALSE", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("12", 12),
    ("-7", -7),
    ("+7", 7),
    ("0x1F", 31),
    ("0o17", 15),
    ("1.5", 1.5),
    ("1.", 1.0),
    (".5", 0.5),
    ("1.0e-3", 0.001),
    ("-.inf", -math.inf),
    ("y", "y"),
    ("tRue", "tRue"),
    ("1.2.3", "1.2.3"),
    ("8080:80", "8080:80"),
    ("Conv2d(3, 64) -> 38", "Conv2d(3, 64) -> 38"),
    ("'yes'", "yes"),
    ('"1\\n2"', "1\n2"),
    ("9" * 5_000, "9" * 5_000),
]


def read(text: str) -> Node:
    return parse(Source("a.yaml", text))


def scalar(text: str) -> Scalar:
    node = read(text)
    assert isinstance(node, Mapping)
    value = node.get("a")
    assert isinstance(value, Scalar)
    return value


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(text: str, value: object) -> None:
    read_value = scalar(f"a: {text}").value
    assert read_value == value
    assert type(read_value) is type(value)


def test_nan() -> None:
    assert math.isnan(scalar("a: .nan").value)  # type: ignore[arg-type]


def test_plain_data_has_text_keys() -> None:
    assert plain(read("3: x\na: [1, {b: null}]\n")) == {"3": "x", "a": [1, {"b": None}]}


@pytest.mark.parametrize(
    ("text", "span", "content"),
    [
        ("# 注释 😀\na: é😀 # 中", "é😀", "é😀"),
        ("# 注释\na: '中 文' # x", "'中 文'", "中 文"),
        ('a: "x" # y', '"x"', "x"),
        ("a: x\n  y z\n  # c", "x\n  y z", "x\n  y z"),
        ("a: |\n  x\n  y\n\nb: 1", "|\n  x\n  y", "\n  x\n  y"),
    ],
)
def test_spans_cover_what_is_written(text: str, span: str, content: str) -> None:
    value = scalar(text)
    assert (value.span.text, value.content.text) == (span, content)


def test_collections_end_where_their_last_item_ends() -> None:
    node = read("a:\n  - x\n  - {y: z}\n\n# end\nb: [1]\n")
    assert isinstance(node, Mapping)
    rows, flow = node.get("a"), node.get("b")
    assert isinstance(rows, Sequence)
    assert rows.span.text == "- x\n  - {y: z}"
    assert flow is not None
    assert flow.span.text == "[1]"


def test_mapping_finds_entries_by_name() -> None:
    node = read("3: x\nb: y\n")
    assert isinstance(node, Mapping)
    assert node.keys() == ["3", "b"]
    key = node.key("3")
    assert key is not None
    assert (key.value, key.span.line) == (3, 1)
    assert node.get("c") is None
    assert "b" in node
