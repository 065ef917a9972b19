"""Which keys of a row in block form have a meaning beside one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specc.documents import Mapping, Report
    from specc.ir.spec import RowSpec

__all__ = ["keys_agree"]

_APART = {"repeat": ("for", "a row repeats in series or walks over lists: make a module of one")}
_NEEDS = {
    "first": ("repeat", "`first` is for the first of several: add `repeat`"),
    "shared": ("for", "`shared` is for the turns of a loop: add `for`"),
}


def keys_agree(node: Mapping, row: RowSpec, report: Report) -> bool:
    """Report a key that would say nothing; return whether there is none."""
    for key, (other, help) in _APART.items():
        if node.get(key) is not None and node.get(other) is not None:
            return _idle(node, key, f"beside `{other}`", help, report)
    for key, (other, help) in _NEEDS.items():
        if node.get(key) is not None and node.get(other) is None:
            return _idle(node, key, f"without `{other}`", help, report)
    extra = [key for key, _ in node.entries if key.name != "op"]
    if row.is_value and extra:
        return _idle(
            node, extra[0].name, "in a row that names values", "write `name: [a, b]`", report
        )
    return True


def _idle(node: Mapping, key: str, where: str, help: str, report: Report) -> bool:
    place = node.key(key)
    if place is not None:
        message = f"`{key}` has no meaning {where}"
        report.add("E0203", message, place.span, "says nothing", help=help)
    return False
