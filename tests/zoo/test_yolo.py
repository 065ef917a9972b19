"""The YOLO family beside Darknet's `.cfg` files, run by an interpreter of their own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from darknet_cfgs import CFGS
from darknet_reference import Darknet, Ran, reorg, sections
from detectors import first_loss, loaded
from figures import on_meta
from parity import SPECS, Outputs, Pair, agree, fill, images, without_dropping
from torch import Tensor, nn

import specc
from specc.cli import main
from specc.driver import Model, compile_spec
from specc.importing import Imported, import_darknet
from specc.ir.graph import Node
from specc.loading import load_module
from specc_runtime import darknet, tensorfile

torch.set_num_threads(1)

SIDES = {"yolov1": 448, "yolov1:paper": 448, "yolov2": 416, "yolov3": 416, "yolov3_tiny": 416}
BYTES = {  # of the files at pjreddie.com/media/files, and of their headers
    "yolov1": (789_312_988, 16),
    "yolov2": (203_934_260, 16),
    "yolov3": (248_007_048, 20),
    "yolov3_tiny": (35_434_956, 20),
}
PLACES = 7 * 7 * 256 * 3 * 3 * 1024
"""Multiply-adds of YOLOv1's layer with weights for each place, which Darknet does not count."""
LEFT_BEHIND = {"net", "yolo", "region", "detection"}
WORDS = {
    "Conv2d": "convolutional",
    "LocallyConnected2d": "local",
    "Linear": "connected",
    "MaxPool2d": "maxpool",
    "Add": "shortcut",
    "Upsample": "upsample",
    "Reorg": "reorg",
    "Cat": "route",
}


def ours(name: str, side: int) -> Model:
    stem, _, variant = name.partition(":")
    return compile_spec(SPECS / f"{stem}.yaml", variant=variant or None, resize=(side, side))


def run_ours(model: nn.Module, batch: Tensor) -> Outputs:
    found = model(batch)._asdict()
    return {"head": of_cells(**found)} if hasattr(model, "predictions") else found


def of_cells(loc: Tensor, objectness: Tensor, conf: Tensor) -> Tensor:
    """Return the last layer of the first version: classes of each cell, then numbers of each box."""
    boxes = loc.shape[1] // 49
    parts = conf[:, ::boxes], objectness, loc
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def run_theirs(model: nn.Module, batch: Tensor) -> Outputs:
    heads = model(batch)
    return {"head": heads[0]} if heads[0].dim() == 2 else of_boxes(heads)


def of_boxes(heads: list[Tensor]) -> Outputs:
    """Return what maps say of each box, in the order of `entry_index`: x, y, w, h, objectness, classes."""
    each = [head.unflatten(1, (-1, 85)).permute(0, 3, 4, 1, 2).flatten(1, 3) for head in heads]
    rows = torch.cat(each, dim=1)
    return {"loc": rows[..., :4], "objectness": rows[..., 4:5], "conf": rows[..., 5:]}


def through_a_file(name: str, side: int, folder: Path) -> Pair:
    """Draw weights for ours, and let both read them from one `.weights` file."""
    file = folder / f"{name}.weights"
    network = fill(load_module(ours(name, side)), lambda model: model(images(side, 4)))
    shapes = {key: tensor.shape for key, tensor in network.state_dict().items()}
    darknet.write(file, network.state_dict())
    tensors, _ = darknet.read(file, shapes)
    left = network.load_state_dict(tensors, strict=False)
    assert not left.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in left.missing_keys)
    reference = Darknet(CFGS[name], side).double()
    reference.load(file)
    file.unlink()
    return Pair(without_dropping(network), reference.eval(), run_ours, run_theirs)


@pytest.mark.parametrize(
    ("name", "side"),
    [("yolov1", 128), ("yolov1:paper", 128), ("yolov2", 64), ("yolov3", 64), ("yolov3_tiny", 64)],
)
def test_agrees_with_the_cfg(name: str, side: int, tmp_path: Path) -> None:
    both = through_a_file(name, side, tmp_path)
    agree(both, images(side, 4))
    if not name.startswith("yolov1"):  # whose last layers are made for one size
        agree(both, images((96, 128)))


def layers(name: str, side: int) -> list[Ran]:
    """Return the layers of a `.cfg` that have rows of ours, from a run of shapes alone."""
    reference = on_meta(lambda: Darknet(CFGS[name], side))
    with torch.no_grad():
        done = reference.run(torch.empty(1, 3, side, side, device="meta"))
    names = [layer.options.get("layers", ",") for layer in reference.sections]
    return [
        layer
        for layer, taken in zip(done, names, strict=True)
        if layer.kind in WORDS.values() and "," in taken
    ]


@pytest.mark.parametrize("side", [320, 416, 608])
@pytest.mark.parametrize("name", ["yolov2", "yolov3", "yolov3_tiny"])
def test_every_layer_has_the_shape_of_the_cfg(name: str, side: int) -> None:
    same_layers(name, side)


@pytest.mark.parametrize("name", ["yolov1", "yolov1:paper"])
def test_every_layer_of_yolov1_has_the_shape_of_the_cfg(name: str) -> None:
    same_layers(name, 448)


def same_layers(name: str, side: int) -> None:
    model, theirs = ours(name, side), layers(name, side)
    nodes = [node for node in up_to_the_maps(model) if node.kind in WORDS]
    found = [(WORDS[node.kind], node.shape) for node in nodes]
    assert [kind for kind, _ in found] == [layer.kind for layer in theirs]
    for (kind, shape), layer in zip(found, theirs, strict=True):
        size = tuple(layer.output.shape[1:])
        assert shape is not None and (*shape[1:],) == size, kind
    assert model.macs == sum(layer.macs for layer in theirs)


@pytest.mark.parametrize("name", BYTES)
def test_parameters_fill_the_published_file(name: str) -> None:
    model = ours(name, SIDES[name])
    numbers = sum(norms(model)) * 2 + model.parameters
    size, header = BYTES[name]
    assert numbers * 4 + header == size


def up_to_the_maps(model: Model) -> list[Node]:
    """Return the rows without those that bring the maps into the detector's form."""
    form = {"PerBox", "Narrow", "Reshape", "Permute"}
    nodes = (node for node in model.hierarchy.nodes() if node.op is not None)
    return [
        node for node in nodes if node.kind not in form and node.path not in ("joined", "classes")
    ]


def norms(model: Model) -> list[int]:
    return [
        entry.shape[0]
        for key, entry in model.facts.costs.state.items()
        if key.endswith("running_mean")
    ]


def test_published_figures() -> None:
    """Of pjreddie.com/darknet: BFLOPs, two for a multiply-add."""
    billions = {
        ("yolov1", 448): 40.19,
        ("yolov2", 608): 62.94,
        ("yolov3", 320): 38.97,
        ("yolov3", 416): 65.86,
        ("yolov3", 608): 140.69,
        ("yolov3_tiny", 416): 5.56,
    }
    for (name, side), expected in billions.items():
        counted = ours(name, side).macs - PLACES * (name == "yolov1")
        assert round(2e-9 * counted, 2) == expected


@pytest.mark.parametrize(
    "path", ["yolov1", "yolov1:paper", "yolov2", "yolov2:voc", "yolov3", "yolov3_tiny"]
)
def test_expectations_hold(path: str) -> None:
    stem, _, variant = path.partition(":")
    assert not specc.compile(SPECS / f"{stem}.yaml", variant=variant or None).diagnostics


@pytest.mark.parametrize("stride", [2, 3])
def test_reorg_is_darknets(stride: int) -> None:
    """It is no pixel unshuffle, whose channels keep their positions together."""
    x = torch.randn(2, 2 * stride**2, 2 * stride, 3 * stride)
    layer = load_reorg(stride)
    assert torch.equal(layer(x), reorg(x, stride))
    assert not torch.equal(layer(x), nn.PixelUnshuffle(stride)(x))


def load_reorg(stride: int) -> nn.Module:
    source = ours("yolov2", 416).source
    names: dict[str, type[nn.Module]] = {}
    exec(source, names)
    return names["Reorg"](stride)


@pytest.mark.parametrize("name", CFGS)
def test_an_imported_cfg_is_the_spec_of_the_zoo(name: str, tmp_path: Path) -> None:
    made, imported = brought(name, tmp_path)
    zoo = ours(name, SIDES[name])
    assert not imported.diagnostics
    assert (imported.parameters, imported.macs) == (zoo.parameters, zoo.macs)
    assert tensors(imported) == tensors(zoo)
    assert shapes(imported) == shapes(zoo)
    assert beginnings(imported) == beginnings(zoo)
    assert [note.section for note in made.notes] == [
        section.kind for section in sections(CFGS[name]) if section.kind in LEFT_BEHIND
    ]
    assert len(made.text.splitlines()) < 105


@pytest.mark.parametrize("name", CFGS)
def test_an_imported_cfg_has_the_detector_of_the_zoo(name: str, tmp_path: Path) -> None:
    _, imported = brought(name, tmp_path)
    assert detector(imported) == detector(ours(name, SIDES[name]))


def brought(name: str, folder: Path) -> tuple[Imported, Model]:
    """Import a `.cfg` under the name of its spec, and compile what comes of it."""
    path = folder / f"{name.partition(':')[0]}.cfg"
    path.write_text(CFGS[name], encoding="utf-8")
    made = import_darknet(path)
    path.with_suffix(".yaml").write_text(made.text, encoding="utf-8")
    return made, compile_spec(path.with_suffix(".yaml"))


def detector(model: Model) -> object:
    names: dict[str, object] = {}
    exec(model.source, names)
    return names["DETECTOR"]


def shapes(model: Model) -> list[tuple[str, object]]:
    return [(node.kind, node.shape) for node in up_to_the_maps(model)]


def tensors(model: Model) -> list[tuple[str, tuple[int, ...]]]:
    """Return the tensors in their order, without the names of what they are in."""
    state = model.facts.costs.state.items()
    return [(key.rpartition(".")[2], tuple(entry.shape)) for key, entry in state]


def beginnings(model: Model) -> Counter[tuple[str, str, str]]:
    """Count how the tensors of convolutions and fully connected layers are filled."""
    rows = [row for instance in model.hierarchy.instances() for row in instance.rows]
    return Counter(
        (type(apply.target).__name__, name, repr(made))
        for apply in (apply for row in rows for apply in row.applies)
        for name, made in apply.initial.items()
        if type(apply.target).__name__ in ("Conv2d", "Linear")
    )


def test_residual_blocks_are_imported_as_repeats(tmp_path: Path) -> None:
    (tmp_path / "yolov3.cfg").write_text(CFGS["yolov3"], encoding="utf-8")
    text = import_darknet(tmp_path / "yolov3.cfg").text
    for layer, times in ((11, 2), (36, 8), (61, 8), (74, 4)):
        assert f"  res{layer}:\n    repeat: {times}\n    op: Residual()\n" in text


def test_pairs_are_imported_as_repeats(tmp_path: Path) -> None:
    (tmp_path / "yolov1.cfg").write_text(CFGS["yolov1"], encoding="utf-8")
    text = import_darknet(tmp_path / "yolov1.cfg").text
    assert "  pair16:\n    repeat: 4\n    op: Pair(256, 512)\n" in text


def test_weights_come_with_the_import_and_go_back(tmp_path: Path) -> None:
    """The commands give the numbers of the file to both networks, and the file again."""
    cfg, file, out = tmp_path / "tiny.cfg", tmp_path / "tiny.weights", tmp_path / "out"
    cfg.write_text(CFGS["yolov3_tiny"], encoding="utf-8")
    original = load_module(ours("yolov3_tiny", 64)).eval()
    darknet.write(file, original.state_dict(), darknet.Header(0, 2, 0, 64))
    assert main(["import", "darknet", str(cfg), str(file), "-o", str(out)]) == 0
    imported = load_module(compile_spec(out / "tiny.yaml", resize=(64, 64))).eval()
    imported.load_state_dict(tensorfile.read(out / "tiny.safetensors")[0])
    batch = images(64).float()
    expected = original(batch)._asdict()
    for name, found in imported(batch)._asdict().items():
        assert torch.equal(found, expected[name])
    back = tmp_path / "back.weights"
    spec = ["--spec", str(out / "tiny.yaml"), "--to", "darknet"]
    assert main(["weights", "export", *spec, str(out / "tiny.safetensors"), "-o", str(back)]) == 0
    assert back.read_bytes()[20:] == file.read_bytes()[20:]


def test_weights_of_another_network_leave_nothing_behind(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "tiny.weights", tmp_path / "out.safetensors"
    file.write_bytes(darknet.Header().layout.encode() * 50)
    spec = ["--spec", str(SPECS / "yolov3_tiny.yaml"), "--from", "darknet"]
    assert main(["weights", "import", *spec, str(file), "-o", str(out)]) == 1
    assert "not a file of Darknet" in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "boxes"),
    [("yolov1", 147), ("yolov2", 845), ("yolov3", 10_647), ("yolov3_tiny", 2_535)],
)
def test_is_a_detector_for_any_number_of_classes(name: str, boxes: int) -> None:
    detector = loaded(name, classes=3)
    assert detector.num_classes == 3
    assert len(detector.anchors) == boxes
    assert torch.equal(detector.anchors[:, 6:].amax(dim=0), torch.tensor([SIDES[name]] * 2).float())


def test_the_priors_of_yolov2_are_darknets() -> None:
    """`biases` of the `.cfg` are in cells, 32 pixels each."""
    region = next(section for section in sections(CFGS["yolov2"]) if section.kind == "region")
    biases = torch.tensor([float(word) for word in region.options["anchors"].split(",")])
    first = loaded("yolov2").anchors[:5]
    torch.testing.assert_close(first[:, 2:4] - first[:, :2], 32 * biases.view(5, 2))


def test_a_loss_reaches_every_weight() -> None:
    detector = loaded("yolov3_tiny", classes=3)
    first_loss(detector).backward()
    gradients = [parameter.grad for parameter in detector.parameters()]
    assert all(g is not None and g.isfinite().all() and g.abs().max() > 0 for g in gradients)
