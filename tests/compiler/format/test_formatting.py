"""The canonical layout: what it is, that it is reached from any other, and that it says the same."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specc.documents import Findings, Mapping, Report, Source, load, parse
from specc.emit.module import emit_module
from specc.format import formatted, says_the_same
from specc.format.calls import spaced
from specc.format.sections import SECTIONS
from specc.ir.build import build
from specc.library import Library, read
from specc.passes.pipeline import run
from specc.schema.document import document_schema

ROOT = Path(__file__).parents[3]
ANY = sorted([*ROOT.glob("specs/*.yaml"), *ROOT.glob("tests/**/*.yaml")])


def is_readable(path: Path) -> bool:
    try:
        read(load(path), str(path), Report())
    except Findings:
        return False
    return True


READABLE = [path for path in ANY if is_readable(path)]


def laid_out(text: str) -> str:
    document = cast("Mapping", parse(Source("a.yaml", text)))
    result = formatted(document)
    assert says_the_same(document, result)
    return result.span.source.text


def comments(text: str) -> list[str]:
    return sorted(found.strip() for found in re.findall(r"(?:^|(?<=\s))#.*$", text, re.MULTILINE))


@pytest.mark.parametrize("path", READABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_model_stays_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    once = laid_out(text)
    assert laid_out(once) == once
    assert comments(once) == comments(text)
    assert emitted(once, path) == emitted(text, path)


def emitted(text: str, path: Path) -> tuple[str | None, list[tuple[str, str]]]:
    """The source that a text compiles to at a path, and what is found in it."""
    report = Report()
    spec = read(parse(Source(str(path), text)), str(path), report)
    graph = build(spec, report, Library(report).load, params={})
    facts = run(graph, report)
    found = [(found.code, found.message) for found in report.diagnostics]
    return None if report.errors else emit_module(graph, facts, str(path)), sorted(found)


SAID_IN_WORDS = re.compile(r"(title|cite|doc|name):|.*\{[ip]\}|.*[\"']")


def messed(text: str, rng: random.Random) -> str:
    """The same spec in another layout: other indents, spaces, empty lines, comments, line ends."""
    step = rng.choice([2, 3, 5])
    lines: list[str] = []
    for line in text.splitlines():
        code = line.lstrip(" ")
        indent = (len(line) - len(code)) // 2 * step
        if code.startswith("- "):
            code = "-" + " " * (step - 1) + code[2:]
        if code and not code.startswith("#") and not SAID_IN_WORDS.match(code):
            code, mark, comment = code.partition(" #")
            code = re.sub(r", ", lambda _: rng.choice([",", ", ", ",   ", " , "]), code)
            if "(" in code:
                code = re.sub(r"=(?=\w)", lambda _: rng.choice(["=", " = "]), code)
            code += mark + comment + " " * rng.choice([0, 0, 3])
        if rng.random() < 0.05:
            lines.append("" if rng.random() < 0.5 else " " * indent + "# aside")
        lines.append(" " * indent + code)
    return rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n", "\n\n\n"])


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(READABLE), seed=st.integers(0, 2**32))
def test_one_layout_from_any_other(path: Path, seed: int) -> None:
    text = laid_out(path.read_text(encoding="utf-8"))
    other = messed(text, random.Random(seed))
    again = laid_out(other)
    assert laid_out(again) == again
    assert comments(again) == comments(other)
    assert without_asides(again) == without_asides(text)


def without_asides(text: str) -> list[str]:
    """The lines that say something, without their comments, for those that were put between."""
    bare = (re.sub(r"\s+#.*$", "", line) for line in text.splitlines())
    return [line for line in bare if line.strip() and line.strip() != "# aside"]


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("Conv2d(3,64,3)", "Conv2d(3, 64, 3)"),
        ("Conv2d ( _ , 8,kernel_size = (3,3) )", "Conv2d(_, 8, kernel_size=(3, 3))"),
        ("Add()(a,b)->[ 8,4 ]", "Add()(a, b) -> [8, 4]"),
        ("lateral[-2-i]", "lateral[-2 - i]"),
        ("x[1 : 3]", "x[1:3]"),
        ("a if i>0 else-1", "a if i > 0 else -1"),
        ("not  a and(b or c)", "not a and (b or c)"),
        ("a - -b", "a - -b"),
        ("2** -3*4", "2 ** -3 * 4"),
        ("[ *maps,p6 ]", "[*maps, p6]"),
        ("f( (1,) )", "f((1,))"),
        ("Split() -> {a:[1,2], b: 3}", "Split() -> {a:[1, 2], b: 3}"),
        ("a  in[1,2]", "a in [1, 2]"),
        ("p(mode = 'a , b')", "p(mode='a , b')"),
        ("a ++ (", "a ++ ("),
    ],
)
def test_calls(written: str, wanted: str) -> None:
    assert spaced(written) == wanted
    assert spaced(wanted) == wanted


HEAD = "specc: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\n"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        # a comma behind a row goes; the number in front is a claim, and stays
        (
            "layers:\n  - (0): Conv2d(3,8,3),\n",
            "layers:\n  - (0): Conv2d(3, 8, 3)\n",
        ),
        # a comment keeps its column where it can, and two spaces where it cannot
        (
            "layers:\n- Conv2d(3,8,3)         # one\n- ReLU( ) # two\n",
            "layers:\n  - Conv2d(3, 8, 3)     # one\n  - ReLU()  # two\n",
        ),
        # a folded row is one line if that is no wider than 100 columns
        (
            "layers:\n  - Conv2d(3,\n      8,\n\n      3\n    )  # here\n",
            "layers:\n  - Conv2d(3,\n      8,\n\n      3\n    )  # here\n",
        ),
        (
            "layers:\n  - Conv2d(3,\n      8, 3)  # here\n  - 'ReLU(\n     )'\n",
            "layers:\n  - Conv2d(3, 8, 3)  # here\n  - 'ReLU()'\n",
        ),
        # lists, mappings, colons, dashes
        (
            "layers:\n   -   a:   Conv2d(3, 8, 3)\n   -  op :  ReLU()\n      if :  1 > 0\noutputs: { a:  a }\n",
            "layers:\n  - a: Conv2d(3, 8, 3)\n  - op: ReLU()\n    if: 1 > 0\noutputs: {a: a}\n",
        ),
        # a text over several lines moves as a whole
        (
            "modules:\n    B:\n        doc: |\n          two\n            lines\n\n\n          on\n",
            "modules:\n  B:\n    doc: |\n      two\n        lines\n\n\n      on\n",
        ),
        # sections in order, with the comments above them
        (
            "# why\nlayers: [B()]\n# knobs\nlet: {a: 1}\n",
            "# knobs\nlet: {a: 1}\n# why\nlayers: [B()]\n",
        ),
        (
            "modules:\n    B:\n        layers:\n        - ReLU()\n        # why\n        doc: x\n",
            "modules:\n  B:\n    # why\n    doc: x\n    layers:\n      - ReLU()\n",
        ),
    ],
)
def test_layout(written: str, wanted: str) -> None:
    assert laid_out(HEAD + written) == HEAD + wanted


def test_what_stands_above_the_first_key_is_about_the_file() -> None:
    text = "# about the file\n\nname: net\n# the language\nspecc: 1\nlayers: [ReLU()]\ninputs: {x: [N, 3]}\n"
    assert laid_out(text).splitlines() == [
        "# about the file",
        "",
        "# the language",
        "specc: 1",
        "name: net",
        "inputs: {x: [N, 3]}",
        "layers: [ReLU()]",
    ]


def test_every_section_has_its_place() -> None:
    assert set(SECTIONS) == set(document_schema()["properties"])


@pytest.mark.parametrize(
    "other",
    [
        HEAD + "layers: [ReLU6()]\n",
        HEAD + "layers: [ReLU(), ReLU()]\n",
        HEAD + "layers: {a: ReLU()}\n",
        HEAD + "layers: [ReLU()]\nparams: {a: 1}\n",
        HEAD.replace("32, 32", "32, 33") + "layers: [ReLU()]\n",
    ],
)
def test_another_spec_does_not_say_the_same(other: str) -> None:
    one = cast("Mapping", parse(Source("a", HEAD + "layers: [ReLU()]\n")))
    assert not says_the_same(one, cast("Mapping", parse(Source("b", other))))
