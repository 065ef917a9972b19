"""Specs that want to be too large, too deep, or run as code."""

import ast
from pathlib import Path

import pytest
from marked import HEAD, findings, named, rows

import specc

DOUBLED = "".join(f"  a{n}: a{n - 1} + a{n - 1}\n" for n in range(1, 40))
NESTED = "".join(f"  a{n}: '[a{n - 1}, a{n - 1}]'\n" for n in range(1, 40))
CALLS = (
    "".join(f"  A{n}: {{layers: {{a: A{n + 1}(), b: A{n + 1}()}}}}\n" for n in range(28))
    + "  A28: {layers: {a: ReLU()}}\n"
)
CHAIN = (
    "".join(f"  A{n}: {{layers: {{a: A{n + 1}()}}}}\n" for n in range(31))
    + "  A31: {layers: {a: ReLU()}}\n"
)
OUTPUTS = (
    "".join(f"  A{n}: {{layers: {{a: A{n + 1}(), b: '[a, a]'}}}}\n" for n in range(28))
    + "  A28: {layers: {a: ReLU()}}\n"
)
REPEATS = "  A: {layers: {a: {op: ReLU(), repeat: 10000}}}\n"

EXPRESSIONS = {
    "(" * 10_000: "E0212",
    "(" * 1_000_000: "E0212",
    "(" * 30 + "1" + ")" * 30: "E0212",
    "-" * 1_900 + "1": "E0212",
    "not " * 400 + "1": "E0212",
    "a" + ".a" * 900: "E0212",
    "1" + "+1" * 900: "E0212",
    "len" + "()" * 900: "E0212",
    "image" + "[0]" * 600: "E0212",
    "1 if 1 else " * 150 + "1": "E0212",
    "9**9**9": "E0214",
    "2**-65": "E0214",
    "exp(40)": "E0214",
    "9" * 1_500: "E0214",
    "9" * 100_000: "E0212",
    "0x" + "f" * 1_500: "E0214",
    "1e400": "E0214",
    "[1] * 1000000000": "E0214",
    "'a' * 1000000000": "E0214",
    "range(1000000000)": "E0214",
    "range(10001)": "E0214",
    "[*range(9999), 1, 1]": "E0214",
    "[range(9000), range(9000)]": "E0214",
    "a" * 1_000_000: "E0212",
}
AT_THE_LIMIT = [
    "len(range(10000)) // 1250",
    "len([*range(9999), 1]) // 1250",
    "2**53 // 2**50",
    "8 * 1**64",
    "(" * 23 + "8" + ")" * 23,
    "8".ljust(2_000 - len("Conv2d(3, , 3)")),
]

DOCUMENTS = {
    "deep": ("[" * 1_000_000, "E0112"),
    "deep blocks": ("\n".join(" " * depth + "a:" for depth in range(1_000)), "E0112"),
    "aliases": (HEAD + "let:\n  a: &a [1, 1]\n  b: &b [*a, *a]\n  c: [*b, *b]\n", "E0110"),
    "formulas": (
        rows("Conv2d(_, a39, 3)", more="params: {n: 1}\nlet:\n  a0: n\n" + DOUBLED),
        "E0211",
    ),
    "lists": (rows("ReLU(a39)", more="let:\n  a0: [1]\n" + NESTED), "E0214"),
    "modules": (named("a: A0()", more="modules:\n" + CALLS), "E0218"),
    "a chain of modules": (named("a: A0()", more="modules:\n" + CHAIN), "E0218"),
    "outputs": (named("a: A0()", more="modules:\n" + OUTPUTS), "E0218"),
    "repeats": (named("a: {op: A(), repeat: 10000}", more="modules:\n" + REPEATS), "E0218"),
}

CODE = [
    "x'); import os; os.system('touch hacked",
    '"""; import os; os.system("touch hacked") #',
    "__import__('os').system('touch hacked')",
    "{{ cycler.__init__.__globals__.os.popen('touch hacked') }}",
    "{% include 'x' %}",
    "\\",
    'x\\"""\\',
]
TEMPLATES = {
    "title": "title: {}\n",
    "cite": "cite: {}\n",
    "doc": "doc: {}\n",
    "class": "class: {}\n",
    "name": "params: {{{}: 3}}\n",
    "variant": "variants: {{{}: {{}}}}\n",
    "output": "outputs: {{{}: image}}\n",
    "stage": "stages: {{{}: a}}\n",
    "let": "let: {{k: {}}}\n",
    "preprocess": "preprocess: {}\n",
    "detector": "detector: {{maps: image, anchors: {}}}\n",
}
CALLED = {"super", "__init__", "Conv2d", "conv", "a", "MODEL"}


@pytest.mark.parametrize(("expression", "code"), EXPRESSIONS.items(), ids=lambda text: text[:20])
def test_expression(expression: str, code: str, tmp_path: Path) -> None:
    found = findings(tmp_path, rows(f"Conv2d(3, {expression}, 3)"))
    assert [diagnostic.code for diagnostic in found] == [code]


@pytest.mark.parametrize("expression", AT_THE_LIMIT, ids=lambda text: text[:20])
def test_as_much_as_is_allowed(expression: str, tmp_path: Path) -> None:
    assert findings(tmp_path, rows(f"Conv2d(3, {expression}, 3)")) == []
    assert "nn.Conv2d(3, 8, " in specc.compile(tmp_path / "spec.yaml").source


@pytest.mark.parametrize(("text", "code"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(text: str, code: str, tmp_path: Path) -> None:
    found = findings(tmp_path, text)
    assert code in {diagnostic.code for diagnostic in found}


def test_a_longer_formula_than_anyone_reads_becomes_its_number(tmp_path: Path) -> None:
    doubled = "".join(f"  a{n}: a{n - 1} + a{n - 1}\n" for n in range(1, 12))
    text = rows("Conv2d(_, a11, 3)", more="params: {n: 1}\nlet:\n  a0: n\n" + doubled)
    assert findings(tmp_path, text) == []
    assert "2048" in specc.compile(tmp_path / "spec.yaml").source


@pytest.mark.parametrize("code", CODE)
@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_code_stays_text(template: str, code: str, tmp_path: Path) -> None:
    quoted = "'" + code.replace("'", "''") + "'"
    text = named("a: Conv2d(3, 8, 3)", more=template.format(quoted))
    if all(diagnostic.severity == "warning" for diagnostic in findings(tmp_path, text)):
        tree = ast.parse(specc.compile(tmp_path / "spec.yaml").source)
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        names = {ast.unparse(call).rpartition(".")[2] for call in calls}
        assert names <= CALLED
        assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


@pytest.mark.parametrize("code", CODE[:4])
def test_code_in_the_name_of_the_file(code: str, tmp_path: Path) -> None:
    path = tmp_path / (code.replace("/", "") + ".yaml")
    path.write_text(named("a: Conv2d(3, 8, 3)"), encoding="utf-8")
    tree = ast.parse(specc.compile(path).source)
    assert not any(isinstance(node, ast.Import) for node in ast.walk(tree))


def test_a_tag_is_never_obeyed(tmp_path: Path) -> None:
    text = rows("!!python/object/apply:os.system [touch hacked]")
    assert [found.code for found in findings(tmp_path, text)] == ["E0111"]
