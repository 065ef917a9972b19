"""Faults in maps of weights: patterns, keys left out or filled twice, conversions."""

from pathlib import Path

import pytest
from marked import Fault, check, findings, named

import specc
from specc.documents import Findings

STEM = "stem: Conv2d(_, 8, 3)"
BODY = 'body: {repeat: 2, op: "Conv2d(_, 8, 3)"}'
ABSENT = 'more: {if: "False", op: "Conv2d(_, 8, 3)"}'


def mapped(*lines: str, more: str = "", name: str = "theirs") -> str:
    """Return a spec of `stem` and `body` with a map of these lines."""
    section = f"weights:\n  {name}:\n    map:\n" + "".join(f"      {line}\n" for line in lines)
    return named(STEM, BODY, ABSENT, more=section + more)


ALL = "'{p}': '{p}'"
BOTH = ("stem.{p}: a.{p}", "body.{i}.{p}: b.{i}.{p}")

FAULTS = [
    Fault("E0701", mapped("body.«{number}».{p}: b.{p}", ALL), "`{i}` or `{i < 23}`"),
    Fault("E0701", mapped("body.«{3}».{p}: b.{p}", ALL), "`{i}` or `{i < 23}`"),
    Fault("E0701", mapped("body.{i}.«{i}»: b.{i}", ALL), "another letter"),
    Fault("E0701", mapped("body.{i}«{p}»: b.{i}", ALL), "text between"),
    Fault("E0701", mapped("body.{i}1«{j}».{p}: b.{i}", ALL), "that is no number"),
    Fault("E0701", mapped("«body.{i»: b", ALL), "`{p}` for any text"),
    Fault("E0701", mapped("body.{p}: «b.p}»", ALL), "`{p}` for any text"),
    Fault("E0701", mapped(ALL, "«''»: b"), "`{p}` for any text"),
    Fault("E0701", mapped(ALL, more="    drop: ['fc.«{fc}»']\n"), "`{i}`"),
    Fault("E0701", mapped(ALL, more="    drop: ['fc.{«i > 3»}']\n"), "write `{i}`"),
    Fault("E0204", mapped("body.{«i» <}.{p}: b.{i}.{p}", ALL), "check the commas"),
    Fault("E0213", mapped("body.{i}.{p}: b.{«[k for k in i]»}.{p}", ALL), "arithmetic"),
    Fault("E0301", mapped("body.{i < «depth»}.{p}: b.{i}.{p}", ALL), "names here are"),
    Fault("E0301", mapped("body.{i}.{p}: b.{«j»}.{p}", ALL), "names here are"),
    Fault("E0214", mapped("body.{i}.{p}: b.{«1 // i»}.{p}", ALL), "check the values"),
    Fault("E0303", mapped(*BOTH, "«bodi.{p}»: c.{p}"), "did you mean `body`?"),
    Fault("E0303", mapped(*BOTH, "«neck.{p}»: c.{p}"), "specc check-shapes"),
    Fault("E0303", mapped(ALL, more="    into: «stm»\n"), "did you mean `stem`?"),
    Fault(
        "E0702",
        mapped("stem.weight: a.weight", "body.{p}: b.{p}").replace("  theirs:", "  «theirs»:"),
        "`stem.{p}: ...`",
    ),
    Fault(
        "E0702",
        mapped("body.{i < 1}.{p}: b.{p}").replace("  theirs:", "  «theirs»:"),
        "or to `new`",
    ),
    Fault("E0703", mapped("stem.{p}: a.{p}", "body.{i}.{p}: «b.{p}»"), "a key of its own"),
    Fault("E0703", mapped("stem.{p}: a.0.{p}", "body.{i}.{p}: «a.{i}.{p}»"), "a key of its own"),
    Fault("E0704", mapped("stem.{p}: a.{p}", "body.{i}.{p}: b.{«i - 1»}.{p}"), "from 0 up"),
    Fault("E0704", mapped("stem.{p}: a.{p}", "body.{i}.{p}: b.{«i / 2»}.{p}"), "from 0 up"),
    Fault("E0704", mapped("stem.{p}: a.{p}", "body.{i}.{p}: b.{«[i]»}.{p}"), "from 0 up"),
    Fault("E0705", mapped(ALL, more="    convert: {«fc.weight»: Decimate()}\n"), "stem.weight"),
    Fault("E0205", mapped(ALL, more="    convert: {stem.weight: «Decimat»()}\n"), "`Decimate`"),
    Fault("E0204", mapped(ALL, more="    convert: {stem.weight: «Decimate»}\n"), "Decimate(...)"),
    Fault(
        "E0207",
        mapped(ALL, more="    convert: {stem.weight: «ReorderOutputs»()}\n"),
        "ReorderOutputs(",
    ),
    Fault("E0205", mapped(ALL, more="    preprocess: «Preproces»()\n"), "`Preprocess`"),
    Fault("E0301", mapped(ALL, more="    if: «tf»\n"), "names here are"),
    Fault("E0203", mapped(ALL, more="    drop: «fc.weight»\n"), "a list"),
    Fault("E0201", mapped(ALL, more="    «drops»: [fc.weight]\n"), "`drop`"),
    Fault("E0202", named(STEM, more="weights: {theirs: {«new»: [stem.weight]}}\n"), "`map:`"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


def test_a_key_filled_twice_shows_both_lines(tmp_path: Path) -> None:
    fault = Fault("E0703", mapped("stem.{p}: a.0.{p}", "body.{i}.{p}: «a.{i}.{p}»"), "")
    found = check(tmp_path, fault)
    assert found.message == "`stem.weight` and `body.0.weight` would both be `a.0.weight`"
    assert [label.span.text for label in found.labels] == ["a.{i}.{p}", "a.0.{p}"]


def test_a_key_left_out_counts_the_others(tmp_path: Path) -> None:
    found = findings(tmp_path, mapped("stem.weight: a"))
    assert [each.message for each in found] == [
        "`theirs` says nothing of `stem.bias` and 4 more",
    ]


def test_a_failing_line_is_reported_once_with_its_key(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, mapped("stem.{p}: a.{p}", "body.{i}.{p}: b.{i - 1}.{p}"))
    assert (found.code, found.note) == ("E0704", "for `body.0.weight`")
    (found,) = findings(tmp_path, mapped("body.{i}.{p}: b.{i - 1}.{p}"))
    assert found.code == "E0704", "what the map leaves out is another matter"


def test_a_row_that_a_condition_leaves_out_may_be_spoken_of(tmp_path: Path) -> None:
    assert findings(tmp_path, mapped(*BOTH, "more.{p}: c.{p}")) == []


def test_maps_do_not_stand_in_the_way_of_other_parameters(tmp_path: Path) -> None:
    """The figures and maps of a file are those of the values in it."""
    text = mapped("stem.{p}: a.{p}", "body.{i < 2}.{p}: b.{i}.{p}")
    text = text.replace("repeat: 2", "repeat: depth").replace(
        "layers:", "params: {depth: 2}\nlayers:"
    )
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    assert list(specc.compile(path).weights) == ["theirs"]
    deeper = specc.compile(path, depth=3)
    assert deeper.ok
    with pytest.raises(Findings, match=r"E0702.*body\.2\.weight"):
        deeper.weights  # noqa: B018
