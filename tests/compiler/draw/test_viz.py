"""`specc viz`: what it writes, says and returns."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from specc.cli import main

SPECS = Path(__file__).parents[3] / "specs"
TINY = """\
specc: 1
name: tiny
inputs: {x: [N, 3, 32, 32]}
layers:
  a: Conv2d(_, 8, 3)
  b: ReLU()
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "tiny.yaml"
    spec.write_text(TINY, encoding="utf-8")
    return spec


@pytest.fixture
def without_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_images_are_rendered(tiny: Path, suffix: str, start: bytes) -> None:
    pytest.importorskip("pygraphviz")
    target = tiny.with_name(f"drawing.{suffix}")
    assert main(["viz", str(tiny), "-o", str(target)]) == 0
    assert target.read_bytes().startswith(start)


def test_the_default_is_an_svg_of_the_models_name(
    tiny: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pygraphviz")
    assert main(["viz", str(tiny)]) == 0
    assert tiny.with_name("tiny.svg").is_file()
    shown = capfd.readouterr()
    assert shown.out == "tiny.svg: 3 boxes, every module open\n"
    assert shown.err == ""


def test_dot_text_needs_no_graphviz(tiny: Path, without_graphviz: None) -> None:
    assert main(["viz", str(tiny), "-o", "here/drawing.DOT"]) == 0
    assert tiny.with_name("here").joinpath("drawing.DOT").read_text("utf-8").startswith("digraph {")


def test_without_graphviz_the_dot_text_is_written(
    tiny: Path, without_graphviz: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["viz", str(tiny), "-o", "drawing.png"]) == 0
    assert tiny.with_name("drawing.dot").is_file()
    assert not tiny.with_name("drawing.png").exists()
    assert "pip install 'specc[draw]'" in capsys.readouterr().err


def test_an_unknown_suffix_is_refused(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["viz", str(tiny), "-o", "drawing.bmp"]) == 2
    assert ".svg, .png, .pdf, .dot" in capsys.readouterr().err
    assert sorted(path.name for path in tiny.parent.iterdir()) == ["tiny.yaml"]


@pytest.mark.parametrize("depth", ["-1", "two", "1.5", "²"])
def test_a_depth_is_a_whole_number(tiny: Path, depth: str) -> None:
    assert main(["viz", str(tiny), f"--depth={depth}"]) == 2


def test_a_file_that_cannot_be_written(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.with_name("taken.dot").mkdir()
    assert main(["viz", str(tiny), "-o", "taken.dot"]) == 2
    assert "taken.dot cannot be written" in capsys.readouterr().err
    assert sorted(path.name for path in tiny.parent.iterdir()) == ["taken.dot", "tiny.yaml"]


def test_a_failed_write_leaves_the_old_file(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tiny.with_name("drawing.dot")
    old.write_text("old", encoding="utf-8")

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    assert main(["viz", str(tiny), "-o", "drawing.dot"]) == 2
    assert old.read_text("utf-8") == "old"
    assert sorted(path.name for path in tiny.parent.iterdir()) == ["drawing.dot", "tiny.yaml"]


def test_a_spec_with_errors_is_drawn_and_reported(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.write_text(TINY.replace("ReLU()", "Conv2d(_, 8, 99)"), encoding="utf-8")
    assert main(["viz", str(tiny), "-o", "drawing.dot"]) == 1
    assert "the map is gone" in tiny.with_name("drawing.dot").read_text("utf-8")
    assert "error[E0402]" in capsys.readouterr().err


def test_another_input_size(tiny: Path) -> None:
    assert main(["viz", str(tiny), "-o", "drawing.dot", "--input", "64x48"]) == 0
    assert "3x64x48" in tiny.with_name("drawing.dot").read_text("utf-8")


def test_the_folded_depth_is_said(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = str(SPECS / "ssd300_vgg.yaml")
    assert main(["viz", spec, "-o", "drawing.dot", "--depth", "0"]) == 0
    assert "modules below depth 0 are folded" in capsys.readouterr().out


def test_an_installed_dot_goes_first(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graphviz = pytest.importorskip("graphviz")

    def pipe(engine: str, kind: str, data: bytes, *, quiet: bool) -> bytes:
        return f"{engine} {kind} {data[:9].decode()}".encode()

    monkeypatch.setattr(graphviz, "pipe", pipe)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert main(["viz", str(tiny), "-o", "drawing.png"]) == 0
    assert tiny.with_name("drawing.png").read_bytes() == b"dot png digraph {"
