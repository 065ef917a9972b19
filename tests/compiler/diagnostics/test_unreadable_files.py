"""Files that are no spec, and files that a spec may not use."""

import os
import time
from pathlib import Path

import pytest
from marked import Fault, check, findings, named, rows

import specc
from specc.documents import Diagnostic, Findings, render_text


def refused(path: Path | str) -> Diagnostic:
    """Return the one finding that keeps a file from being read, which ends soon."""
    start = time.perf_counter()
    with pytest.raises(Findings) as caught:
        specc.compile(path)
    assert time.perf_counter() - start < 20
    (found,) = caught.value.diagnostics
    assert render_text([found])
    assert found.help
    return found


def test_a_name_that_is_nearly_there(tmp_path: Path) -> None:
    (tmp_path / "ssd.yaml").write_text("a: 1\n")
    found = refused(tmp_path / "sdd.yaml")
    assert (found.code, found.help) == ("E0101", f"did you mean `{tmp_path / 'ssd.yaml'}`?")


def test_a_folder(tmp_path: Path) -> None:
    assert refused(tmp_path).code == "E0102"


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert refused(tmp_path / "pipe.yaml").code == "E0102"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/stdin"])
def test_a_device(device: str) -> None:
    assert refused(device).code in {"E0102", "E0106"}


def test_a_file_of_a_hundred_megabytes(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(100 * 2**20)
    assert refused(tmp_path / "large.yaml").code == "E0103"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x7fELF\x02\x00\x00", "E0104"),
        (b"name: caf\xe9\n", "E0105"),
        ("name: x\n".encode("utf-16"), "E0105"),
        (b"", "E0106"),
        (b"# nothing\n", "E0106"),
        (b"a: b: c\n", "E0107"),
        (b"layers:\n\t- ReLU()\n", "E0108"),
        (b"a: 1\na: 2\n", "E0109"),
        (b"a: &x 1\n", "E0110"),
        (b"a: !!python/name:os.system x\n", "E0111"),
        (b"a: yes\n", "E0114"),
        (b"a: 1e-3\n", "E0114"),
        (b"a: 012\n", "E0114"),
        (b"a: 1\n---\nb: 2\n", "E0115"),
        (b"? [a]\n: b\n", "E0116"),
        ("name：net\nb: 1\n".encode(), "E0120"),
        (b"**name**: net\n", "E0121"),
    ],
)
def test_content(content: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_bytes(content)
    assert refused(tmp_path / "spec.yaml").code == code


class TestUse:
    """Files that a spec uses."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder with a good and a bad file, beside a file that it must not reach."""
        (tmp_path / "secret.yaml").write_text(rows("ReLU()"))
        folder = tmp_path / "specs"
        folder.mkdir()
        (folder / "good.yaml").write_text(rows("ReLU()").replace("net", "good"))
        (folder / "bad.yaml").write_text(rows("ReLU(") + "# bad\n")
        (folder / "wrong.yaml").write_text(rows("Conv2d(4, 8, 3)"))
        (folder / "link.yaml").symlink_to("../secret.yaml")
        return folder

    @pytest.mark.parametrize(
        ("path", "code", "help"),
        [
            ("../secret", "E0309", "a file of this folder"),
            ("link", "E0309", "a file of this folder"),
            ("/etc/passwd", "E0309", "a file of this folder"),
            ("zoo/../../secret", "E0309", "a file of this folder"),
            ("missing", "E0312", "`zoo/` and a name"),
            ("god", "E0312", "did you mean `good`?"),
            ("spce", "E0312", "`zoo/` and a name"),
            ("ssd300_vg", "E0312", "did you mean `zoo/ssd300_vgg`?"),
            ("zoo/ssd300_vg", "E0312", "did you mean `zoo/ssd300_vgg`?"),
            ("zoo/ssd300_vg.yaml", "E0312", "did you mean `zoo/ssd300_vgg`?"),
            ("bad", "E0312", "shows all that is wrong"),
        ],
    )
    def test_refused(self, path: str, code: str, help: str, folder: Path) -> None:
        text = named("a: other()", more=f"use: {{other: «{path}»}}\n")
        check(folder, Fault(code, text, help))

    def test_good(self, folder: Path) -> None:
        assert findings(folder, named("a: other()", more="use: {other: good}\n")) == []

    def test_unknown_module_and_variant(self, folder: Path) -> None:
        use = "use: {other: good}\n"
        check(folder, Fault("E0205", named("a: «other.Block»()", more=use), ""))
        check(folder, Fault("E0205", named("a: «othr»()", more=use), "`other`"))
        check(folder, Fault("E0310", named("a: other(variant=«'b'»)", more=use), "none"))
        check(folder, Fault("E0310", named("a: other(variant=«[1]»)", more=use), "none"))

    def test_an_error_in_a_used_file_points_there_and_at_the_call(self, folder: Path) -> None:
        (found,) = findings(folder, named("a: other()", more="use: {other: wrong}\n"))
        places = [(Path(label.span.source.path).name, label.text) for label in found.labels]
        assert places[0][0] == "wrong.yaml"
        assert ("spec.yaml", "in this call") in places

    def test_a_file_that_uses_itself(self, folder: Path) -> None:
        text = named("a: «other»()", more="use: {other: spec}\n")
        check(folder, Fault("E0308", text, "take this call out"))


@pytest.mark.parametrize(
    ("call", "code", "help"),
    [
        ({"variant": "bag"}, "E0310", "`big`"),
        ({"nun": 3}, "E0311", "`num`"),
        ({"num": "abc"}, "E0210", "a whole number"),
        ({"num": 0}, "E0211", "from 1"),
    ],
)
def test_variant_and_parameters(
    call: dict[str, object], code: str, help: str, tmp_path: Path
) -> None:
    more = "params: {num: 8}\nvariants: {big: {num: 16}}\n"
    (found,) = findings(tmp_path, rows("Conv2d(_, num, 3)", more=more), **call)
    assert found.code == code
    assert help in (found.help or "")


def test_a_parameter_without_a_value(tmp_path: Path) -> None:
    text = rows("Conv2d(_, num, 3)", more="params: {«num»: int}\n")
    check(tmp_path, Fault("E0207", text, "--set num=..."))
