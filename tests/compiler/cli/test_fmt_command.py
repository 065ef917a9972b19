"""`specc fmt`: what it writes and leaves alone, and its exit codes."""

from pathlib import Path

import pytest
from commands import BAD, GOOD, specc

from specc.cli import files

Capture = pytest.CaptureFixture[str]

LOOSE = GOOD.replace("(3, width, 3)", "(3,width ,3)")


@pytest.fixture
def loose(folder: Path) -> Path:
    path = folder / "loose.yaml"
    path.write_text(LOOSE.replace("\n", "\r\n"), encoding="utf-8")
    path.chmod(0o640)
    return path


@pytest.fixture(autouse=True)
def canonical(folder: Path, capsys: Capture) -> str:
    """What `good.yaml` becomes, whose sections stand in another order."""
    assert specc(capsys, "fmt", "good.yaml").code == 0
    return (folder / "good.yaml").read_text()


def test_written_in_place(loose: Path, canonical: str, capsys: Capture) -> None:
    done = specc(capsys, "fmt", "loose.yaml")
    assert (done.code, done.out, done.err) == (0, "loose.yaml: formatted\n", "")
    assert loose.read_bytes().decode() == canonical
    assert loose.stat().st_mode & 0o777 == 0o640


def test_a_second_time_nothing_is_written(loose: Path, capsys: Capture) -> None:
    specc(capsys, "fmt", "loose.yaml")
    before = loose.stat()
    done = specc(capsys, "fmt", "loose.yaml")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (loose.stat().st_ino, loose.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_stays_a_link(loose: Path, canonical: str, capsys: Capture) -> None:
    link = loose.with_name("link.yaml")
    link.symlink_to("loose.yaml")
    assert specc(capsys, "fmt", "link.yaml").code == 0
    assert link.is_symlink()
    assert loose.read_text() == canonical


def test_check(loose: Path, capsys: Capture) -> None:
    before = loose.read_bytes()
    done = specc(capsys, "fmt", "--check", "loose.yaml", "good.yaml")
    assert (done.code, done.out) == (1, "")
    assert done.err == "loose.yaml has another layout: run `specc fmt loose.yaml`\n"
    assert loose.read_bytes() == before
    assert specc(capsys, "fmt", "--check", "good.yaml").code == 0


def test_diff(loose: Path, capsys: Capture) -> None:
    before = loose.read_bytes()
    done = specc(capsys, "fmt", "--diff", "loose.yaml")
    assert done.code == 1
    assert "+  - Conv2d(3, width, 3)\n" in done.out
    assert loose.read_bytes() == before
    assert specc(capsys, "fmt", "--diff", "good.yaml").out == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (LOOSE.replace("3)", "3"), "E0204"),
        (LOOSE.replace("layers", "layer"), "E0201"),
        ("a: [", "E0107"),
    ],
)
def test_a_broken_spec_is_refused(text: str, code: str, folder: Path, capsys: Capture) -> None:
    path = folder / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    done = specc(capsys, "fmt", "broken.yaml", "missing.yaml")
    assert (done.code, done.out) == (1, "")
    assert f"error[{code}]" in done.err
    assert "E0101" in done.err
    assert path.read_text() == text


def test_a_spec_with_wrong_shapes_has_a_layout(folder: Path, capsys: Capture) -> None:
    (folder / "bad.yaml").write_text(BAD.replace(", width", ",width"), encoding="utf-8")
    assert specc(capsys, "fmt", "bad.yaml").code == 0
    assert "Conv2D(3, width, 3)" in (folder / "bad.yaml").read_text()


def test_what_would_say_something_else_is_left(
    loose: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = loose.read_bytes()
    monkeypatch.setattr("specc.format.spacing.spaced", lambda _: "ReLU()")
    done = specc(capsys, "fmt", "loose.yaml")
    assert done.code == 2
    assert "left as it is" in done.err
    assert loose.read_bytes() == before


def test_an_interrupted_write_leaves_the_old_file(
    loose: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, names = loose.read_bytes(), sorted(loose.parent.iterdir())

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.Path, "replace", interrupted)
    assert specc(capsys, "fmt", "loose.yaml").code == 130
    assert (loose.read_bytes(), sorted(loose.parent.iterdir())) == (before, names)
