"""The zoo's table in the README says what the compiler counts and what the benchmarks measured."""

import json
import re

import pytest
from project import ROOT, SPECS

import specc

ROW = re.compile(r"^\| \[(\w+)\]\(specs/\w+\.yaml\) \| (.*) \|$", re.MULTILINE)
TABLE = {
    m[1]: [c.strip() for c in m[2].split("|")]
    for m in ROW.finditer((ROOT / "README.md").read_text())
}
MEASURED = re.compile(r"\[(0\.\d+)(?: on [\w ]+)?\]\((benchmarks/results/[\w/]+\.json)\)")


MODELS = {spec.stem: specc.compile(spec) for spec in SPECS}
DETECTORS = sorted(name for name, model in MODELS.items() if model.boxes)


def test_table_lists_the_detectors_of_the_zoo():
    assert sorted(TABLE) == DETECTORS


@pytest.mark.parametrize("name", DETECTORS)
def test_figures_are_the_compilers(name):
    model = MODELS[name]
    size = "x".join(map(str, next(iter(model.shapes.values()))[1:]))
    counted = [f"{figure:,}" for figure in (model.parameters, model.macs, model.boxes)]
    assert TABLE[name][:4] == [size, *counted]


@pytest.mark.parametrize("name", TABLE)
def test_scores_are_those_measured(name):
    cell = TABLE[name][4]
    for score, file in MEASURED.findall(cell):
        result = json.loads((ROOT / file).read_text(encoding="utf-8"))
        assert f"{result['map50']:.{len(score) - 2}f}" == score
    assert not MEASURED.sub("", cell).strip(", "), "a score is a link to its result"
