"""Faults in the sections of a document: keys, kinds of values, names."""

from pathlib import Path

import pytest
from marked import HEAD, Fault, check, findings, named, rows

ROW = rows("ReLU()")
MODULE = "modules:\n  Block:\n    layers:\n      - ReLU()\n"
DETECTOR = "detector: {maps: [image], anchors: 'DefaultBoxes()', "

FAULTS = [
    Fault("E0201", ROW + "«layer»: 3\n", "`layers`"),
    Fault("E0201", rows("Block()", more=MODULE) + "    «layrs»: []\n", "`layers`"),
    Fault("E0201", rows("{op: ReLU(), «repat»: 3}"), "`repeat`"),
    Fault("E0203", rows("{op: ReLU(), «first»: {inplace: true}}"), "add `repeat`"),
    Fault("E0203", rows("{op: ReLU(), «shared»: true}"), "add `for`"),
    Fault("E0203", named("h: {op: ReLU(), for: «{}»}"), "take `for` out"),
    Fault("E0203", named("h: {op: ReLU(), repeat: «{}»}"), "take `repeat` out"),
    Fault("E0120", named("a«：»Conv2d(3, 8, 3)"), "`a: Conv2d(3, 8, 3)`"),
    Fault("E0120", named("a«：»Conv2d(3, 8, 3)", "b：ReLU()"), "`a: Conv2d(3, 8, 3)`"),
    Fault("E0120", ROW + "params: a«：»3\n", "`a: 3`"),
    Fault("E0203", named("h: {op: ReLU()(y), «repeat»: 2, for: {y: '[image]'}}"), "a module"),
    Fault("E0203", named("h: {op: '[image]', «if»: true}"), "write `name: [a, b]`"),
    Fault("E0201", rows("a: {op: ReLU(), «repat»: 3}"), "`repeat`"),
    Fault("E0201", ROW + "detector: {«map»: a}\n", "`maps`"),
    Fault("E0201", ROW + "expect: {«parms»: 3}\n", "`params`"),
    Fault("E0201", ROW + "expect: [{«parms»: 3}]\n", "`params`"),
    Fault("E0201", ROW + "weights: {torchvision: {«maps»: {}}}\n", "`map`"),
    Fault("E0201", ROW + "weights: {torchvision: {map: {}, «inot»: a}}\n", "`into`"),
    Fault("E0202", HEAD.replace("specc", "«specc»"), "add `layers:`"),
    Fault("E0202", "specc: 1\nname: net\ninputs: [«image»]\nlayers:\n  - ReLU()\n", "[N, 3, 300"),
    Fault("E0202", named("a: {«repeat»: 3}"), "add `op:`"),
    Fault("E0203", "«abc»", "specc: 1"),
    Fault("E0203", ROW.replace("specc: 1", "specc: «2»"), "`specc: 1`"),
    Fault("E0203", ROW.replace("net", "«3»"), "a text"),
    Fault("E0203", HEAD + "layers: «[]»\n", "write something"),
    Fault("E0203", HEAD.replace("{image: [N, 3, 32, 32]}", "«{}»") + "layers: {a: ReLU()}\n", ""),
    Fault("E0203", rows("«{a: ReLU(), b: ReLU()}»"), "`name: call`"),
    Fault("E0211", ROW.replace("32, 32", "32, «-3»"), "a name for any size"),
    Fault("E0301", named("a: ReLU()", more="stages: {first: «b»}\n"), "the row it ends with"),
    Fault("E0315", named("a: ReLU()", "b: ReLU()", more="stages: {one: «a»}\n"), "end it with `b`"),
    Fault(
        "E0315", named("a: ReLU()", "b: ReLU()", more="stages: {p: b, q: «a»}\n"), "in the order"
    ),
    Fault(
        "E0315", named("a: ReLU()", "b: ReLU()", more="stages: {p: b, q: «b»}\n"), "in the order"
    ),
    Fault("E0311", ROW + "params: {num: 3}\nvariants: {big: {«nun»: 4}}\n", "`num`"),
    Fault("E0215", ROW + "variants: {«../../big»: {}}\n", "another name"),
    Fault("E0215", ROW.replace("net", "«../net»"), "another name"),
    Fault("E0215", rows("«Conv2d(3, 8, 3)»: ReLU()"), "write `conv1: Conv2d(...)`"),
    Fault("E0215", named("«Conv2d(3, 8, 3)»: ReLU()"), "a name is letters, digits and `_`"),
    Fault("E0204", ROW + "preprocess: «Preprocess»\n", "Preprocess(...)"),
    Fault("E0210", ROW + "preprocess: Preprocess(channels=«'RGX'»)\n", "'RGB'"),
    Fault("E0205", ROW + "preprocess: «Preproces»()\n", "`Preprocess`"),
]

NAMES = {
    "class": "a word of Python",
    "match": "a word of Python",
    "self": "of its own",
    "torch": "of its own",
    "MODEL": "of its own",
    "Conv2dSame": "of its own",
    "per_box": "of its own",
    "forward": "nn.Module.forward",
    "train": "nn.Module.train",
    "eval": "nn.Module.eval",
    "a-b": "not an identifier",
    "größe": "not an identifier",
    "vgg.a": "not an identifier",
    "3": "not an identifier",
    "__init__": "private",
    "a" * 100: "60 characters",
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, fault)


@pytest.mark.parametrize(("name", "reason"), NAMES.items())
@pytest.mark.parametrize(
    "text",
    [
        rows("«NAME»: ReLU()"),
        named("«NAME»: ReLU()"),
        rows("ReLU()", more="params: {«NAME»: 3}\n"),
        rows("ReLU()", more="let: {«NAME»: 3}\n"),
        rows("Block()", more=MODULE + "  «NAME»: {layers: {a: ReLU()}}\n"),
        rows("ReLU()", more="outputs: {«NAME»: image}\n"),
        rows("ReLU()", more="class: «'NAME'»\n"),
        HEAD.replace("image", "«NAME»") + "layers: {a: ReLU()}\n",
    ],
    ids=["row", "key", "param", "let", "module", "output", "class", "input"],
)
def test_name_that_cannot_be_used(name: str, reason: str, text: str, tmp_path: Path) -> None:
    found = check(tmp_path, Fault("E0215", text.replace("NAME", name), "another name"))
    assert reason in found.message


def test_missing_keys_are_all_named(tmp_path: Path) -> None:
    found = findings(tmp_path, "specc: 1\n")
    assert [diagnostic.message.split("`")[1] for diagnostic in found] == [
        "name",
        "inputs",
        "layers",
    ]
