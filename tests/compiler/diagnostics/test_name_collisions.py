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
    modules("conv_block", "ConvBlock"),
    modules("tensor"),
    modules("named_tuple"),
    modules("any"),
    modules("conv2dSame"),
    named("a: ReLU()").replace("net", "«tensor»"),
    named("a: ReLU()", "b: ReLU()", more="outputs: {count: «a», other: b}\n"),
    named("a: ReLU()", "b: ReLU()", more="outputs: {other: a, index: «b»}\n"),
    named("a: Block()", more="modules: {Block: {params: {«Block»: 3}, layers: {a: ReLU()}}}\n"),
    named("a: Block()", more="modules: {Block: {params: {«Net»: 3}, layers: {a: ReLU()}}}\n"),
    named(
        "a: Block()",
        more="modules: {Block: {inputs: {y: [N, «Block», H, W]}, layers: {a: ReLU()}}}\n",
    ),
    named(
        "a: Block()(image, image)",
        more="modules: {Block: {inputs: [p, q], params: {«p_channels»: 3}, layers: {a: 'Add()(p, q)'}}}\n",
    ),
    named(
        "a: Block()(image, image)",
        more="modules: {Block: {inputs: [p, q], layers: {«q_channels»: 'Add()(p, q)'}}}\n",
    ),
]

PAIR = (
    "modules: {Pair: {inputs: {p: [N, %s, H, W], q: [N, d, H, W]}, layers: {a: 'Add()(p, q)'}}}\n"
)
TWICE = [
    "params: {image: 3}\n" + named("a: ReLU()").replace("image", "«image»"),
    named("a: Pair()(image, image)", more=PAIR % "«p»"),
    named("a: Pair()(image, image)", more=PAIR % "«q»"),
    named("a: Block()", more="use: {Block: «zoo/ssd300_vgg»}\n" + f"modules: {{Block: {BODY}}}\n"),
    named("a: {for: {«a»: '[image]'}, op: ReLU()(a)}"),
    named("a: {for: {«image»: '[image]'}, op: ReLU()(image)}"),
    named("a: ReLU()", "b: {for: {«a»: '[image]'}, op: ReLU()(a)}"),
    named("a: {for: {«k»: '[image]'}, op: ReLU()(k)}", more="let: {k: 3}\n"),
    named("a: {for: {«k»: '[image]'}, op: ReLU()(k)}", more="params: {k: 3}\n"),
]
UNUSABLE = [
    named("a: Pair()(image, image)", more=PAIR % "«nn»"),
    named("a: Pair()(image, image)", more=PAIR % "«torch»"),
    named("a: {for: {«nn»: '[image]'}, op: ReLU()(nn)}"),
    named("a: {for: {«same_padding»: '[image]'}, op: ReLU()(image)}"),
]


@pytest.mark.parametrize("text", COLLISIONS)
def test_collision(text: str, tmp_path: Path) -> None:
    check(tmp_path, Fault("E0216", text, "choose another name"))


def test_both_modules_are_labelled(tmp_path: Path) -> None:
    found = check(tmp_path, Fault("E0216", modules("block", "Block"), ""))
    assert [label.span.text for label in found.labels] == ["Block", "block"]


@pytest.mark.parametrize("text", TWICE)
def test_a_name_that_is_given_twice(text: str, tmp_path: Path) -> None:
    found = check(tmp_path, Fault("E0302", text, "choose another name"))
    assert [label.text for label in found.labels] == ["second use", "first use"]


@pytest.mark.parametrize("text", UNUSABLE)
def test_names_of_sizes_and_of_items(text: str, tmp_path: Path) -> None:
    check(tmp_path, Fault("E0215", text, "choose another name"))


@pytest.mark.parametrize("text", [modules("Outputs"), named("«Outputs»: ReLU()")])
def test_the_name_of_the_returned_tuple(text: str, tmp_path: Path) -> None:
    check(tmp_path, Fault("E0215", text, "choose another name"))
