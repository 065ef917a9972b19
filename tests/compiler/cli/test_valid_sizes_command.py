"""`specc check-shapes --valid-sizes`, against torch and against builds of each size."""

import json
from pathlib import Path

import pytest
import torch
from commands import specc as run

import specc
from specc.driver import compile_spec
from specc.passes.sizes import find_sizes

Capture = pytest.CaptureFixture[str]

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests/cases"
HEAD = "specc: 1\nname: net\ninputs: {x: [N, 3, %s]}\nlayers:\n"
PYRAMID = (
    HEAD
    + """\
  c1: Conv2d(_, 8, 3, stride=2, padding=1)
  c2: Conv2d(_, 8, 3, stride=2, padding=1)
  c3: Conv2d(_, 8, 3, stride=2, padding=1)
  up2: Upsample(scale_factor=2)(c3)
  p2: Add()(up2, c2)
  up1: Upsample(scale_factor=2)(p2)
  p1: Add()(up1, c1)
  tail: Tail()(p1)
modules:
  Tail:
    inputs: [x]
    layers:
      - op: Conv2d(_, 4, 1)(x)
        if: x.channels != 4
"""
)
CLASSIFIER = HEAD + "  - Conv2d(_, 8, 3, stride=4)\n  - Flatten()\n  - Linear(%s, 10)\n"
HALVES = "".join(f"  c{i}: Conv2d(_, 8, 2, stride=2)\n" for i in range(5))
MERGED = (
    HEAD
    + HALVES
    + "  up: Upsample(scale_factor=32)\n  whole: Conv2d(_, 8, 1)(x)\n  a: Add()(whole, up)"
)


def sizes(path, asked):
    def rebuilt(side):
        return compile_spec(path, resize=(side, side)).hierarchy

    return find_sizes(compile_spec(path).hierarchy, rebuilt, asked)


def runs(module, side) -> bool:
    try:
        module(torch.empty(2, 3, side, side))
    except RuntimeError:
        return False
    return True


def written(text: str) -> str:
    Path("net.yaml").write_text(text, encoding="utf-8")
    return "net.yaml"


class TestAgainstTorch:
    """The emitted module runs at the sizes that are valid, and at no other."""

    @pytest.mark.parametrize(
        ("spec", "asked"),
        [
            (ROOT / "specs/ssd300_vgg.yaml", [*range(64, 264, 50), *range(265, 271)]),
            (CASES / "nested_stages/spec.yaml", range(60, 140, 4)),
            (PYRAMID % "96, 96", range(1, 80)),
            (CLASSIFIER % ("64, 64", "_"), range(1, 80)),
        ],
        ids=["ssd300_vgg", "nested_stages", "pyramid", "classifier"],
    )
    def test_valid_sizes(self, spec, asked):
        path = spec if isinstance(spec, Path) else written(spec)
        with torch.device("meta"):
            module = specc.load(path).eval()
            truth = [side for side in asked if runs(module, side)]
        found = sizes(path, asked)
        assert found.valid == truth
        assert 0 < len(truth) < len(asked)
        broken = [side for stop in found.breaks for side in stop.sizes]
        assert sorted([*found.valid, *broken]) == sorted(asked)


class TestAgainstBuilds:
    """Each size's first break is the first row that fails in a build of that size."""

    @pytest.mark.parametrize("size", ["96, 96", "70, 70", "H, W"])
    def test_pyramid(self, size):
        path = written(PYRAMID % size)
        asked = range(1, 100)
        found = sizes(path, asked)
        first = {side: stop.node.path for stop in found.breaks for side in stop.sizes}
        for side in asked:
            failed = compile_spec(path, resize=(side, side)).hierarchy.failed
            assert next(iter(failed), None) == first.get(side)

    def test_ssd300(self):
        found = sizes(ROOT / "specs/ssd300_vgg.yaml", range(64, 300, 12))
        for stop in found.breaks:
            for side in stop.sizes:
                model = compile_spec(ROOT / "specs/ssd300_vgg.yaml", resize=(side, side))
                assert next(iter(model.hierarchy.failed)) == stop.node.path

    @pytest.mark.parametrize("size", ["H, W", "101, 101"])
    def test_few_builds_are_needed(self, size):
        path = written(PYRAMID % size)
        built = []

        def rebuilt(side):
            built.append(side)
            return compile_spec(path, resize=(side, side)).hierarchy

        assert find_sizes(compile_spec(path).hierarchy, rebuilt, range(64, 1025)).valid
        assert len(built) <= 2


def test_table(capsys: Capture) -> None:
    written(PYRAMID % "H, W")
    done = run(capsys, "check-shapes", "net.yaml", "--valid-sizes", "64..1024")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "net: 241 of 961 sizes from 64 to 1024 are valid: "
        "64, 71-72, 79-80, ..., 1023-1024 (every 8, with all multiples of 8)\n\n"
        "breaks at  op   line  sizes                                          "
        "at the first of them\n"
        "---------  ---  ----  ---------------------------------------------  "
        "----------------------------------------\n"
        "p2         Add     9  65-68, 73-76, 81-84, ..., 1017-1020 (every 8)  "
        "these shapes differ: 8x18x18 and 8x17x17\n"
        "p1         Add    11  69-70, 77-78, 85-86, ..., 1021-1022 (every 8)  "
        "these shapes differ: 8x36x36 and 8x35x35\n"
    )


@pytest.mark.parametrize(
    ("spec", "asked", "said"),
    [
        (MERGED % "64, 64", "64..1024", "31 of 961 sizes from 64 to 1024 are valid: multiples of 32"),
        (MERGED % "64, 64", "1..70", "2 of 70 sizes from 1 to 70 are valid: 32, 64"),
        (MERGED % "64, 64", "64..1024:32", "31 of 31 sizes from 64 to 1024 are valid: all"),
        (MERGED % "H, W", "33..63", "0 of 31 sizes from 33 to 63 are valid: none"),
        (CLASSIFIER % ("64, 64", "_"), "1..256", "4 of 256 sizes from 1 to 256 are valid: 63-66"),
        (HEAD % "9, 9" + "  - Conv2d(_, 8, 7)", "1..32", "26 of 32 sizes from 1 to 32 are valid: from 7 up"),
    ],
)  # fmt: skip
def test_words(spec: str, asked: str, said: str, capsys: Capture) -> None:
    done = run(capsys, "check-shapes", written(spec), "--valid-sizes", asked)
    assert done.out.splitlines()[0] == f"net: {said}"
    assert done.code == (1 if said.endswith("none") else 0)


def test_an_open_weight_takes_no_size(capsys: Capture) -> None:
    done = run(
        capsys, "check-shapes", written(CLASSIFIER % ("H, W", "_")), "--valid-sizes", "8..32"
    )
    assert done.code == 1
    assert "write a number in place of `_`" in done.err
    done = run(capsys, "check-shapes", written(CLASSIFIER % ("H, W", 8)), "--valid-sizes", "1..32")
    assert done.code == 0
    assert "are valid: 3-6" in done.out
    assert "`in_features` is 8, but 32 arrive" in done.out


def test_json(capsys: Capture) -> None:
    written(PYRAMID % "H, W")
    asked = ["check-shapes", "net.yaml", "good.yaml", "--valid-sizes", "63..72:3"]
    done = run(capsys, *asked, "--format", "json")
    assert (done.code, done.err) == (0, "")
    first, second = map(json.loads, done.out.splitlines())
    assert first["asked"] == {"first": 63, "last": 72, "step": 3}
    assert first["valid"] == [63, 72]
    places = [(stop["path"], stop["line"], stop["sizes"]) for stop in first["breaks"]]
    assert places == [("p2", 9, [66]), ("p1", 11, [69])]
    assert (second["valid"], second["breaks"]) == ([63, 66, 69, 72], [])


def test_a_spec_with_another_error_is_shown_as_always(capsys: Capture) -> None:
    done = run(capsys, "check-shapes", "bad.yaml", "--valid-sizes", "64..128")
    assert done.code == 1
    assert "error[E0205]" in done.err


@pytest.mark.parametrize(
    "asked", ["64", "64..", "72..64", "0..9", "64..72:0", "a..b", "1..9999999", "-1..5", "1..2x3"]
)
def test_no_range(asked: str, capsys: Capture) -> None:
    done = run(capsys, "check-shapes", "good.yaml", f"--valid-sizes={asked}")
    assert done.code == 2
    assert "is no range of sizes such as 64..1024" in done.err


@pytest.mark.parametrize("other", [["--verify"], ["--format", "sarif"], ["--input", "64"]])
def test_what_does_not_go_with_it(other: list[str], capsys: Capture) -> None:
    done = run(capsys, "check-shapes", "good.yaml", "--valid-sizes", "8..16", *other)
    assert (done.code, done.out) == (2, "")
