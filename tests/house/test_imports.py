"""Which module may import which (pyproject.toml, `tool.importlinter`), and what a compile loads."""

import textwrap

import pytest
from importlinter import cli
from project import ROOT, SPECS, run

HEAVY = ("torch", "torchvision", "numpy", "cv2", "specc_runtime")


def test_import_contracts_hold(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code = cli.lint_imports(no_cache=True, no_logo=True)
    assert code == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_the_compiler_works_where_torch_cannot_be_imported(spec, tmp_path):
    program = f"""
        import sys

        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {HEAVY!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

        sys.meta_path.insert(0, Absent())
        from specc.cli import main

        spec, out = sys.argv[1:]
        assert main(["build", spec, "-o", out]) == 0
        assert main(["check-shapes", spec]) == 0
        assert main(["viz", spec, "-o", out + "/graph.dot"]) == 0
        assert main(["schema"]) == 0
        assert not set({HEAVY!r}) & set(sys.modules)
    """
    done = run("python", "-c", textwrap.dedent(program), spec, tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_runtime_reads_recipes_with_yaml_alone():
    program = """
        import sys
        import specc_runtime.cli
        rest = {"jsonschema", "networkx", "jinja2", "graphviz", "specc.driver"} & set(sys.modules)
        assert not rest, rest
    """
    done = run("python", "-c", textwrap.dedent(program))
    assert done.returncode == 0, done.stderr
