"""The notebooks' cells run, in their order, in the folder that they lie in."""

import json

import pytest
import torch
from project import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


def cells(path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_run_in_their_order(path, monkeypatch, tmp_path):
    torch.set_num_threads(1)
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = {}
    for number, cell in enumerate(cells(path)):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{path.name}:{number}", "exec"), names)
    assert {"scores", "found", "figures"} <= names.keys()
    assert names["run"].best.is_file() and 0 <= names["scores"]["map50"] <= 1
    assert (names["folder"] / "found" / "detections.json").is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_a_machine_is_kept_in_it(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert code and all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
