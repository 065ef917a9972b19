"""`specc summary`: its figures add up to the model's, and a part's are those of torch's module."""

import json
from pathlib import Path

import pytest
import torch
from commands import specc as run

import specc
from specc.driver import Model
from specc.passes.summary import Part, summarize

Capture = pytest.CaptureFixture[str]

ROOT = Path(__file__).parents[3]
SPECS = [
    "specs/ssd300_vgg.yaml",
    "specs/ssd_light.yaml",
    "tests/cases/fusion_cells/spec.yaml",
    "tests/cases/nested_stages/spec.yaml",
    "tests/cases/shared_heads/spec.yaml",
    "specs/efficientnet.yaml:b4",
    "tests/compiler/language/networks/retinanet.yaml:v2",
]
RESIDUAL = """\
specc: 1
name: net
inputs: {x: [N, 3, 32, 32]}
layers:
  stem: Conv2d(_, 16, 3, stride=2, padding=1, bias=False)
  body:
    repeat: 4
    op: Block(16)
    first: {width: 8}
  small: MaxPool2d(2)
  head:
    for: {map: "[body, small]"}
    shared: true
    op: Head()(map)
outputs: {maps: head}
modules:
  Block:
    params: {width: int}
    layers:
      conv: Conv2d(_, width, 3, padding=1, bias=False)
      act: ReLU()
  Head:
    layers:
      - Conv2d(_, 4, 1)
"""
TABLE = """\
part             module              gives  parameters     %  multiply-adds     %  sees
---------------  ---------  --------------  ----------  ----  -------------  ----  ----
stem             Conv2d           16x16x16         432   5.8        110,592   5.8     3
body.0           Block             8x16x16       1,152  15.5        294,912  15.5     7
  body.0.conv    Conv2d            8x16x16       1,152  15.5        294,912  15.5     7
  body.0.act     ReLU              8x16x16                                            7
body.1           Block            16x16x16       1,152  15.5        294,912  15.5    11
  body.1.conv    Conv2d           16x16x16       1,152  15.5        294,912  15.5    11
  body.1.act     ReLU             16x16x16                                           11
body.2-3         Block x2         16x16x16       4,608  62.2      1,179,648  62.1    19
  body.2-3.conv  Conv2d           16x16x16       4,608  62.2      1,179,648  62.1    19
  body.2-3.act   ReLU             16x16x16                                           19
small            MaxPool2d          16x8x8                                           21
head             Head x2    4x16x16, 4x8x8          68   0.9         20,480   1.1    21
  head.0         Conv2d     4x16x16, 4x8x8          68   0.9         20,480   1.1    21
total            net        4x16x16, 4x8x8       7,412            1,900,544          21
"""


def summary(spec: str) -> tuple[Model, Part]:
    model = specc.compile(ROOT / spec)
    return model, summarize(model.hierarchy, model.facts.costs)


def every(part: Part) -> list[Part]:
    return [part, *(inner for held in part.parts for inner in every(held))]


@pytest.mark.parametrize("spec", SPECS)
def test_figures_add_up(spec):
    model, whole = summary(spec)
    assert (whole.parameters, whole.macs) == (model.parameters, model.macs)
    for part in every(whole):
        if part.parts:
            assert part.parameters == sum(held.parameters for held in part.parts)
            if part.macs is not None:
                assert part.macs == sum(held.macs for held in part.parts)


@pytest.mark.parametrize("spec", SPECS)
def test_parts_are_modules_of_torch(spec):
    """A part of one round has the parameters of the module at its path, one of more rounds theirs."""
    _, whole = summary(spec)
    with torch.device("meta"):
        module = specc.load(ROOT / spec)
    modules = dict(module.named_modules())
    compared = 0
    for part in whole.parts:
        first, _, last = part.path.partition("-")
        stem, _, start = first.rpartition(".")
        rounds = range(int(start), int(last) + 1) if last else []
        paths = [f"{stem}.{index}" for index in rounds] or [part.path]
        assert len(paths) == (part.count if last else 1)
        if all(path in modules for path in paths):
            compared += 1
            held = (modules[path].parameters() for path in paths)
            assert part.parameters == sum(p.numel() for each in held for p in each)
    assert compared


@pytest.mark.parametrize("spec", SPECS)
def test_deeper_is_more(spec):
    _, whole = summary(spec)
    lines = [len(list(whole.walk(depth))) for depth in range(6)]
    assert lines[0] == 0
    assert lines == sorted(lines)
    assert list(whole.walk(99)) == list(whole.walk(100))
    assert len(list(whole.walk(99))) == len(every(whole)) - 1


def test_what_a_module_sees_and_gives():
    model, whole = summary("specs/ssd300_vgg.yaml")
    parts = {part.path: part for part in every(whole)}
    assert parts["extras"].shapes == (model.hierarchy["extras.conv11_2.1"].shape,)
    assert parts["extras"].field == model.facts.costs.fields["extras.conv11_2.1"]
    vgg16, fc6, fc7 = 14_714_688, 512 * 1024 * 9 + 1024, 1024 * 1024 + 1024
    assert parts["vgg"].parameters == vgg16 + fc6 + fc7


def test_table(capsys: Capture) -> None:
    Path("net.yaml").write_text(RESIDUAL, encoding="utf-8")
    done = run(capsys, "summary", "net.yaml", "--depth", "2")
    assert (done.code, done.out, done.err) == (0, TABLE, "")
    flat = run(capsys, "summary", "net.yaml").out.splitlines()
    names = [line.split()[0] for line in flat[2:]]
    assert names == ["stem", "body.0", "body.1", "body.2-3", "small", "head", "total"]


def test_another_input_and_variant(capsys: Capture) -> None:
    done = run(capsys, "summary", "good.yaml:big", "--input", "64x48")
    assert done.code == 0
    assert "16x62x46" in done.out
    assert done.out.splitlines()[-1].split()[:2] == ["total", "net_big"]


def test_json(capsys: Capture) -> None:
    Path("net.yaml").write_text(RESIDUAL, encoding="utf-8")
    report = json.loads(run(capsys, "summary", "net.yaml", "--format", "json").out)
    checked = json.loads(run(capsys, "check-shapes", "net.yaml", "--format", "json").out)
    for total in ("parameters", "macs", "boxes"):
        assert report[total] == checked[total]
    blocks = next(part for part in report["parts"] if part["path"] == "body.2-3")
    assert (blocks["count"], blocks["module"], blocks["level"]) == (2, "Block", 0)
    assert blocks["shapes"] == [["N", 16, 16, 16]]
    assert sum(part["macs_share"] for part in report["parts"]) == pytest.approx(1)
    assert sum(part["parameters_share"] for part in report["parts"]) == pytest.approx(1)


def test_names_for_sizes_leave_the_work_open(capsys: Capture) -> None:
    Path("net.yaml").write_text(RESIDUAL.replace("32, 32", "H, W"), encoding="utf-8")
    done = run(capsys, "summary", "net.yaml")
    assert done.code == 0
    assert "multiply-adds" not in done.out
    report = json.loads(run(capsys, "summary", "net.yaml", "--format", "json").out)
    assert {part["macs"] for part in report["parts"]} == {None}


def test_of_a_spec_with_errors_the_rest_is_shown(capsys: Capture) -> None:
    done = run(capsys, "summary", "bad.yaml")
    assert done.code == 1
    assert "error[E0205]" in done.err
    assert done.out.startswith("part ")
    assert run(capsys, "summary", "missing.yaml").code == 1


@pytest.mark.parametrize("depth", ["-1", "x", ""])
def test_no_depth(depth: str, capsys: Capture) -> None:
    assert run(capsys, "summary", "good.yaml", f"--depth={depth}").code == 2
