"""Emitted files read as if a colleague had written them: linted, formatted, typed, and free of specc."""

from __future__ import annotations

import ast
import json
import shutil
import sys

import pytest
from emitted import GENERATED, GOLDEN, ROOT, run

RULES = ROOT / "generated/ruff.toml"
FROM_TORCHVISION_OPS = {"nms", "roi_align", "roi_pool", "stochastic_depth", "deform_conv2d"}
FILES = [*GENERATED, *GOLDEN]


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "check", [["check", "--no-cache"], ["format", "--diff"]], ids=lambda c: c[0]
)
def test_ruff_has_nothing_to_say(check):
    result = run("ruff", *check, "--config", RULES, *FILES)
    assert result.returncode == 0, result.stdout + result.stderr


def test_pyright_strict_has_nothing_to_say(tmp_path):
    for path in FILES:
        shutil.copy(path, tmp_path / name(path).replace("/", "_"))
    settings = tmp_path / "pyrightconfig.json"
    settings.write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
    result = run("pyright", "-p", settings, "--pythonpath", sys.executable, "--outputjson")
    report = json.loads(result.stdout)
    assert not report["generalDiagnostics"], result.stdout
    assert report["summary"]["filesAnalyzed"] == len(FILES)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_are_torch_and_the_standard_library(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= {"torch", *sys.stdlib_module_names}
        elif isinstance(node, ast.ImportFrom) and node.module == "torchvision.ops":
            assert {alias.name for alias in node.names} <= FROM_TORCHVISION_OPS
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] in {"torch", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_class_has_a_docstring_and_every_function_its_types(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            assert ast.get_docstring(node), node.name
        elif isinstance(node, ast.FunctionDef):
            assert node.returns is not None, node.name
            arguments = [a for a in node.args.args if a.arg != "self"]
            assert all(a.annotation for a in arguments), node.name


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_argument_is_read_and_no_loop_turns_once(path):
    text = path.read_text(encoding="utf-8")
    assert "in range(1))" not in text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            read = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            assert {a.arg for a in node.args.args} - {"self"} <= read, node.name


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_name_and_its_shape_stand_on_one_line(path):
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    *flow, figures = [line for line in doc.splitlines() if line.startswith("    ")]
    assert "parameters" in figures
    assert all(line.endswith((",", ")", "]", "->")) for line in flow), doc
