"""`specc expand`: what is printed is a spec, and says where its rows come from."""

from pathlib import Path

import pytest
from commands import specc

Capture = pytest.CaptureFixture[str]


def test_printed_as_a_spec(folder: Path, capsys: Capture) -> None:
    done = specc(capsys, "expand", "good.yaml")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "specc: 1",
        "name: net",
        "inputs: {image: [N, 3, 32, 32]}",
        "",
        "layers:",
        "  - Conv2d(3, 8, kernel_size=3) -> [8, 30, 30]  # good.yaml:7",
        "  - row1: ReLU() -> [8, 30, 30]  # good.yaml:8",
        "outputs: {out: row1}",
        "",
        "expect: {params: 224, keys: 2, macs: 194400}",
    ]
    (folder / "expanded.yaml").write_text(done.out, encoding="utf-8")
    assert specc(capsys, "check-shapes", "expanded.yaml").code == 0
    assert specc(capsys, "fmt", "--check", "expanded.yaml").code == 0


def test_maps_of_weights_are_left_out_and_named(folder: Path, capsys: Capture) -> None:
    text = (folder / "good.yaml").read_text(encoding="utf-8")
    (folder / "mapped.yaml").write_text(
        text + 'weights:\n  other: {map: {"{i}.{p}": "net.{i}.{p}"}}\n', encoding="utf-8"
    )
    done = specc(capsys, "expand", "mapped.yaml")
    (folder / "expanded.yaml").write_text(done.out, encoding="utf-8")
    assert done.out.startswith("# Without its maps of weights: other. `specc weights map`")
    assert specc(capsys, "check-shapes", "expanded.yaml").code == 0
    assert specc(capsys, "fmt", "--check", "expanded.yaml").code == 0


def test_variant_and_values(capsys: Capture) -> None:
    assert "Conv2d(3, 16, kernel_size=3)" in specc(capsys, "expand", "good.yaml:big").out
    assert (
        "Conv2d(3, 5, kernel_size=3)"
        in specc(capsys, "expand", "good.yaml", "--set", "width=5").out
    )
    assert "-> [8, 62, 46]" in specc(capsys, "expand", "good.yaml", "--input", "64x48").out


@pytest.mark.parametrize(("path", "code"), [("bad.yaml", "E0205"), ("missing.yaml", "E0101")])
def test_a_spec_with_errors(path: str, code: str, capsys: Capture) -> None:
    done = specc(capsys, "expand", path)
    assert (done.code, done.out) == (1, "")
    assert code in done.err
