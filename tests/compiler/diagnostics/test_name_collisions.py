"""Names of a spec that would be one name in the emitted file."""

from pathlib import Path

import pytest
from marked import Fault, check, named

BODY = "{layers: {a: Sigmoid()}}"


def modules(*names: str) -> str:
    """Return a spec that calls modules of these names; the last is marked."""
    *most, last = names
    held = [*(f"  {name}: {BODY}\n" for name in most), f"  «{last}»: {BODY}\n"]
    calls = [f"row{place}: {name}()" for place, name in enumerate(names)]
    return named(*calls, more="modules:\n" + "".join(held))


COLLISIONS = [
    modules("block", "Block"),
    modules("ReLU"),
    modules("Net"),
    "class: Root\n" + modules("Root"),
    named("features: ReLU()", "b: ReLU()", more="stages: {features: «features», head: b}\n"),
    named("a: ReLU()", "b: ReLU()", more="params: {head: 3}\nstages: {head: «b»}\n"),
]


@pytest.mark.parametrize("text", COLLISIONS)
def test_collision(text: str, tmp_path: Path) -> None:
    check(tmp_path, Fault("E0216", text, "choose another name"))


def test_both_modules_are_labelled(tmp_path: Path) -> None:
    found = check(tmp_path, Fault("E0216", modules("block", "Block"), ""))
    assert [label.span.text for label in found.labels] == ["Block", "block"]


@pytest.mark.parametrize("text", [modules("Outputs"), named("«Outputs»: ReLU()")])
def test_the_name_of_the_returned_tuple(text: str, tmp_path: Path) -> None:
    check(tmp_path, Fault("E0215", text, "choose another name"))
