"""One spec is one text: whoever builds it, how often, and in which process."""

from __future__ import annotations

import pytest
from emitted import ROOT, run

import specc
from specc.emit.module import emit_module

SPECS = sorted(ROOT.glob("specs/*.yaml"))
CASES = [path.with_name("spec.yaml") for path in sorted(ROOT.glob("tests/cases/*/model.py"))]


@pytest.mark.parametrize(
    "path", [*SPECS, *CASES], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_two_builds_are_equal(path):
    model = specc.compile(path)
    assert model.source == specc.compile(path).source
    assert model.source == emit_module(model.hierarchy, model.facts, str(path))


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_order_of_sets_leaves_no_trace(seed, tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder, hashed in zip(folders, (seed, "0"), strict=True):
        built = run("specc", "build", *SPECS, "-o", folder, PYTHONHASHSEED=hashed)
        assert built.returncode == 0, built.stderr
    one, other = ([p.read_bytes() for p in sorted(f.iterdir())] for f in folders)
    assert one == other
    assert len(one) == len(SPECS)


def test_the_folder_it_is_built_from_leaves_no_trace(tmp_path, monkeypatch):
    before = specc.compile(SPECS[0]).source
    monkeypatch.chdir(tmp_path)
    assert specc.compile(SPECS[0]).source == before
