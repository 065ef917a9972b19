"""`specc build`: exit codes, what is written, and that nothing is ever half written."""

from pathlib import Path

import pytest
from commands import specc

from specc.cli import files

Capture = pytest.CaptureFixture[str]


def test_good(folder: Path, capsys: Capture) -> None:
    done = specc(capsys, "build", "good.yaml")
    assert (done.code, done.out, done.err) == (0, "generated/net.py: 224 parameters\n", "")
    assert "class Net" in (folder / "generated/net.py").read_text()


def test_advice_is_shown_and_the_module_written(capsys: Capture) -> None:
    done = specc(capsys, "build", "advised.yaml", "-o", "out")
    assert done.code == 0
    assert "W0602" in done.err
    assert Path("out/net.py").is_file()


def test_an_error_writes_nothing(folder: Path, capsys: Capture) -> None:
    done = specc(capsys, "build", "bad.yaml")
    assert (done.code, done.out) == (1, "")
    assert "error[E0205]" in done.err
    assert not (folder / "generated").exists()


def test_one_bad_spec_does_not_keep_the_others(capsys: Capture) -> None:
    done = specc(capsys, "build", "bad.yaml", "good.yaml", "missing.yaml")
    assert done.code == 1
    assert "E0205" in done.err
    assert "E0101" in done.err
    assert Path("generated/net.py").is_file()


def test_a_variant_has_a_file_of_its_own(capsys: Capture) -> None:
    done = specc(capsys, "build", "good.yaml", "good.yaml:big")
    assert (done.code, done.err) == (0, "")
    assert "(N, 8, 30, 30)" in Path("generated/net.py").read_text()
    assert "(N, 16, 30, 30)" in Path("generated/net_big.py").read_text()


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_two_specs_of_one_name(check: list[str], folder: Path, capsys: Capture) -> None:
    other = (folder / "good.yaml").read_text().replace("32, 32", "64, 64").replace("-> 30", "")
    (folder / "other.yaml").write_text(other)
    done = specc(capsys, "build", "good.yaml", "other.yaml", *check)
    assert (done.code, done.out) == (2, "")
    assert "good.yaml and other.yaml are both named `net`" in done.err
    assert not (folder / "generated").exists()


def test_a_variant_of_the_name_of_another_spec(folder: Path, capsys: Capture) -> None:
    other = (folder / "good.yaml").read_text().replace("name: net", "name: net_big")
    (folder / "other.yaml").write_text(other)
    done = specc(capsys, "build", "good.yaml:big", "other.yaml")
    assert done.code == 2
    assert "good.yaml and other.yaml are both named `net_big`" in done.err


def test_one_spec_twice(folder: Path, capsys: Capture) -> None:
    assert specc(capsys, "build", "good.yaml", str(folder / "good.yaml")).code == 0


def test_check(capsys: Capture) -> None:
    specc(capsys, "build", "good.yaml")
    assert specc(capsys, "build", "--check", "good.yaml").code == 0
    target = Path("generated/net.py")
    stale = target.read_text().replace("class Net", "class Old")
    target.write_text(stale)
    done = specc(capsys, "build", "--check", "good.yaml")
    assert done.code == 1
    assert "-class Old(nn.Sequential):\n+class Net(nn.Sequential):\n" in done.out
    assert "run `specc build good.yaml`" in done.err
    assert target.read_text() == stale


def test_check_of_a_file_that_is_no_text(capsys: Capture) -> None:
    specc(capsys, "build", "good.yaml")
    Path("generated/net.py").write_bytes(b"\xff\xfeclass Net")
    done = specc(capsys, "build", "--check", "good.yaml")
    assert done.code == 1
    assert "run `specc build good.yaml`" in done.err


def test_check_without_a_file(folder: Path, capsys: Capture) -> None:
    assert specc(capsys, "build", "--check", "good.yaml").code == 1
    assert not (folder / "generated").exists()


def test_set_needs_a_folder(folder: Path, capsys: Capture) -> None:
    done = specc(capsys, "build", "good.yaml", "--set", "width=4")
    assert done.code == 2
    assert "-o DIR" in done.err
    assert not (folder / "generated").exists()
    assert specc(capsys, "build", "good.yaml", "--set", "width=4", "-o", "four").code == 0
    assert "(N, 4, 30, 30)" in Path("four/net.py").read_text()


@pytest.mark.parametrize(
    ("value", "code", "said"),
    [("with=4", 1, "`width`"), ("width=x", 1, "whole number"), ("width", 2, "NAME=VALUE")],
)
def test_set_something_else(value: str, code: int, said: str, capsys: Capture) -> None:
    done = specc(capsys, "build", "good.yaml", "-o", "out", "--set", value)
    assert done.code == code
    assert said in done.err
    assert not Path("out").exists()


def test_an_unknown_variant(capsys: Capture) -> None:
    done = specc(capsys, "build", "good.yaml:bag")
    assert done.code == 1
    assert "did you mean `big`?" in done.err


@pytest.mark.parametrize("target", ["good.yaml", "good.yaml/out"])
def test_a_folder_that_cannot_be_written(target: str, capsys: Capture) -> None:
    done = specc(capsys, "build", "good.yaml", "-o", target)
    assert done.code == 2
    assert f"{target}/net.py cannot be written: Not a directory" in done.err


def test_an_interrupted_write_leaves_the_old_file(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    specc(capsys, "build", "good.yaml")
    old = Path("generated/net.py").read_text()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.Path, "replace", interrupted)
    done = specc(capsys, "build", "good.yaml:big", "good.yaml")
    assert done.code == 130
    assert [path.name for path in (folder / "generated").iterdir()] == ["net.py"]
    assert Path("generated/net.py").read_text() == old


@pytest.mark.parametrize("arguments", [[], ["build"], ["bild", "good.yaml"], ["build", "--x"]])
def test_wrong_use(arguments: list[str], capsys: Capture) -> None:
    assert specc(capsys, *arguments).code == 2


@pytest.mark.parametrize(
    ("command", "help"), [("bild", "did you mean `build`?"), ("nothing", "`specc --help` lists")]
)
def test_an_unknown_command(command: str, help: str, capsys: Capture) -> None:
    done = specc(capsys, command, "good.yaml")
    assert done.code == 2
    assert f"there is no command {command}: {help}" in done.err


def test_no_command_shows_the_commands(capsys: Capture) -> None:
    done = specc(capsys)
    assert done.code == 2
    assert "usage: specc" in done.err
    assert all(name in done.err for name in ("build", "check-shapes", "viz"))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["build", "--help"]])
def test_help(arguments: list[str], capsys: Capture) -> None:
    done = specc(capsys, *arguments)
    assert done.code == 0
    assert done.out
