"""`specc build`: write emitted modules, or check that those on disk are fresh."""

from __future__ import annotations

import difflib
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.files import write_or_tell
from specc.cli.output import show, show_sarif
from specc.cli.selection import add_values, compile_selected
from specc.documents import Findings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from specc.documents import Diagnostic
    from specc.driver import Model

__all__ = ["add_arguments", "run"]

FOLDER = Path("generated")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("specs", nargs="+", metavar="SPEC[:VARIANT]", help="spec files")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help=f"folder (default: {FOLDER}/)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is stale"
    )
    parser.add_argument(
        "--format", choices=("text", "sarif"), default="text", help="how findings are printed"
    )
    add_values(parser)


def run(options: argparse.Namespace) -> int:
    """Build each spec; one with errors does not keep the others from being built."""
    if options.values and options.output is None and not options.check:
        print("specc build: --set changes what is emitted: say where with -o DIR", file=sys.stderr)
        return 2
    found: list[Diagnostic] = []
    is_sarif = options.format == "sarif"
    tell = found.extend if is_sarif else show
    with redirect_stdout(sys.stderr) if is_sarif else nullcontext():
        code = _build(options, tell)
    return max(code, show_sarif(found)) if is_sarif else code


def _build(options: argparse.Namespace, tell: Callable[[list[Diagnostic]], None]) -> int:
    """Compile all, and write unless two would write one file."""
    models = [_compile(path, options, tell) for path in options.specs]
    good = [model for model in models if model is not None]
    clash = _clash(good)
    if clash is not None:
        first, second = clash
        message = f"{first.path} and {second.path} are both named `{first.name}`"
        print(f"specc build: {message}: rename one, or build each to its own -o", file=sys.stderr)
        return 2
    folder = options.output or FOLDER
    write = _check if options.check else _write
    codes = [write(model, folder / f"{model.name}.py") for model in good]
    return max([*codes, int(None in models)])


def _compile(
    path: str, options: argparse.Namespace, tell: Callable[[list[Diagnostic]], None]
) -> Model | None:
    """Return a model to emit, or nothing after telling its errors."""
    try:
        model = compile_selected(path, options)
        tell(model.diagnostics)
    except Findings as findings:
        tell(findings.diagnostics)
        return None
    return model if model.ok else None


def _clash(models: list[Model]) -> tuple[Model, Model] | None:
    """Return two models of different files that would be written to one."""
    written: dict[str, Model] = {}
    for model in models:
        other = written.setdefault(model.name, model)
        if Path(other.path).resolve() != Path(model.path).resolve():
            return other, model
    return None


def _check(model: Model, target: Path) -> int:
    """Compare with the file on disk and show how they differ."""
    current = target.read_text("utf-8", errors="replace") if target.is_file() else ""
    if current == model.source:
        return 0
    old, new = current.splitlines(keepends=True), model.source.splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(old, new, str(target), f"{target} (fresh)"))
    print(f"{target} is stale: run `specc build {model.path}`", file=sys.stderr)
    return 1


def _write(model: Model, target: Path) -> int:
    """Write the module and say what it holds."""
    if not write_or_tell("build", target, model.source.encode()):
        return 2
    figures = f"{model.parameters:,} parameters"
    if model.boxes is not None:
        figures += f", {model.boxes:,} boxes"
    print(f"{target}: {figures}")
    return 0
