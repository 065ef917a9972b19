"""`--format sarif`: one log for all specs of a command."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import specc

Capture = pytest.CaptureFixture[str]


def results(out: str) -> list[dict[str, Any]]:
    (run,) = json.loads(out)["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [
        result["ruleId"] for result in run["results"]
    ]
    return run["results"]


def test_check_shapes(capsys: Capture) -> None:
    specs = ["good.yaml", "bad.yaml", "advised.yaml", "missing.yaml"]
    done = specc(capsys, "check-shapes", *specs, "--format", "sarif")
    assert (done.code, done.err) == (1, "")
    assert [result["ruleId"] for result in results(done.out)] == ["E0205", "W0602", "E0101"]


def test_a_good_spec(capsys: Capture) -> None:
    done = specc(capsys, "check-shapes", "good.yaml", "--format", "sarif")
    assert (done.code, results(done.out)) == (0, [])


def test_build_writes_the_module_too(capsys: Capture) -> None:
    done = specc(capsys, "build", "advised.yaml", "bad.yaml", "--format", "sarif")
    assert done.code == 1
    assert [result["ruleId"] for result in results(done.out)] == ["W0602", "E0205"]
    assert Path("generated/net.py").is_file()


def test_the_fix_of_a_misspelled_op(capsys: Capture) -> None:
    done = specc(capsys, "build", "bad.yaml", "--format", "sarif")
    (found,) = results(done.out)
    (change,) = found["fixes"][0]["artifactChanges"]
    (replacement,) = change["replacements"]
    region, text = replacement["deletedRegion"], replacement["insertedContent"]["text"]
    lines = Path(change["artifactLocation"]["uri"]).read_text().splitlines(keepends=True)
    row = lines[region["startLine"] - 1]
    row = row[: region["startColumn"] - 1] + text + row[region["endColumn"] - 1 :]
    lines[region["startLine"] - 1] = row
    Path("bad.yaml").write_text("".join(lines))
    assert specc(capsys, "check-shapes", "bad.yaml").code == 0
