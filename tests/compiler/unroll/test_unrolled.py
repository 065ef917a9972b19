"""A spec that is written out is a spec: of the same state dict, shapes, figures and values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

import specc
from specc.documents import Findings, Mapping, Source, parse
from specc.driver import Model, compile_spec
from specc.format import formatted
from specc.ir.tensors import leaves
from specc.unroll import unrolled

ROOT = Path(__file__).parents[3]
SPECS = sorted(
    [
        *ROOT.glob("specs/*.yaml"),
        *ROOT.glob("tests/compiler/language/networks/*.yaml"),
        *ROOT.glob("tests/cases/*/spec.yaml"),
    ]
)
HEAD = "specc: 1\nname: net\ninputs: {image: [N, 3, 32, 32]}\n"


def readable(path: Path) -> Model | None:
    try:
        model = compile_spec(path)
    except Findings:
        return None
    return model if model.ok else None


def again(model: Model, folder: Path) -> Model:
    path = folder / "unrolled.yaml"
    path.write_text(unrolled(model), encoding="utf-8")
    found = compile_spec(path)
    assert found.ok, [(d.code, d.message, d.labels[0].span.line) for d in found.diagnostics]
    return found


def agree(model: Model, other: Model) -> None:
    assert other.facts.costs.state == model.facts.costs.state
    assert other.shapes == model.shapes
    assert (other.parameters, other.macs, other.boxes) == (
        model.parameters,
        model.macs,
        model.boxes,
    )
    detector, expected = other.facts.detector, model.facts.detector
    if expected is not None:
        assert detector == expected | {"name": model.name}
    outputs, wanted = other.hierarchy.outputs(), model.hierarchy.outputs()
    assert {name: [t.origin for t in leaves(v)] for name, v in outputs.items()} == {
        name: [t.origin for t in leaves(v)] for name, v in wanted.items()
    }
    for path, node in model.hierarchy.rows.items():
        twin = other.hierarchy[path]
        assert (twin.inputs, twin.owner) == (node.inputs, node.owner)
        assert repr(twin.op) == repr(node.op)
    assert beginnings(other) == beginnings(model)


def beginnings(model: Model) -> dict[str, str]:
    """Return how tensors are filled, by the path of their row."""
    rows = [row for instance in model.hierarchy.instances() for row in instance.rows]
    applies = [apply for row in rows for apply in row.applies]
    return {
        f"{apply.path}.{name}": repr(made)
        for apply in applies
        for name, made in apply.initial.items()
    }


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_spec(path: Path, tmp_path: Path) -> None:
    model = readable(path)
    if model is None or not model.ok:
        assert path.parent.name.startswith("notes_") or path.stem == "fpn"
        return
    for variant in (None, *list(model.spec.variants)[-1:]):
        model = compile_spec(path, variant=variant)
        agree(model, again(model, tmp_path))
        text = unrolled(model)
        document = cast("Mapping", parse(Source("a.yaml", text)))
        assert formatted(document).span.source.text == text


CASES = {
    "a shared op that takes what it gave": """
layers:
  a: Conv2d(3, 8, 3, padding=1)
  smaller:
    for: {i: range(3)}
    op: "MaxPool2d(2)(smaller[i - 1] if i > 0 else a)"
    shared: true
outputs: {maps: smaller}
""",
    "left out of a list": """
layers:
  - Conv2d(3, 8, 3)
  - {if: 1 > 2, op: ReLU()}
  - Conv2d(8, 4, 1)
""",
    "left out at the end of a list": """
layers: {a: B(), b: "Conv2d(8, 4, 1)"}
modules:
  B:
    layers:
      - Conv2d(3, 8, 3)
      - {if: 1 > 2, op: ReLU()}
""",
    "a shared op, tapped": """
layers:
  a: Conv2d(3, 8, 3, padding=1)
  b: Conv2d(_, 8, 3, padding=1, stride=2)
  head: {for: {m: "[a, b]"}, op: "Conv2d(_, 4, 1)(m)", shared: true}
  last: ReLU()(head[1])
outputs: {first: "head[0]", last: last}
""",
    "a shared module in a list, and its taps": """
layers:
  - a: Conv2d(3, 8, 3, padding=1)
  - b: MaxPool2d(2)
  - head: {for: {m: "[a, b]"}, op: "Head()(m)", shared: true}
  - ReLU()(head[1].c)
outputs: {maps: head}
modules: {Head: {layers: {c: "Conv2d(_, 4, 1)", d: "Inner()"}}, Inner: {layers: ["Conv2d(_, 2, 1)"]}}
""",
    "shared inside shared": """
layers:
  a: Conv2d(3, 8, 3, padding=1)
  b: MaxPool2d(2)
  head: {for: {m: "[a, b]"}, op: "Head()(m)", shared: true}
outputs: {maps: head}
modules:
  Head:
    layers:
      twice: {for: {i: "[0, 1]"}, op: "Conv2d(_, 8, 1)(x)", shared: true}
      total: Add()(twice)
""",
    "initial values, of a named row and of one without": """
layers:
  - op: Conv2d(3, 8, 3)
    init: {weight: normal_(std=0.01), bias: zeros_()}
  - last: {op: "Conv2d(8, 8, 3)", init: {bias: constant_(-4.6)}}
""",
    "initial values of modules": """
init: {Conv2d: {weight: normal_(std=0.01), bias: zeros_()}}
layers: {a: "Conv2d(3, 8, 3)", b: B(0.5), c: "Conv2d(_, 8, 1, bias=False)"}
modules:
  B:
    params: {gain: float}
    init: {Conv2d: {bias: constant_(gain)}}
    layers: {a: "Conv2d(8, 8, 3)", b: C()}
  C: {layers: ["Conv2d(8, 8, 3)"]}
""",
    "a row named as an output": """
layers: {a: B(), b: "Conv2d(8, 4, 1)(a.y)"}
modules:
  B:
    layers: {out: "Conv2d(3, 8, 3)", other: ReLU()}
    outputs: {y: out, z: other}
outputs: {b: b, z: a.z}
""",
    "loops in modules in loops": """
layers:
  a: Conv2d(3, 4, 3, padding=1)
  b: MaxPool2d(2)
  parts: {for: {m: "[a, b]", n: "[1, 2]"}, op: "B(n)([m, m])"}
outputs: {parts: parts}
modules:
  B:
    params: {n: int}
    inputs: [maps]
    layers:
      each: {for: {m: maps, k: "[1, 3]"}, op: "Conv2d(_, 4 * n, k, padding=k // 2)(m)"}
      chain: {repeat: n, op: "Conv2d(_, 4, 1)(maps[0])", first: {stride: 2}}
      total: Add()(each)
""",
    "several outputs passed on": """
layers: {a: B(), b: Add(), c: "Cat()(a, b)"}
modules:
  B:
    layers: {p: "Conv2d(3, 8, 1)", q: ReLU()}
    outputs: [p, q]
""",
}


@pytest.mark.parametrize("rows", CASES.values(), ids=CASES)
def test_constructs(rows: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + rows, encoding="utf-8")
    model = compile_spec(path)
    assert model.ok, [(d.code, d.message) for d in model.diagnostics]
    other = again(model, tmp_path)
    agree(model, other)
    torch.manual_seed(0)
    ours, theirs = specc.load(path), specc.load(tmp_path / "unrolled.yaml")
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(2, 3, 32, 32)
    for one, two in zip(flat(ours.eval()(image)), flat(theirs.eval()(image)), strict=True):
        assert torch.equal(one, two)


def flat(value: object) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [tensor for item in cast("tuple[object, ...]", value) for tensor in flat(item)]


def test_each_row_says_where_it_comes_from() -> None:
    path = ROOT / "specs/ssd_light.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    text = unrolled(compile_spec(path))
    rows = text[text.index("layers:") : text.index("expect:")].splitlines()
    written = [row for row in rows if row.startswith("  ") and "(" in row]
    found = [re.search(r" (\w+)\(.*# .*/(\w+)\.yaml:(\d+)$", row) for row in written]
    assert len(found) > 40
    for row in found:
        assert row is not None
        if row[2] == "ssd_light" and row[1] in ("Conv2d", "BatchNorm2d", "ReLU"):
            assert f"{row[1]}(" in lines[int(row[3]) - 1]


def test_a_detector_is_built_for_other_classes(tmp_path: Path) -> None:
    path = ROOT / "specs/ssd_light.yaml"
    again(compile_spec(path), tmp_path)
    ours = compile_spec(path, params={"num_classes": 7})
    theirs = compile_spec(tmp_path / "unrolled.yaml", params={"num_classes": 7})
    assert theirs.ok
    assert theirs.facts.costs.state == ours.facts.costs.state
