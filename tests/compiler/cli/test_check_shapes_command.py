"""`specc check-shapes`: the table, and the same as JSON."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import GOOD, Done, specc

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


MARKS = {
    # rows, and what stands behind them
    ("Conv2d(_, 8, 3)", "ReLU(inplace=True) -> 32", "AvgPool2d(16)", "Conv2d(_, 8, 31)"): [
        "<- wrong", "<- not as expected", "", "<- failed",
    ],
    ("a: ReLU()", "b: ReLU(inplace=True)", "Add()(a, b)"): ["", "<- wrong", ""],
}  # fmt: skip


@pytest.mark.parametrize(("rows", "marks"), MARKS.items())
def test_rows_with_errors_are_marked(
    rows: tuple[str, ...], marks: list[str], folder: Path, capsys: Capture
) -> None:
    head = "specc: 1\nname: net\ninputs: {x: [N, 3, 32, 32]}\nlayers:\n"
    text = head + "".join(f"  - {row}\n" for row in rows)
    (folder / "marked.yaml").write_text(text, encoding="utf-8")
    _, _, _, *lines = specc(capsys, "check-shapes", "marked.yaml").out.splitlines()
    for line, mark in zip(lines, marks, strict=False):
        assert line.partition("<-")[2] == mark.removeprefix("<-")


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


def test_json_names_the_rows_that_a_finding_is_about(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(GOOD.replace("-> 30", "-> 31"))
    done = specc(capsys, "check-shapes", path, "--format", "json")
    report = json.loads(done.out)
    (found,) = report["diagnostics"]
    assert found["code"] == "E0410"
    assert found["rows"] == [report["rows"][1]["path"]]


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


def test_verifying_open_sizes_needs_an_input(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "open.yaml"
    path.write_text(GOOD.replace("32, 32", "H, W").replace(" -> 30", ""))
    done = specc(capsys, "check-shapes", path, "--verify")
    assert done.code == 2
    assert done.err == (
        "specc check-shapes: --verify needs a height and a width: net leaves them open; "
        "add --input 512\n"
    )


SHARED = """\
specc: 1
name: net
inputs: {left: [N, 1, 32, 32], right: [N, 1, 16, 16], regions: [N, R, 4]}
layers:
  both:
    for: {map: "[left, right]"}
    shared: true
    op: Block()(map)
  pair: Cat(2)(regions, regions)
outputs: {maps: both, pair: pair}
modules:
  Block:
    layers:
      conv: Conv2d(_, 8, 3, padding=1)
      pool: MaxPool2d(2)
"""


def verified(capsys: Capture, folder: Path) -> Done:
    pytest.importorskip("specc_runtime")
    path = folder / "shared.yaml"
    path.write_text(SHARED)
    return specc(capsys, "check-shapes", path, "--verify")


def test_verify_compares_every_call_and_every_output(capsys: Capture, tmp_path: Path) -> None:
    done = verified(capsys, tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith(
        "verified: 4 of 4 layers, 2 of 2 modules, 2 of 2 outputs give the inferred shape\n"
        "seen only through what reads them, being no layers of PyTorch: 1 Cat\n"
    )


@pytest.mark.parametrize(
    ("right", "wrong", "differs"),
    [
        ("[[2, 8, 8, 8]]]", "[[2, 8, 7, 8]]]", "both@1.pool: inferred 8x8x8, torch gives 8x7x8"),
        ("[[2, 8, 16, 16]]]", "[]]", "both@1.conv: inferred 8x16x16, torch gives nothing"),
        ("[2, 3, 8]", "[2, 3, 4]", "pair: inferred 3x8, torch gives 3x4"),
        ("[2, 3, 8]", "[2, 3]", "pair: inferred 3x8, torch gives 3"),
        ("[2, 3, 8]", "[2, null, 8]", ""),
    ],
)
def test_verify_tells_what_differs(
    right: str,
    wrong: str,
    differs: str,
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = subprocess.run

    def altered(*command: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        done = run(*command, **options)
        assert right in done.stdout
        done.stdout = done.stdout.replace(right, wrong, 1)
        return done

    monkeypatch.setattr("specc.cli.verify.subprocess.run", altered)
    done = verified(capsys, tmp_path)
    assert (done.code, done.err.strip()) == (1 if differs else 0, differs)


def test_verify_says_in_a_line_why_it_cannot(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(*command: Any, **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "Warning: old\nerror: `pool` fails\n")

    monkeypatch.setattr("specc.cli.verify.subprocess.run", failed)
    done = verified(capsys, tmp_path)
    assert (done.code, done.err) == (1, "specc check-shapes: cannot verify net: `pool` fails\n")
