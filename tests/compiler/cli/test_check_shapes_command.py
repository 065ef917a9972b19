"""`specc check-shapes`: the table, and the same as JSON."""

import json

import pytest
from commands import specc

Capture = pytest.CaptureFixture[str]

ROW = {
    "index": 1,
    "path": "0",
    "name": None,
    "op": "Conv2d",
    "expected": None,
    "shape": ["N", 8, 30, 30],
    "parameters": 224,
    "macs": 194400,
    "receptive_field": [3, 3],
    "failed": None,
}


def test_table(capsys: Capture) -> None:
    done = specc(capsys, "check-shapes", "good.yaml")
    assert (done.code, done.err) == (0, "")
    assert "net: 224 parameters, 194,400 multiply-adds" in done.out
    assert "expectations: 1 of 1 hold (30)" in done.out


def test_what_is_right_is_shown_with_what_is_wrong(capsys: Capture) -> None:
    done = specc(capsys, "check-shapes", "bad.yaml")
    assert done.code == 1
    assert "<- failed" in done.out
    assert "error[E0205]" in done.err


def test_another_input(capsys: Capture) -> None:
    done = specc(capsys, "check-shapes", "good.yaml", "--input", "64x48")
    assert done.code == 0
    assert "8x62x46" in done.out


@pytest.mark.parametrize("size", ["0", "-1", "axb", "1x2x3", "99999999"])
def test_an_input_that_is_no_size(size: str, capsys: Capture) -> None:
    done = specc(capsys, "check-shapes", "good.yaml", f"--input={size}")
    assert done.code == 2
    assert "512x640" in done.err


def test_json(capsys: Capture) -> None:
    done = specc(capsys, "check-shapes", "good.yaml", "--format", "json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert list(report) == [
        "version", "name", "spec", "ok", "parameters", "macs", "boxes", "rows", "diagnostics",
    ]  # fmt: skip
    assert report["rows"][1] == ROW
    again = specc(capsys, "check-shapes", "good.yaml", "--format", "json")
    assert again.out == done.out


@pytest.mark.parametrize(("spec", "code"), [("bad.yaml", "E0205"), ("missing.yaml", "E0101")])
def test_json_with_an_error(spec: str, code: str, capsys: Capture) -> None:
    done = specc(capsys, "check-shapes", spec, "--format", "json")
    assert (done.code, done.err) == (1, "")
    (found,) = json.loads(done.out)["diagnostics"]
    assert found["code"] == code
    assert set(found["labels"][0]) == {
        "path", "line", "column", "end_line", "end_column", "text", "primary",
    }  # fmt: skip


def test_json_of_several_specs_is_an_object_a_line(capsys: Capture) -> None:
    specs = ["good.yaml", "bad.yaml", "missing.yaml", "good.yaml:big"]
    done = specc(capsys, "check-shapes", *specs, "--format", "json")
    assert (done.code, done.err) == (1, "")
    reports = [json.loads(line) for line in done.out.splitlines()]
    assert [(report["spec"], report["ok"]) for report in reports] == [
        ("good.yaml", True), ("bad.yaml", False), ("missing.yaml", False), ("good.yaml", True),
    ]  # fmt: skip
    assert [report.get("name") for report in reports] == ["net", "net", None, "net_big"]
    codes = [[found["code"] for found in report["diagnostics"]] for report in reports]
    assert codes == [[], ["E0205"], ["E0101"], []]
