"""What a spec says in prose may be long, in any script, and full of quotes: the file stays clean."""

from __future__ import annotations

import ast
import json

import pytest
from emitted import ROOT, run

import specc
from specc.documents import Findings

LONG = "A detector of blood cells on a network of our own making, with four maps, {} boxes each"
PROSE = {
    "fits": "A small detector",
    "long": LONG.format("six or four") + ", and more words than a line has room for",
    "sentences": "A detector of cells. " + LONG.format("six") + ". And what else there is to say",
    "question": "What is it?",
    "word": "x" * 150,
    "word_inside": f"A {'y' * 120} z",
    "word_first": f"{'y' * 120} z",
    "address": f"https://example.org/{'a' * 90} and then some",
    "wide": "检测器 " * 30,
    "wide_word": "检测器" * 40,
    "accents": "e\u0301" * 30 + " e\u0301" * 60,
    "quotes": 'The "best""" of """ them \'\'\' all"',
    "backslashes": r"a\nb \N{BULLET} \x \\",
    "lines": "line one\nline two\r\n\n  line three",
    "no_break": "a\u00a0b\tc",
    "turned": "a\u202eb",
    "sections": f"Args: {'word ' * 17} Returns: {'word ' * 17} Example:",
    "braces": "{{ 7 * 7 }} {% raw %} {name}",
    "remark": "# noqa",
    "dots": "And so on...",
}
SPEC = """\
specc: 1
name: {name}
title: {prose}
cite: {prose}
inputs: {{x: [N, 3, 8, 8]}}
layers: {{a: Part(), b: "Conv2d(_, 4, 1)"}}
modules:
  Part:
    doc: {prose}
    layers: [ReLU()]
"""


def written(prose: str, folder, name: str = "example") -> str:
    path = folder / f"{name}.yaml"
    quoted = json.dumps(prose, ensure_ascii=False)
    path.write_text(SPEC.format(name=name, prose=quoted), encoding="utf-8")
    return specc.compile(path).source


def docstrings(source: str) -> list[str]:
    """Return those of the module and of its classes."""
    tree = ast.parse(source)
    holders = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    return [ast.get_docstring(node) or "" for node in holders]


def test_ruff_has_nothing_to_say_of_any_prose(tmp_path):
    files = []
    for name, prose in PROSE.items():
        files.append(tmp_path / f"{name}.py")
        files[-1].write_text(written(prose, tmp_path, name), encoding="utf-8")
    for check in (["check", "--no-cache"], ["format", "--diff"]):
        result = run("ruff", *check, "--config", ROOT / "generated/ruff.toml", *files)
        assert result.returncode == 0, result.stdout + result.stderr


def test_what_fits_is_one_line(tmp_path):
    title, part, _ = docstrings(written(PROSE["fits"], tmp_path))
    assert title.startswith("A small detector.\n\n")
    assert part == "A small detector."


def test_a_longer_text_begins_with_its_sentences_that_fit(tmp_path):
    for doc in docstrings(written(PROSE["sentences"], tmp_path)):
        assert doc.startswith("A detector of cells.\n\nA detector of blood cells on a network")


def test_a_longer_sentence_is_cut_between_words_and_goes_on(tmp_path):
    for doc in docstrings(written(PROSE["long"], tmp_path)):
        summary, rest = doc.split("\n\n")[:2]
        assert summary.endswith("...")
        assert rest.startswith("...")
        assert f"{summary[:-3]} {rest[3:]}".replace("\n", " ") == f"{PROSE['long']}."


@pytest.mark.parametrize("key", ["no_break", "lines"])
def test_words_stay_apart(key, tmp_path):
    for doc in docstrings(written(PROSE[key], tmp_path)):
        assert doc.startswith(" ".join(PROSE[key].split()) + ".")


def test_a_question_stays_one(tmp_path):
    assert all(
        doc.startswith("What is it?") for doc in docstrings(written("What is it?", tmp_path))
    )
    assert "?." not in written("What is it?", tmp_path)


def test_prose_of_spaces_is_none(tmp_path):
    with pytest.raises(Findings) as found:
        written("  ", tmp_path)
    found = [(d.code, d.message, d.labels[0].span.line) for d in found.value.diagnostics]
    assert found == [
        ("E0203", "`title` is empty", 3),
        ("E0203", "`cite` is empty", 4),
        ("E0203", "`doc` is empty", 9),
    ]
