"""Figures that a spec expects: of rows and modules by their names, and of which values they speak."""

from pathlib import Path

import pytest
from marked import HEAD, Fault, check, findings

STAGES = (
    HEAD
    + """\
params: {width: 8}
layers:
  stage: {op: Block(width), repeat: 2}
  stages: Block(4)
modules:
  Block:
    params: {out: int}
    layers:
      - conv: Conv2d(_, out, 3)
      - act: ReLU()
"""
)
PARAMETERS = (3 * 9 + 1) * 8 + (8 * 9 + 1) * 8 + (8 * 9 + 1) * 4


def expecting(shapes: str) -> str:
    return f"{STAGES}expect: {{shapes: {shapes}}}\n"


@pytest.mark.parametrize("row", ["stage", "stage.1", "stage.1.act", "stage.1.1"])
def test_shapes_of_rows_and_modules(row: str, tmp_path: Path) -> None:
    assert findings(tmp_path, expecting(f"{{{row}: 28, stages: [4, 26, 26]}}")) == []
    check(tmp_path, Fault("E0411", expecting(f"{{{row}: «29»}}"), "mend the rows"))
    check(tmp_path, Fault("E0411", expecting(f"{{{row}: «[4, 28, 28]»}}"), "[8, 28, 28]"))


@pytest.mark.parametrize(("path", "count"), [("stage", PARAMETERS - 292), ("stage.1.0", 584)])
def test_parts_are_rows_modules_and_repeated_rows(path: str, count: int, tmp_path: Path) -> None:
    assert findings(tmp_path, f"{STAGES}expect: {{parts: {{{path}: {count}}}}}\n") == []
    wrong = f"{STAGES}expect: {{parts: {{{path}: «{count + 1}»}}}}\n"
    check(tmp_path, Fault("E0411", wrong, f"write {count}"))
    check(tmp_path, Fault("E0303", f"{STAGES}expect: {{parts: {{«stag»: 3}}}}\n", "`stage`"))


def test_a_path_that_is_no_tensor_is_unknown(tmp_path: Path) -> None:
    check(tmp_path, Fault("E0303", expecting("{«stage.0.cnv»: 30}"), "`stage.0.conv`"))


def test_figures_of_a_variant_at_a_size_are_the_variants(tmp_path: Path) -> None:
    text = STAGES.replace("3, 32, 32", "3, H, 32")
    expected = "{at: {H: 64}, shapes: {stage: [16, 60, 28]}}"
    variants = f"variants: {{wide: {{width: 16, expect: {expected}}}}}\n"
    assert findings(tmp_path, text + variants, variant="wide") == []


@pytest.mark.parametrize(("figure", "count"), [(PARAMETERS * 2, 1), (PARAMETERS, 0)])
def test_figures_of_a_variant_hold_for_the_variant_as_it_is(
    figure: int, count: int, tmp_path: Path
) -> None:
    """Another value of a parameter gives another model, of which the file says nothing."""
    variants = f"variants: {{same: {{width: 8, expect: {{params: {figure}}}}}}}\n"
    assert len(findings(tmp_path, STAGES + variants, variant="same")) == count
    assert findings(tmp_path, STAGES + variants, variant="same", width=5) == []
