"""README and docs say what is so: their blocks run, their links lead somewhere."""

import doctest
import re
import shutil

import pytest
from blocks import agrees, blocks, commands, is_excerpt, whole_spec
from project import ROOT, run, tracked

import specc

PAGES = [p for p in tracked("*.md") if "explain" not in p.parts and "cases" not in p.parts]
ELSEWHERE = ("python3 start.py", "make ", ".ci/run")  # run by CI itself
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def _all(language):
    found = [block for page in PAGES for block in blocks(page, language)]
    return pytest.mark.parametrize("block", found, ids=str)


@_all("yaml")
def test_spec_compiles_or_is_quoted(block, tmp_path, monkeypatch):
    if "/" in block.about:
        assert is_excerpt(block.text, ROOT / block.about)
        return
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.yaml").write_text(whole_spec(block.text), encoding="utf-8")
    model = specc.compile("example.yaml")
    assert not model.diagnostics, [found.message for found in model.diagnostics]
    compile(model.source, "example.py", "exec")


@_all("python")
def test_emitted_lines_are_quoted(block):
    assert is_excerpt(block.text, ROOT / block.about)


@_all("pycon")
def test_session_repeats(block, monkeypatch):
    monkeypatch.chdir(ROOT)
    session = doctest.DocTestParser().get_doctest(block.text, {}, str(block), None, block.line)
    failed, tried = doctest.DocTestRunner().run(session)
    assert tried and not failed


@_all("console")
def test_commands_print_what_is_shown(block, tmp_path):
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    for command, shown in commands(block):
        if command.startswith(ELSEWHERE) or "BCCD" in command:
            continue
        done = run("bash", "-c", f"set -o pipefail; {_quick(command)} 2>&1", cwd=tmp_path)
        may_differ = "error[" in shown or command.startswith("specc diff")
        assert done.returncode in ((0, 1) if may_differ else (0,)), done.stdout
        assert not shown or agrees(shown, done.stdout), done.stdout


def _quick(command: str) -> str:
    """The same command with little to do."""
    if command.startswith("specc synth"):
        return f"{command} --images 20"
    if command.startswith("specc train"):
        return f"{command} epochs=1 batch=4 workers=0 precision=fp32"
    return f"{command} --workers 0" if command.startswith("specc eval") else command


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        target, _, anchor = (match[1] or match[2]).partition("#")
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file), f"{page.name}: #{anchor}"


def _anchors(page) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
