"""`specc completion`: what bash offers when asked, and what the parsers say that it should."""

import shutil
import subprocess
from pathlib import Path

import pytest
from commands import GOOD, specc

from specc.cli.main import COMMANDS
from specc.cli.words import commands
from specc.detector import COMPONENTS
from specc.documents import CODES
from specc.ops import INITIALIZERS, OPS

Capture = pytest.CaptureFixture[str]

ASK = """\
specc() {{ [[ $1 == completion && $2 == --variants ]] && printf '%s\\n' "big:$3" small; }}
source {script}
COMP_WORDS=({words})
COMP_CWORD={place}
_specc
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(folder: Path, capsys: Capture) -> Path:
    path = folder / "completion.bash"
    path.write_text(specc(capsys, "completion", "bash").out, encoding="utf-8")
    return path


def offered(script: Path, *words: str) -> list[str]:
    """What bash offers for the last of some words."""
    bash = shutil.which("bash")
    assert bash is not None
    quoted = " ".join(f"'{word}'" for word in ("specc", *words))
    asked = ASK.format(script=script, words=quoted, place=len(words))
    done = subprocess.run(
        [bash, "--norc", "-c", asked], capture_output=True, text=True, check=True, cwd=script.parent
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_commands(script: Path) -> None:
    assert set(COMMANDS) | {"train", "eval"} <= set(offered(script, ""))
    assert offered(script, "expl") == ["explain"]


def test_options(script: Path) -> None:
    assert {"--check", "--set", "-o", "--output"} <= set(offered(script, "build", "-"))
    assert offered(script, "fmt", "--d") == ["--diff"]


def test_choices(script: Path) -> None:
    assert offered(script, "check-shapes", "--format", "") == ["table", "json", "sarif"]
    assert offered(script, "check-shapes", "good.yaml", "--format", "s") == ["sarif"]
    assert offered(script, "completion", "") == ["bash", "zsh", "fish"]


def test_ops_and_codes(script: Path) -> None:
    assert set(offered(script, "ops", "")) == {*OPS, *INITIALIZERS, *COMPONENTS}
    assert offered(script, "explain", "E041") == [c for c in CODES if c.startswith("E041")]


def test_spec_files_and_folders(script: Path) -> None:
    (script.parent / "some folder").mkdir()
    (script.parent / "notes.txt").touch()
    assert offered(script, "build", "g") == ["good.yaml"]
    assert offered(script, "build", "n") == []
    assert offered(script, "build", "-o", "some") == ["some", "folder/"]


@pytest.mark.parametrize("words", [["good.yaml", ":"], ["good.yaml", ":", ""]])
def test_variants(words: list[str], script: Path) -> None:
    assert offered(script, "build", *words) == ["big:good.yaml", "small"]


def test_variants_where_a_colon_ends_no_word(script: Path) -> None:
    assert offered(script, "build", "good.yaml:s") == ["good.yaml:small"]


def test_variants_of_a_spec(folder: Path, capsys: Capture) -> None:
    done = specc(capsys, "completion", "--variants", "good.yaml")
    assert (done.code, done.out) == (0, "big\n")
    (folder / "good.yaml").write_text(GOOD.replace("variants", "# variants"), encoding="utf-8")
    for path in ("good.yaml", "missing.yaml", "."):
        done = specc(capsys, "completion", "--variants", path)
        assert (done.code, done.out.strip(), done.err) == (0, "", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_know_all_commands_and_options(shell: str, capsys: Capture) -> None:
    done = specc(capsys, "completion", shell)
    assert done.code == 0
    for command in commands():
        assert command.name in done.out
        for option in command.options:
            assert (
                option in done.out
                or f"-l {option[2:]}" in done.out
                or f"-s {option[1:]}" in done.out
            )


@pytest.mark.parametrize("arguments", [[], ["tcsh"], ["bash", "--variants", "good.yaml"]])
def test_wrong_use(arguments: list[str], capsys: Capture) -> None:
    assert specc(capsys, "completion", *arguments).code == 2
