"""The zoo's table in the README says what the compiler counts and what the benchmarks measured."""

import json
import re

import pytest
from project import ROOT, SPECS, run

ROW = re.compile(r"^\| \[(\w+)\]\(specs/\w+\.yaml\) \| (.*) \|$", re.MULTILINE)
TABLE = {
    m[1]: [c.strip() for c in m[2].split("|")]
    for m in ROW.finditer((ROOT / "README.md").read_text())
}
MEASURED = re.compile(r"\[(0\.\d+)(?: on [\w ]+)?\]\((benchmarks/results/\w+\.json)\)")


def test_table_lists_the_zoo():
    assert sorted(TABLE) == sorted(spec.stem for spec in SPECS)


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_figures_are_the_compilers(spec):
    done = run("specc", "check-shapes", "--format", "json", spec)
    report = json.loads(done.stdout)
    size = "x".join(map(str, report["rows"][0]["shape"][1:]))
    counted = [f"{report[key]:,}" for key in ("parameters", "macs", "boxes")]
    assert TABLE[spec.stem][:4] == [size, *counted]


@pytest.mark.parametrize("name", TABLE)
def test_scores_are_those_measured(name):
    cell = TABLE[name][4]
    for score, file in MEASURED.findall(cell):
        result = json.loads((ROOT / file).read_text(encoding="utf-8"))
        assert f"{result['map50']:.{len(score) - 2}f}" == score
    assert not MEASURED.sub("", cell).strip(", "), "a score is a link to its result"
