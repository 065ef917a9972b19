"""What is written by a command and committed is what the command writes now: `make goldens`."""

import json

import pytest
from project import ROOT, SPECS, emissions, run


@pytest.mark.parametrize("spec", emissions())
def test_generated_module_is_fresh(spec):
    done = run("specc", "build", "--check", spec)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_generated_module_has_its_spec():
    named = {spec.stem for spec in SPECS}
    strays = [p.name for p in ROOT.glob("generated/*.py") if not any(map(p.stem.startswith, named))]
    assert not strays


def test_schema_is_fresh():
    done = run("specc", "schema")
    assert done.returncode == 0, done.stderr
    committed = (ROOT / "specs/specc.schema.json").read_text(encoding="utf-8")
    assert committed == done.stdout, "run `make goldens`"
    json.loads(committed)


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_spec_names_its_schema_to_editors(spec):
    first = spec.read_text(encoding="utf-8").partition("\n")[0]
    prefix = "# yaml-language-server: $schema="
    assert first.startswith(prefix)
    assert (spec.parent / first.removeprefix(prefix)).resolve() == ROOT / "specs/specc.schema.json"


@pytest.mark.parametrize(
    "script",
    ["make_ops.py", "make_errata.py", "make_zoo.py", "make_results.py", "make_speed.py"],
)
def test_page_is_fresh(script):
    done = run("python", f"docs/{script}", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
