"""Taps through modules, lists of modules and shared rows: what is asked for comes out, and only that."""

from __future__ import annotations

import pytest
import torch
from agreement import agree, compiled

import specc

SHARED = """
inputs: {images: [N, 4, 32, 32]}
layers:
  a: MaxPool2d(2)
  head:
    for: {m: [images, a]}
    shared: true
    op: Outer()(m)
  early: ReLU()(head[0].%s.early)
  late: ReLU()(head[1].%s.late)
outputs: [early, late]
modules:
  Outer:
    layers:
      %s
      last: Conv2d(_, 3, 1)(%s)
  Middle:
    layers:
      deep: Head()
      both: {for: {k: [1, 3]}, op: "Conv2d(_, 2, k, padding=k // 2)(deep)"}
  Head:
    layers:
      early: Conv2d(_, 4, 1)
      late: Conv2d(_, 5, 1)
      last: Conv2d(_, 6, 1)
"""
INNER = "inner: Head()"
DEEP = "inner: Middle()"
EACH = "inner: {for: {m: '[x, x]'}, op: Head()(m)}"
TWICE = "inner: {for: {m: '[x, x]'}, op: Head()(m), shared: true}"


@pytest.mark.parametrize(
    ("early", "late", "inner", "last"),
    [
        ("inner", "inner", INNER, "inner"),
        ("inner.deep", "inner.deep", DEEP, "inner.both[1]"),
        ("inner[0]", "inner[1]", EACH, "inner[0]"),
        ("inner[1]", "inner[0]", TWICE, "inner[1]"),
    ],
    ids=["module", "module in a module", "list of modules", "shared row in a shared row"],
)
def test_turns_of_a_shared_row_tapped_at_different_places(early, late, inner, last, spec):
    path = spec(SHARED % (early, late, inner, last))
    module = agree(path)
    assert {name for name, _ in module.named_children()} == {"a", "head", "early", "late"}


def test_what_is_tapped_is_what_the_row_gives(spec):
    """The emitted module against its own layers, called one by one."""
    path = spec(SHARED % ("inner[1]", "inner[0]", TWICE, "inner[1]"))
    torch.manual_seed(0)
    module = specc.load(path)
    images = torch.rand(2, 4, 32, 32)
    inner = module.head.inner
    early, late = module(images)
    assert torch.equal(early, inner.early(images).relu())
    assert torch.equal(late, inner.late(inner.early(module.a(images))).relu())


LIST = """
inputs: {images: [N, 4, 32, 32]}
layers:
  body: Body()
  whole: {for: {m: body.heads}, op: "Conv2d(_, 2, 1)(m)"}
  part: Sigmoid()(body.heads[1].c2)
outputs: %s
modules:
  Body:
    layers:
      a: Conv2d(_, 4, 1)
      heads: {for: {m: "[x, a]"}, op: "Inner()(m)"}
      last: Conv2d(_, 5, 1)(a)
  Inner:
    layers:
      c2: Conv2d(_, 4, 1)
      c3: Conv2d(_, 5, 1)
"""


@pytest.mark.parametrize("outputs", ["[whole]", "[part]", "[whole, part]"])
def test_a_list_of_modules_as_a_whole_and_in_parts(outputs, spec):
    agree(spec(LIST % outputs))


def test_only_what_is_tapped_is_computed(spec):
    path = spec(LIST % "[part]")
    assert (
        "def forward(self, x: Tensor) -> Tensor:" in compiled(path).source.partition("class Net")[0]
    )
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        layers:
          body: Body()
          end: ReLU()(body.c2)
        modules:
          Body:
            layers:
              c2: Conv2d(_, 4, 1)
              c3: Conv2d(_, 5, 1)
        """)
    assert "return self.c2(x)" in compiled(path).source


def test_channels_of_what_a_module_gives(spec):
    path = spec("""
        inputs: {images: [N, 4, 32, 32]}
        params: {w: 5}
        layers:
          a: Inner(w)
          b: Conv2d(_, 2 * a.channels, 1)
          c: Outer(w)
          d: Conv2d(_, c.channels + c.inner.channels, 1)
        modules:
          Inner:
            params: {out: int}
            layers:
              - Conv2d(_, 2 * out, 1)
          Outer:
            params: {out: int}
            layers:
              inner: Inner(out)
              last: Conv2d(_, out, 1)
        """)
    module = agree(path)
    assert [module.b.out_channels, module.d.out_channels] == [20, 15]
    assert "w + 2 * w" in compiled(path).source


OUTPUTS_OF_A_TAP = """
specc: 1
name: drawn
inputs: {images: [N, 4, 32, 32]}
layers:
  outer: Outer()
  each: {for: {m: outer.inner}, op: ReLU()(m)}
outputs: [each]
modules:
  Outer:
    layers:
      inner: Pair()
      last: Conv2d(_, 3, 1)(inner.left)
  Pair:
    layers:
      left: Conv2d(_, 4, 1)
      right: Conv2d(_, 5, 1)
    outputs: [left, right]
"""


def test_a_loop_walks_over_the_outputs_of_a_module_inside_another(tmp_path):
    path = tmp_path / "drawn.yaml"
    path.write_text(OUTPUTS_OF_A_TAP, encoding="utf-8")
    agree(path)
    first, second = specc.load(path)(torch.ones(1, 4, 32, 32))
    assert (first.shape[1], second.shape[1]) == (4, 5)
