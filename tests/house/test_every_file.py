"""What holds for every file: size, a docstring, and no word of the machine it was written on."""

import ast
import re
import statistics

import pytest
import yaml
from project import ROOT, run, sources, tracked

LONGEST = 400
LONGEST_MEDIAN = 150

FOREIGN = re.compile(
    r"(?<![\w.~])/(?:work|root|home|farm|Users|tmp)/\w"  # a place on some machine
    r"|\bTODO\b|\bFIXME\b|\bXXX\b"
    r"|\bBeing written\b|\bthis session\b",
)


def _lines(path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_source_file_is_long():
    long = {str(p.relative_to(ROOT)): n for p in sources() if (n := _lines(p)) > LONGEST}
    assert not long, f"split these: {long}"


def test_the_median_source_file_is_short():
    assert statistics.median(map(_lines, sources())) <= LONGEST_MEDIAN


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree), "begin with a docstring"


def test_no_machine_and_no_unfinished_business_in_any_file():
    found = []
    for path in tracked():
        if path == ROOT / "tests/house/test_every_file.py":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), 1)
            if FOREIGN.search(line)
        ]
    assert not found, "\n".join(found)


def test_shell_and_workflow_files_are_sound():
    assert run("bash", "-n", ".ci/run").returncode == 0
    for script in (".ci/run", "start.py"):
        assert (ROOT / script).stat().st_mode & 0o111, f"{script} is not executable"


def test_hooks_pass_over_what_the_emitter_writes():
    """A hook is given files by name, of which ruff does not ask whether they are excluded."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"].split() for hook in config["repos"][0]["hooks"]]
    ruffs = [words[1:] for words in entries if words[0].endswith("/ruff")]
    assert [words[0] for words in ruffs] == ["check", "format"]
    for words, dry in zip(ruffs, ("--no-fix", "--diff"), strict=True):
        done = run("ruff", *words, dry, *tracked("tests/cases/*.py", "generated/*.py"))
        assert done.returncode == 0, done.stdout


def test_make_help_lists_every_target():
    shown = run("make", "help")
    assert shown.returncode == 0, shown.stderr
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    assert sorted(line.split()[0] for line in shown.stdout.splitlines()) == sorted(phony)
