"""Read specs as they were in a revision of a git repository."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from specc.documents import Findings, Label, Source, Span

if TYPE_CHECKING:
    from collections.abc import Generator

    from specc.documents import Diagnostic

__all__ = ["NoRevision", "found"]

SUFFIXES = (".yaml", ".yml")


class NoRevision(Exception):
    """There is no such revision, or it has no such file."""


@contextmanager
def found(spec: str) -> Generator[str]:
    """Give `SPEC[:VARIANT]` as it is, and `REVISION:PATH[:VARIANT]` as a file of that revision.

    A path in a revision begins at the root of the repository, as in `git show`. The specs beside
    it and below, which it may use, come with it into a folder that is there, and current, within
    the `with` block.

    Raises:
        NoRevision: git is missing or refuses, or the file is not there.
        Findings: those of the block, of a revision with its name before the path.
    """
    file, _, inside = spec.partition(":")
    if not inside or Path(spec).exists() or Path(file).exists():
        yield spec
        return
    path, _, variant = inside.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        try:
            _extract(file, path, Path(folder))
        except NoRevision as error:
            raise NoRevision(f"there is no file {file}; as a revision: {error}") from None
        with chdir(folder):
            try:
                yield f"{path}:{variant}" if variant else path
            except Findings as findings:
                raise Findings(_as_of(file, each) for each in findings.diagnostics) from None


def _as_of(revision: str, found: Diagnostic) -> Diagnostic:
    return replace(found, labels=tuple(_labelled(revision, label) for label in found.labels))


def _labelled(revision: str, label: Label) -> Label:
    """Put the revision before a path within it; the zoo's specs are those of today."""
    span, source = label.span, label.span.source
    if Path(source.path).is_absolute():
        return label
    return Label(
        Span(Source(f"{revision}:{source.path}", source.text), span.start, span.end), label.text
    )


def _extract(revision: str, path: str, target: Path) -> None:
    """Write a spec of a revision and all below its folder, as they are stored."""
    if revision.startswith("-"):
        raise NoRevision("its name does not begin with `-`")
    folder = str(PurePosixPath(path).parent)
    listed = _git("ls-tree", "-r", "-z", "--full-tree", revision, "--", folder)
    paths: set[str] = set()
    for entry in listed.decode(errors="surrogateescape").split("\0")[:-1]:
        facts, _, stored = entry.partition("\t")
        mode, kind, blob = facts.split()
        is_link = mode == "120000"
        if kind == "blob" and not is_link and stored.endswith(SUFFIXES) and _is_below(stored):
            paths.add(stored)
            file = target / stored
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_git("cat-file", "blob", blob))
    if str(PurePosixPath(path)) not in paths:
        raise NoRevision(f"it has no spec {path}, as seen from the root of the repository")


def _is_below(path: str) -> bool:
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        raise NoRevision("git is needed to read a revision, and is not here") from None
    if done.returncode:
        raise NoRevision(done.stderr.decode(errors="replace").strip())
    return done.stdout
