"""Parameters that stay open in the emitted class: what is built with other values is the spec's."""

from pathlib import Path
from time import monotonic

import pytest

import specc

HEAD = "specc: 1\nname: net\nclass: Net\ninputs: {image: [N, 3, 16, 16]}\nparams: {w: 16}\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


LIST_OF_MAPS = """\
layers:
  c1: Conv2d(_, w, 3, padding=1)
  c2: Conv2d(_, 2 * w, 3, padding=1)
  maps: [c1, c2]
  head: Heads(7)(maps)
modules:
  Heads:
    params: {out: int}
    inputs: [maps]
    layers:
      h: {for: {m: maps}, op: "Conv2d(_, out, 1)(m)"}
    outputs: [h]
"""
ITEMS = """\
layers:
  a: Conv2d(_, w, 1)
  b: Conv2d(_, w, 1)
  h: {for: {m: "[a, b]"}, op: "Conv2d(_, 4, 1)(m)"}
  s: Add()(h[0], h[1])
"""
POWERS = "layers: {a: 'Conv2d(_, (w ** 2) ** 1 // w, 1)', b: 'Conv2d(_, (-2) ** 2 * w, 1)'}\n"
SUMS = "layers: {a: 'Conv2d(_, sum([w, 8]), 1)', b: 'Conv2d(_, w, 1)'}\n"
GREATEST = "layers: {a: 'Conv2d(_, max([w, 8]), 1)', b: 'Conv2d(_, w, 1)'}\n"
CHOICES = "layers: {a: 'Conv2d(_, w // 16 and 8 or 3, 1)', b: 'Conv2d(_, w, 1)'}\n"
SIGNS = "layers: {a: 'Conv2d(_, -(1 - w), 1)', b: 'Conv2d(_, 40 - -(w // 3 * 2) % 5, 1)'}\n"
ITEM_FROM_THE_END = "layers: {a: 'Conv2d(_, [w, 2 * w][-1], 1)'}\n"
JOINED = """\
layers:
  csp1: CSP(w)
  csp2: CSP(2 * w)
modules:
  CSP:
    params: {width: int}
    layers:
      entry: Conv2d(_, width, 3, padding=1)
      part: Narrow(1, width // 2, width // 2)
      conv: Conv2d(_, width // 2, 3, padding=1)
      inner: Cat()(conv, part)
      merge: Conv2d(_, width, 1)
      both: Cat()(entry, merge, part)
      out: Conv2d(_, width, 1)
"""
LOGARITHMS = (
    "layers: {a: 'Conv2d(_, round(exp(log(w) / 2)), 1)', b: 'Conv2d(_, ceil(sqrt(w)), 1)'}\n"
)


@pytest.mark.parametrize(
    "text",
    [
        LIST_OF_MAPS,
        ITEMS,
        JOINED,
        POWERS,
        SUMS,
        GREATEST,
        CHOICES,
        SIGNS,
        ITEM_FROM_THE_END,
        LOGARITHMS,
    ],
)
@pytest.mark.parametrize("w", [16, 4])
def test_the_class_is_the_spec_at_other_values(text: str, w: int, tmp_path: Path) -> None:
    """Where `w` is an argument of the class, it means there what it means in the spec."""
    path = written(tmp_path, text)
    wanted = specc.compile(path, w=w)
    assert wanted.ok, wanted.diagnostics
    network = type(specc.load(path))
    is_open = "w: int" in specc.compile(path).source
    module = network(w=w) if is_open else type(specc.load(path, w=w))()
    shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert shapes == {key: entry.shape for key, entry in wanted.facts.costs.state.items()}


def test_formulas_do_not_double_with_every_call(tmp_path: Path) -> None:
    module = "modules: {D: {layers: {c: 'Conv2d(_, max(x.channels, x.channels), 1)'}}}\n"
    rows = "layers:\n  d: {op: D(), repeat: 60}\n"
    began = monotonic()
    assert specc.compile(written(tmp_path, rows + module)).ok
    assert monotonic() - began < 30


def test_a_class_that_joins_maps_is_one_for_all_widths(tmp_path: Path) -> None:
    source = specc.compile(written(tmp_path, JOINED)).source
    assert "self.merge = nn.Conv2d(2 * (width // 2), width, kernel_size=1)" in source
    assert "self.out = nn.Conv2d(2 * width + width // 2, width, kernel_size=1)" in source
    assert source.count("class CSP") == 1


def test_joining_very_many_maps_gives_their_number_of_channels(tmp_path: Path) -> None:
    rows = """\
layers:
  maps: {for: {i: range(1200)}, op: "Conv2d(_, w + i, 1)(image)"}
  all: Cat(dim=1)(maps)
"""
    assert specc.compile(written(tmp_path, rows)).shapes["all"][1] == sum(range(16, 1216))
