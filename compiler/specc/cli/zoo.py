"""`specc zoo`: list the specs that come with specc, or copy some to start from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.files import write_or_tell
from specc.cli.table import Column, table
from specc.documents import Findings, Report, did_you_mean, load
from specc.library import ZOO, Library, read, zoo

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]

COLUMNS = (
    Column("name"),
    Column("title"),
    Column("parameters", is_right=True),
    Column("boxes", is_right=True),
    Column("variants"),
)
SCHEMA = "specc.schema.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.set_defaults(work=_list)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    listed = actions.add_parser("list", help="name, title, parameters and boxes of each spec")
    listed.set_defaults(work=_list)
    copied = actions.add_parser("copy", help="copy specs and the files they use")
    copied.add_argument("names", nargs="+", metavar="NAME", help="as `specc zoo list` shows it")
    copied.add_argument(
        "-o", "--output", type=Path, default=Path(), metavar="DIR", help="folder (default: this)"
    )
    copied.add_argument("--force", action="store_true", help="write over files that are there")
    copied.set_defaults(work=_copy)


def run(options: argparse.Namespace) -> int:
    """List or copy."""
    return options.work(options)


def _list(options: argparse.Namespace) -> int:
    del options
    print(table(COLUMNS, [_row(path) for path in _specs().values()]))
    return 0


def _specs() -> dict[str, Path]:
    return {path.stem: path for path in sorted(zoo().glob("*.yaml"))}


def _row(path: Path) -> list[str]:
    from specc.driver import compile_spec

    try:
        model = compile_spec(path)
    except Findings:
        return [path.stem, "(cannot be read)", "", "", ""]
    boxes = "" if model.boxes is None else f"{model.boxes:,}"
    variants = ", ".join(model.spec.variants)
    return [path.stem, model.spec.title, f"{model.parameters:,}", boxes, variants]


def _copy(options: argparse.Namespace) -> int:
    """Copy specs with all that they use; nothing is written unless everything can be."""
    files = _wanted(options.names)
    if files is None:
        return 2
    targets = {options.output / file.relative_to(zoo()): file for file in files}
    taken = [str(target) for target in targets if target.exists()]
    if taken and not options.force:
        are = "is" if len(taken) == 1 else "are"
        print(f"specc zoo: {', '.join(taken)} {are} there: add --force", file=sys.stderr)
        return 2
    for target, file in targets.items():
        if not write_or_tell("zoo", target, file.read_bytes()):
            return 2
        print(target)
    return 0


def _wanted(names: list[str]) -> list[Path] | None:
    """Return the files of some specs, each once, and the schema that their first lines name."""
    known = _specs()
    files: dict[Path, None] = {}
    for name in names:
        if name not in known:
            help = did_you_mean(name, known, "`specc zoo list` shows them")
            print(f"specc zoo: there is no spec {name}: {help}", file=sys.stderr)
            return None
        files |= dict.fromkeys(_with_used(known[name]))
    return [*files, zoo() / SCHEMA]


def _with_used(path: Path) -> list[Path]:
    """Return a spec and the files beside it that it uses, directly or through others."""
    report = Report()
    library = Library(report)
    files = [path]
    for file in files:
        spec = read(load(file), str(file), report)
        for name, span in spec.use.values():
            used = None if name.startswith(ZOO) else library.load(name, span, spec)
            if used is not None and Path(used.path).resolve() not in files:
                files.append(Path(used.path).resolve())
    return files
