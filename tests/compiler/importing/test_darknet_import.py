"""Specs from Darknet's `.cfg`: what is recognised, what is left behind, what is refused."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from specc.cli import main
from specc.documents import Diagnostic, Findings, render_text
from specc.driver import Model, compile_spec
from specc.importing import Imported, import_darknet

NET = "[net]\nwidth=64\nheight=32\n"
CONV = "[convolutional]\nbatch_normalize=1\nfilters={}\nsize={}\nstride={}\npad=1\nactivation={}\n"


def conv(filters: int, size: int = 3, stride: int = 1, activation: str = "leaky") -> str:
    return CONV.format(filters, size, stride, activation)


def imported(text: str, folder: Path) -> tuple[Imported, Model]:
    """Import a network and compile what comes of it, which has to be right."""
    (folder / "net.cfg").write_text(NET + text, encoding="utf-8")
    made = import_darknet(folder / "net.cfg")
    (folder / "net.yaml").write_text(made.text, encoding="utf-8")
    model = compile_spec(folder / "net.yaml")
    assert not [found for found in model.diagnostics if found.severity == "error"]
    assert main(["fmt", "--check", str(folder / "net.yaml")]) == 0
    return made, model


def refused(text: str | bytes, folder: Path) -> list[Diagnostic]:
    """Import a file that is no network; this ends soon, and names the edit to make."""
    path = folder / "bad.cfg"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    start = time.perf_counter()
    with pytest.raises(Findings) as caught:
        import_darknet(path)
    assert time.perf_counter() - start < 20
    assert render_text(caught.value.diagnostics)
    assert all(found.help for found in caught.value.diagnostics)
    return caught.value.diagnostics


def place(found: Diagnostic) -> tuple[str, int, int]:
    span = found.labels[0].span
    return found.code, span.line, span.column


def test_equal_residual_blocks_are_one_repeat(tmp_path: Path) -> None:
    block = conv(8, 1) + conv(16) + "[shortcut]\nfrom=-3\nactivation=linear\n"
    other = conv(16, 1) + conv(32) + "[shortcut]\nfrom=-3\nactivation=linear\n"
    made, model = imported(conv(16) + block * 3 + conv(32, stride=2) + other, tmp_path)
    assert "  res9:\n    repeat: 3\n    op: Residual()\n" in made.text
    assert "  res13: Residual() -> [32, 16, 32]\n" in made.text
    assert made.text.count("conv1: ConvBNLeaky(c // 2, 1)") == 1
    assert "res9.2.conv2.bn.weight" in model.facts.costs.state


def test_a_block_that_is_tapped_stays_by_itself(tmp_path: Path) -> None:
    block = conv(8, 1) + conv(16) + "[shortcut]\nfrom=-3\nactivation=linear\n"
    made, _ = imported(conv(16) + block * 3 + "[route]\nlayers=-1, 3, 1\n", tmp_path)
    assert "  res3: Residual()" not in made.text, "its inside is tapped too"
    assert "  add3: Add()(conv0, conv2)" in made.text
    assert "    repeat: 2\n    op: Residual()\n" in made.text
    assert "  cat10: Cat(dim=1)(res9, add3, conv1) -> [40, 32, 64]\n" in made.text


def test_blocks_of_several_widths_are_told_them(tmp_path: Path) -> None:
    short = "[shortcut]\nfrom=-3\nactivation=relu\n"
    text = conv(16) + conv(4, 1) + conv(16) + short + conv(8, 1) + conv(16) + short
    made, _ = imported(text, tmp_path)
    assert "  res3: Residual(4) -> " in made.text
    assert "  res6: Residual(8) -> " in made.text
    assert "    params: {width1: int}\n" in made.text
    assert "      act: ReLU(inplace=True)\n" in made.text


def test_two_convolutions_in_turn_are_a_repeat_from_three_times_on(tmp_path: Path) -> None:
    pair = conv(8, 1) + conv(16)
    made, _ = imported(pair * 2 + conv(4), tmp_path)
    assert "repeat" not in made.text
    made, model = imported(conv(4) + pair * 3 + "[route]\nlayers=-1, 0\n", tmp_path)
    assert "  pair6:\n    repeat: 3\n    op: Pair(8, 16)\n" in made.text
    assert "  cat7: Cat(dim=1)(pair6, conv0) -> [20, 32, 64]\n" in made.text
    assert model.facts.costs.state["pair6.2.conv2.conv.weight"].shape == (16, 8, 3, 3)
    made, _ = imported(pair * 4 + "[route]\nlayers=-1, 1\n", tmp_path)
    assert "  conv1: ConvBNLeaky(16, 3) -> [16, 32, 64]\n  pair7:\n    repeat: 3\n" in made.text
    made, _ = imported(pair * 4 + "[route]\nlayers=-1, 2\n", tmp_path)
    assert "Pair" not in made.text


def test_kinds_of_convolution_are_modules(tmp_path: Path) -> None:
    plain = "[convolutional]\nfilters=8\nsize=3\nstride=2\nactivation=linear\n"
    grouped = "[convolutional]\nfilters=8\nsize=3\npad=1\ngroups=4\nactivation=relu\n"
    padded = "[convolutional]\nfilters=8\nsize=3\npadding=2\nactivation=relu\n"
    text = conv(8) + conv(8, 5, activation="swish") + plain + grouped + padded
    made, model = imported(text, tmp_path)
    assert "  conv2: Conv2d(_, 8, 3, stride=2) -> [8, 15, 31]\n" in made.text
    assert "  conv3: ConvReLU(8, 3, padding=1, groups=4) -> [8, 15, 31]\n" in made.text
    assert "  conv4: ConvReLU(8, 3, padding=2) -> [8, 17, 33]\n" in made.text
    assert "ConvBNSiLU(8, 5)" in made.text
    assert model.facts.costs.state["conv3.conv.weight"].shape == (8, 2, 3, 3)


@pytest.mark.parametrize(
    ("options", "call", "size"),
    [
        ("size=2\nstride=2", "MaxPool2d(2, stride=2)", "16, 32"),
        ("size=2\nstride=1", "MaxPool2d(2, stride=1, padding='tf_same')", "32, 64"),
        ("size=5\nstride=1", "MaxPool2d(5, stride=1, padding=2)", "32, 64"),
        ("size=3\nstride=2", "MaxPool2d(3, stride=2, padding=1)", "16, 32"),
        ("size=2\nstride=2\npadding=0", "MaxPool2d(2, stride=2)", "16, 32"),
        ("stride=4\npadding=0", "MaxPool2d(4, stride=4)", "8, 16"),
    ],
)
def test_pools_pad_as_darknet_does(options: str, call: str, size: str, tmp_path: Path) -> None:
    made, _ = imported(conv(4) + f"[maxpool]\n{options}\n", tmp_path)
    assert f"  pool1: {call} -> [4, {size}]\n" in made.text


def test_a_route_takes_a_group_of_channels(tmp_path: Path) -> None:
    """As the blocks of yolov4-tiny.cfg do; its last group begins where the others end."""
    text = conv(8, activation="mish") + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" + conv(4)
    made, model = imported(text + "[route]\nlayers=-1, 1\n", tmp_path)
    assert "  part1: Narrow(1, 4, 4) -> [4, 32, 64]\n" in made.text
    assert "  cat3: Cat(dim=1)(conv2, part1) -> [8, 32, 64]\n" in made.text
    assert "Mish(inplace=True)" in made.text
    assert model.source.count(".narrow(1, 4, 4)") == 1


def test_an_odd_side_is_rounded_up(tmp_path: Path) -> None:
    text = "[convolutional]\nfilters=4\nsize=2\nactivation=leaky\n[maxpool]\nsize=2\nstride=2\n"
    made, _ = imported(text, tmp_path)
    assert "  pool1: MaxPool2d(2, stride=2, ceil_mode=True) -> [4, 16, 32]\n" in made.text


def test_a_classifier(tmp_path: Path) -> None:
    text = conv(8) + "[avgpool]\n[dropout]\nprobability=.25\n[connected]\noutput=5\n"
    made, _ = imported(text + "activation=leaky\n[softmax]\n[cost]\ntype=sse\n", tmp_path)
    rows = made.text.partition("layers:\n")[2].partition("\n\n")[0].splitlines()[1:]
    assert rows == [
        "  pool1: AdaptiveAvgPool2d(1) -> [8, 1, 1]",
        "  drop2: Dropout(0.25) -> [8, 1, 1]",
        "  flat3: Flatten()",
        "  full3: Linear(_, 5)",
        "  act3: LeakyReLU(0.1, inplace=True) -> [5]",
        "  softmax4: Softmax(dim=1) -> [5]",
    ]
    assert made.layers == 6


def test_what_is_left_behind_is_said_section_by_section(tmp_path: Path) -> None:
    text = (
        "batch=1\npolicy=steps\nbatch=64\n[convolutional]\nfilters=50\nfilters=2\nstopbackward=1\n"
    )
    text += "activation=linear\n[yolo]\nmask=0,1\nanchors=1,2, 3,4\njitter=.3\nscale_x_y=1.05\n"
    made, _ = imported(text, tmp_path)
    assert made.notes == [
        (1, "net", "batch, policy: of training; batch given twice, the first counts"),
        (
            7,
            "convolutional",
            "stopbackward: no counterpart here; filters given twice, the first counts",
        ),
        (12, "yolo", "jitter: of training; scale_x_y: no counterpart here"),
    ]
    assert (
        "  conv0: Conv2d(_, 2 * (5 + num_classes), 1) -> [2 * (5 + num_classes), 32, 64]\n"
        in made.text
    )


HEAD = "[convolutional]\nfilters={}\nactivation=linear\n"
REGION = (
    "anchors=1.5,2, 3.25,0.00001\nnum=2\nclasses=3\nsoftmax=1\nrescore=1\nbias_match=1\nthresh=.6\n"
)


def detector(model: Model) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(model.source, names)
    return names["DETECTOR"]


def test_yolo_sections_become_a_detector(tmp_path: Path) -> None:
    anchors = "anchors=4,6, 8,7, 30,20\nnum=3\nclasses=3\nignore_thresh=.6\n"
    text = conv(4, stride=4) + HEAD.format(8) + f"[yolo]\nmask=2\n{anchors}"
    text += "[route]\nlayers=0\n" + HEAD.format(16) + f"[yolo]\nmask=0,1\n{anchors}"
    made, model = imported(text, tmp_path)
    said = detector(model)
    assert said["anchors"] == {
        "kind": "BoxPriors",
        "sizes": [[[30.0, 20.0]], [[4.0, 6.0], [8.0, 7.0]]],
        "unit": "pixels",
    }
    assert said["loss"] == {"kind": "YOLOLoss", "ignore": 0.6}
    assert said["maps"] == [[8, 16], [8, 16]]
    assert (said["num_classes"], model.boxes) == (3, 8 * 16 * 3)
    assert made.notes == []


def test_a_region_section_becomes_a_detector(tmp_path: Path) -> None:
    made, model = imported(conv(4, stride=4) + HEAD.format(16) + f"[region]\n{REGION}", tmp_path)
    said = detector(model)
    assert said["anchors"]["sizes"] == [[[1.5, 2.0], [3.25, 0.00001]]]
    assert said["anchors"]["unit"] == "cells"
    assert said["loss"] == {"kind": "YOLOv2Loss", "ignore": 0.6, "objects": 1.0}
    assert made.notes == []


GRID = "[connected]\noutput={}\nactivation={}\n[detection]\nside=2\nclasses=3\ncoords=4\nnum=2\nrescore=1\n"
GRID += "sqrt=1\nnoobject_scale=.5\ncoord_scale=5\njitter=.2\n"


def test_a_detection_section_becomes_a_detector(tmp_path: Path) -> None:
    made, model = imported(conv(4, stride=4) + GRID.format(4 * 13, "linear"), tmp_path)
    said = detector(model)
    assert said["anchors"]["sizes"] == [[[64.0, 32.0]] * 2]
    assert said["maps"] == [[2, 2]]
    assert (said["coder"], said["match"]) == ({"kind": "RootCoder"}, {"kind": "GridMatch"})
    assert said["loss"] == {"kind": "YOLOv1Loss", "box_weight": 5.0, "empty_weight": 0.5}
    assert (said["num_classes"], model.boxes) == (3, 8)
    assert made.notes == [(14, "detection", "jitter: of training")]
    path = tmp_path / "other.yaml"
    path.write_text(made.text, encoding="utf-8")
    model = compile_spec(path, params={"num_classes": 7})
    assert model.facts.costs.state["full1.weight"].shape == (4 * 17, 4 * 8 * 16)


@pytest.mark.parametrize(
    ("old", "new", "said", "has_detector"),
    [
        ("rescore=1", "rescore=0", "rescore is 0, and here always 1", True),
        ("rescore=1", "rescore=1\nclass_scale=2", "class_scale is 2, and here always 1", True),
        ("rescore=1", "rescore=1\nobject_scale=2", "object_scale is 2, and here always 1", True),
        ("rescore=1", "rescore=1\nforced=1", "forced is 1, and here always 0", True),
        ("coords=4\n", "", "coords is 1, and here always 4", False),
        ("sqrt=1\n", "", "sqrt is 0, and here always 1", False),
        ("rescore=1", "rescore=1\nsoftmax=1", "softmax is 1, and here always 0", False),
        ("=linear", "=leaky", "behind no [connected] with a linear activation", False),
        ("[detection]", "[dropout]\n[detection]", "behind no [connected]", False),
    ],
)
def test_what_a_grid_cannot_say_is_said(
    old: str, new: str, said: str, has_detector: bool, tmp_path: Path
) -> None:
    text = conv(4) + GRID.format(4 * 13, "linear").replace(old, new).replace("jitter=.2\n", "")
    made, model = imported(text, tmp_path)
    [note] = made.notes
    assert said in note.text
    assert note.text.startswith("no row, an output, and no detector; ") != has_detector
    assert ("DETECTOR" in model.source) == has_detector


def test_a_detection_beside_others_is_an_output(tmp_path: Path) -> None:
    grid = GRID.format(4 * 13, "linear")
    text = conv(4) + grid + "[route]\nlayers=0\n" + grid
    made, model = imported(text, tmp_path)
    assert "outputs: {detection2: full1, detection5: full4}\n" in made.text
    assert all("beside another of these sections" in note.text for note in made.notes)
    assert "DETECTOR" not in model.source


def test_an_imported_detector_takes_any_number_of_classes(tmp_path: Path) -> None:
    made, _ = imported(conv(4, stride=4) + HEAD.format(16) + f"[region]\n{REGION}", tmp_path)
    path = tmp_path / "other.yaml"
    path.write_text(made.text, encoding="utf-8")
    model = compile_spec(path, params={"num_classes": 7})
    assert model.facts.costs.state["conv1.weight"].shape == (24, 4, 1, 1)
    assert detector(model)["num_classes"] == 7


@pytest.mark.parametrize(
    ("old", "new", "said", "has_detector"),
    [
        ("rescore=1", "rescore=0", "rescore is 0, and here always 1", True),
        ("bias_match=1\n", "", "bias_match is 0, and here always 1", True),
        ("num=2", "num=2\ncoord_scale=5", "coord_scale is 5, and here always 1", True),
        ("softmax=1", "softmax=0", "softmax is 0, and here always 1", False),
        ("num=2", "num=2\ntree=a.tree", "a tree of classes has no counterpart here", False),
    ],
)
def test_what_a_detector_cannot_say_is_said(
    old: str, new: str, said: str, has_detector: bool, tmp_path: Path
) -> None:
    region = REGION.replace(old, new)
    made, model = imported(conv(4, stride=4) + HEAD.format(16) + f"[region]\n{region}", tmp_path)
    if not has_detector:
        said = f"no row, an output, and no detector; {said}"
        assert "outputs: {region2: conv1}\n" in made.text
    assert made.notes == [(14, "region", said)]
    assert ("DETECTOR" in model.source) == has_detector


def test_heads_that_differ_are_outputs(tmp_path: Path) -> None:
    yolo = "[yolo]\nanchors=4,6\nclasses=3\nignore_thresh={}\n"
    text = conv(4) + HEAD.format(8) + yolo.format(0.5) + "[route]\nlayers=0\n"
    made, model = imported(text + HEAD.format(8) + yolo.format(0.7), tmp_path)
    assert "outputs: {yolo2: conv1, yolo5: conv4}\n" in made.text
    assert "of another kind, or with other numbers, than the first" in made.notes[1].text
    assert "DETECTOR" not in model.source


def test_grey_images_have_no_detector(tmp_path: Path) -> None:
    text = "channels=1\n" + conv(4) + HEAD.format(8) + "[yolo]\nanchors=4,6\nclasses=3\n"
    made, model = imported(text, tmp_path)
    assert "outputs: {yolo2: conv1}\n" in made.text
    assert "DETECTOR" not in model.source


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("filters=3\n", ("E0801", 1, 1)),
        ("", ("E0801", 1, 1)),
        ("[convolutional]\nfilters=3\n", ("E0801", 1, 1)),
        (NET, ("E0801", 1, 1)),
        ("[net\nwidth=3\nheight=3\n[maxpool]\n", ("E0801", 1, 1)),
        (NET + "  [maxpool] # a pool\n stride 2\n", ("E0801", 5, 2)),
        (NET + "[lstm]\noutput=3\n", ("E0802", 4, 1)),
        ("[net]\nwidth=64\n[maxpool]\n", ("E0803", 1, 1)),
        ("[net]\nwidth=64\nheight=-1\n[maxpool]\n", ("E0803", 3, 8)),
        (NET + conv(0), ("E0803", 6, 9)),
        (NET + conv(10**8), ("E0803", 6, 9)),
        (NET + "[convolutional]\nfilters = 1e3\n", ("E0803", 5, 11)),
        (NET + conv(8, activation="mesh"), ("E0803", 10, 12)),
        (NET + conv(8) + "xnor=1\n", ("E0803", 11, 6)),
        (NET + "[convolutional]\nfilters=4\ngroups=3\n", ("E0803", 6, 8)),
        (NET + "[maxpool]\nsize=4\nstride=2\n", ("E0803", 4, 1)),
        (NET + "[local]\nsize=3\npad=1\nfilters=2\n[local]\nsize=5\npad=1\n", ("E0803", 10, 5)),
        (NET + "[dropout]\nprobability=1.5\n", ("E0803", 5, 13)),
        (NET + conv(4) + "[shortcut]\nactivation=linear\n", ("E0803", 11, 1)),
        (NET + conv(4) + "[route]\nlayers=-2\n", ("E0804", 12, 8)),
        (NET + conv(4) + "[route]\nlayers=-1\ngroups=3\n", ("E0803", 13, 8)),
        (NET + conv(4) + "[route]\nlayers=-1\ngroups=2\ngroup_id=2\n", ("E0803", 14, 10)),
        (NET + conv(4) + "[route]\nlayers=0,-1\ngroups=2\n", ("E0803", 13, 8)),
        (NET + conv(4) + "[route]\nlayers=1\n", ("E0804", 12, 8)),
        (NET + conv(4) + conv(8) + "[shortcut]\nfrom=-2\n", ("E0804", 18, 1)),
        (NET + conv(4) + conv(8, stride=2) + "[route]\nlayers=-1,-2\n", ("E0804", 18, 1)),
        (NET + "[connected]\noutput=3\n" + conv(4), ("E0804", 6, 1)),
        (NET + conv(4) + "[yolo]\n" + conv(4), ("E0804", 12, 1)),
        (NET + HEAD.format(8) + "[yolo]\nclasses=3\n", ("E0803", 7, 1)),
        (NET + HEAD.format(8) + "[yolo]\nclasses=3\nanchors=4\n", ("E0803", 9, 9)),
        (NET + HEAD.format(8) + "[yolo]\nclasses=3\nanchors=4,0\n", ("E0803", 9, 9)),
        (NET + HEAD.format(8) + "[yolo]\nclasses=3\nanchors=4,6\nnum=2\n", ("E0803", 10, 5)),
        (NET + HEAD.format(8) + "[yolo]\nclasses=3\nanchors=4,6\nmask=1\n", ("E0803", 10, 6)),
        (
            NET + HEAD.format(8) + "[yolo]\nclasses=3\nanchors=4,6\nignore_thresh=2\n",
            ("E0803", 10, 15),
        ),
        (NET + HEAD.format(9) + "[yolo]\nclasses=3\nanchors=4,6\n", ("E0804", 7, 1)),
        (NET + conv(8) + "[yolo]\nclasses=3\nanchors=4,6\n", ("E0804", 11, 1)),
        (NET + "[yolo]\nclasses=3\nanchors=4,6\n", ("E0804", 4, 1)),
        (NET + GRID.format(50, "linear"), ("E0804", 7, 1)),
        (NET + "[detection]\n", ("E0804", 4, 1)),
        (NET + GRID.format(52, "linear") + "[softmax]\n", ("E0804", 17, 1)),
        (NET + GRID.format(32, "linear").replace("num=2", "num=a"), ("E0803", 11, 5)),
        (NET + HEAD.format(16) + f"[region]\n{REGION.replace('3.25', 'a')}", ("E0803", 8, 9)),
        (NET + conv(3) + "[reorg]\nstride=2\n", ("E0804", 11, 1)),
        (NET + "[convolutional]\nsize=65\n", ("E0402", 4, 1)),
    ],
)
def test_mistakes_are_shown_where_they_are(
    text: str, expected: tuple[str, int, int], tmp_path: Path
) -> None:
    assert place(refused(text, tmp_path)[0]) == expected


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x00\x00\x00\x00\x02\x00\x00\x00" * 50, "E0104"),
        (b"[net]\xff\xfe\n", "E0105"),
        (b"[net]\n" + b"a=1\n" * (1 << 20) + b"b=2", "E0103"),
        (NET.encode() + b"[maxpool]\nsize=1\n" * 200_000, "E0218"),
        (NET.encode() + b"[" * 4_000_000, "E0801"),
        (NET.encode() + conv(4).encode() + b"[route]\nlayers=" + b"-1," * 1_000_000, "E0803"),
        (b"[net]\nwidth=" + b"9" * 4_000_000, "E0803"),
        (NET.encode() + b"x\n" * 1_000_000, "E0218"),
    ],
)
def test_hostile_files_end_soon(content: bytes, code: str, tmp_path: Path) -> None:
    found = refused(content, tmp_path)
    assert code in {diagnostic.code for diagnostic in found}
    assert all(len(diagnostic.message) < 500 for diagnostic in found)


@pytest.mark.parametrize(
    "text",
    [
        "[convolutional]\nfilters=__import__('os').system('touch hit')\n",
        "[convolutional]\nactivation=ReLU() -> [1]\\n  evil: Linear(1, 1)\n",
        "[maxpool]\nsize=2)(x\n",
        "[conv: {a: b}]\nfilters=1\n",
        "[dropout]\nprobability=.5) + open('x'\n",
    ],
)
def test_code_in_names_and_values_is_refused(text: str, tmp_path: Path) -> None:
    assert refused(NET + text, tmp_path)[0].code in {"E0801", "E0803"}


def test_no_text_of_the_file_reaches_the_spec(tmp_path: Path) -> None:
    """Names of unknown options are shown to the reader alone; a file's name is made a word."""
    path = tmp_path / "7 {evil}: &a!.cfg"
    path.write_text(NET + conv(4) + "evil_option=*evil {value}\n", encoding="utf-8")
    made = import_darknet(path)
    assert made.name == "darknet_7_evil_a"
    assert made.text.count("evil") == 2
    assert "title: darknet_7_evil_a, from Darknet's cfg\n" in made.text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cfg, out = tmp_path / "small-net.cfg", tmp_path / "out"
    cfg.write_text(NET + conv(4) + "random=1\n", encoding="utf-8")
    assert main(["import", "darknet", str(cfg), "-o", str(out)]) == 0
    assert capsys.readouterr().out == (
        f"{out / 'small_net.yaml'}: 1 layers, 116 parameters\n"
        "  line 4 [convolutional]: random: no counterpart here\n"
    )
    assert main(["import", "darknet", str(cfg), "-o", str(out)]) == 2
    assert "small_net.yaml is there: add --force" in capsys.readouterr().err
    cfg.write_text(NET + "[gru]\n", encoding="utf-8")
    before = (out / "small_net.yaml").read_bytes()
    assert main(["import", "darknet", str(cfg), "-o", str(out), "--force"]) == 1
    assert "error[E0802]: [gru] has no counterpart here" in capsys.readouterr().err
    assert (out / "small_net.yaml").read_bytes() == before
