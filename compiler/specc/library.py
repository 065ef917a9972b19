"""Find the specs that a spec uses, and the values of its parameters."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from specc.documents import Findings, Report, did_you_mean, load, suggest
from specc.ir.parameters import variant_params
from specc.ir.read import read_spec
from specc.schema.check import check_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from specc.documents import Mapping as Document
    from specc.documents import Node, Span
    from specc.ir.spec import Spec

__all__ = ["Library", "load_spec", "read", "zoo"]

ZOO = "zoo/"


def zoo() -> Path:
    """Return the folder of the specs that come with specc: in the wheel, or in the repository."""
    here = Path(__file__).resolve().parent
    installed = here / "zoo"
    return installed if installed.is_dir() else here.parent.parent / "specs"


def load_spec(path: str) -> Node:
    """Load a spec's file. Raises `Findings`; of a missing one of the zoo's names, how to get that."""
    try:
        return load(path)
    except Findings as findings:
        name = Path(path).stem
        if os.path.lexists(path) or name not in {spec.stem for spec in zoo().glob("*.yaml")}:
            raise
        folder = str(Path(path).parent)
        copy = f"specc zoo copy {name}" + (f" -o {shlex.quote(folder)}" if folder != "." else "")
        help = f"{name}.yaml comes with specc: `{copy}` puts it there"
        missing = replace(findings.diagnostics[0], help=help)
        raise Findings([missing]) from None


def read(document: Node, path: str, report: Report) -> Spec:
    """Check a document's structure and read it; structural errors stop here."""
    check_document(document, report)
    report.stop()
    return read_spec(cast("Document", document), path, report)


class Library:
    """The specs of one compilation, each read once."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.specs: dict[Path, Spec | None] = {}

    def load(self, name: str, span: Span, user: Spec) -> Spec | None:
        """Return the spec that `use` names: beside the file that uses it, or of the zoo."""
        folder = zoo() if name.startswith(ZOO) else Path(user.path).resolve().parent
        path = folder / name.removeprefix(ZOO)
        path = (path if path.suffix else path.with_suffix(".yaml")).resolve()
        if not path.is_relative_to(folder.resolve()):
            message = f"`{name}` leaves the folder of the spec"
            help = "use a file of this folder or below, or `zoo/...`"
            self.report.add("E0309", message, span, "outside", help=help)
            return None
        if path not in self.specs:
            self.specs[path] = self._read(path, name, span)
        return self.specs[path]

    def _read(self, path: Path, name: str, span: Span) -> Spec | None:
        shown = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
        inner = Report()
        try:
            spec = read(load(shown), shown, inner)
            inner.stop()
        except Findings as findings:
            first = findings.diagnostics[0]
            message = f"`{name}` cannot be used: {first.message}"
            help = f"`specc check-shapes {shown}` shows all that is wrong there"
            help = help if path.exists() else _instead(path, name, span)
            self.report.add("E0312", message, span, "used here", help=help, also=first.labels)
            return None
        return spec

    def values(
        self, spec: Spec, variant: str | None, given: Mapping[str, object]
    ) -> dict[str, Any]:
        """Return the root's parameter values: those given, over those of a variant."""
        values: dict[str, Any] = {}
        if variant is not None:
            if variant not in spec.variants:
                known = ", ".join(spec.variants) or "none"
                help = did_you_mean(variant, spec.variants, f"variants: {known}")
                message = f"`{spec.name}` has no variant `{variant}`"
                self.report.add("E0310", message, spec.root.span, "this spec", help=help)
            else:
                values |= variant_params(spec, variant)
        for name, value in given.items():
            if name not in spec.root.params:
                known = ", ".join(spec.root.params) or "none"
                help = did_you_mean(name, spec.root.params, f"parameters: {known}")
                message = f"`{spec.name}` has no parameter `{name}`"
                self.report.add("E0311", message, spec.root.span, "this spec", help=help)
            else:
                values[name] = value
        return values


def _instead(path: Path, name: str, span: Span) -> str:
    """Say what to write for a file that is not there: the nearest beside it, or of the zoo."""
    user = Path(span.source.path).resolve()
    folder = name[: name.rfind("/") + 1]
    beside = {found.stem: folder for found in path.parent.glob("*.yaml") if found != user}
    folders = {found.stem: ZOO for found in zoo().glob("*.yaml")} | beside
    near = suggest(path.stem, folders)
    if near is None:
        return "name a file of this folder, or `zoo/` and a name that `specc zoo` lists"
    return f"did you mean `{folders[near]}{near}`?"
