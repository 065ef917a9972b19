"""Maps of weights expanded to tables, and what `specc weights map` shows of them."""

import json
from pathlib import Path

import pytest
import torch
from torchvision.models import vgg16
from torchvision.models.detection import ssd300_vgg16

import specc
from specc.cli import main
from specc.documents import Findings

SSD300 = Path(specc.__file__).parents[2] / "specs/ssd300_vgg.yaml"
FIXTURE = Path(__file__).with_name("amdegroot_to_torchvision.json")
HEAD = """\
specc: 1
name: net
params: {depths: [1, 2], tf: false}
inputs: {image: [N, 3, 32, 32]}
preprocess: Preprocess(scale=255)
layers:
  stem: Conv2d(_, 8, 3, padding=1, bias=False)
  norm: "BatchNorm2d(eps=0.001 if tf else 0.00001)"
  a: {repeat: "depths[0]", op: "Conv2d(_, 8, 3, padding=1, bias=False)"}
  b: {repeat: "depths[1]", op: "Conv2d(_, 8, 3, padding=1, bias=False)"}
"""


@pytest.fixture(scope="module")
def ssd300():
    return specc.compile(SSD300)


def maps(folder, section, head=HEAD):
    path = folder / "net.yaml"
    path.write_text(f"{head}weights:\n  theirs:\n{section}")
    model = specc.compile(path)
    assert model.diagnostics == []
    return model.weights


def theirs(folder, section):
    return maps(folder, section)["theirs"]


def test_ssd300_has_a_key_for_each_of_torchvisions(ssd300):
    with torch.device("meta"):
        reference = ssd300_vgg16(weights=None, weights_backbone=None).state_dict()
    table = ssd300.weights["torchvision"]
    assert table.keys() == reference.keys()
    assert set(table.values()) == set(ssd300.facts.costs.state)


def test_ssd300_of_amdegroot_is_that_of_torchvision(ssd300):
    """The fixture was found by running both with the same weights, to equal outputs."""
    expected = json.loads(FIXTURE.read_text())
    to_torchvision = {ours: key for key, ours in ssd300.weights["torchvision"].items()}
    found = {key: to_torchvision[ours] for key, ours in ssd300.weights["amdegroot"].items()}
    assert found == expected


def test_ssd300_from_a_classifier_takes_all_but_its_last_layer(ssd300):
    found = ssd300.weights["vgg16"]
    with torch.device("meta"):
        rest = [key for key in vgg16().state_dict() if key not in found]
    assert rest == ["classifier.6.weight", "classifier.6.bias"]
    assert set(found.convert) == {key for key in found if key.startswith("classifier")}
    assert all(ours.startswith("vgg.") for ours in found.values())
    assert found.preprocess["mean"] == [0.485, 0.456, 0.406]


def test_the_first_line_that_fits_counts(tmp_path):
    table = theirs(
        tmp_path,
        "    map:\n      stem.{p}: first.{p}\n      '{p}': rest.{p}\n      a.{p}: never.{p}\n",
    )
    assert table["first.weight"] == "stem.weight"
    assert table["rest.a.0.weight"] == "a.0.weight"


def test_conditions_and_computed_parts(tmp_path):
    table = theirs(
        tmp_path,
        """\
    map:
      b.{i}.{p != 'bias'}: blocks.{sum(depths[:1]) + i}.{p}
      a.{i == 0}.{p}: blocks.{i}.{p}
      norm.{p}: bn{1 if tf else 0}.{p}
      stem.{p}: "{p}"
""",
    )
    assert {key: table[key] for key in ("blocks.0.weight", "blocks.2.weight", "weight")} == {
        "blocks.0.weight": "a.0.weight",
        "blocks.2.weight": "b.1.weight",
        "weight": "stem.weight",
    }
    assert table["bn0.running_mean"] == "norm.running_mean"


def test_leading_zeros_are_no_number(tmp_path):
    """Computed back, the key would be another."""
    head = HEAD.replace("  norm:", "  c01: Conv2d(_, 8, 1)\n  norm:")
    found = maps(tmp_path, "    map:\n      c{i}.{p}: x.{i}.{p}\n      '{p}': '{p}'\n", head)
    assert found["theirs"]["c01.weight"] == "c01.weight"


def test_new_keys_are_kept_out_and_named(tmp_path):
    table = theirs(
        tmp_path, "    map: {'{p}': '{p}'}\n    new: ['{p}.num_batches_tracked', 'norm.{p}']\n"
    )
    assert [key for key in table.values() if key.startswith("norm")] == []
    assert len(table.new) == 5


def test_into_fills_one_part(tmp_path):
    table = theirs(tmp_path, "    into: b\n    map: {'{i}.{p}': 'conv{i + 1}.{p}'}\n")
    assert dict(table) == {"conv1.weight": "b.0.weight", "conv2.weight": "b.1.weight"}


def test_a_map_for_other_parameters_is_not_offered(tmp_path):
    section = "    if: tf\n    map: {stem.weight: x}\n"
    assert maps(tmp_path, section) == {}
    path = tmp_path / "net.yaml"
    with pytest.raises(Findings, match="E0702"):
        specc.compile(path, tf=True).weights  # noqa: B018


def test_conversions_and_input_are_data(tmp_path):
    found = theirs(
        tmp_path,
        """\
    map: {"{p}": "{p}"}
    convert:
      stem.weight: SwapRedBlue()
      "{p}.weight": ReorderOutputs([1, 0])
""",
    )
    assert found.convert["stem.weight"] == {"kind": "SwapRedBlue"}
    assert found.convert["a.0.weight"] == {"kind": "ReorderOutputs", "order": [1, 0]}
    assert "norm.bias" not in found.convert
    assert found.preprocess["scale"] == 255


def test_a_spec_that_is_used_brings_its_maps(tmp_path):
    section = "weights:\n  theirs:\n    map: {'{p}': 'net.{p}'}\n"
    (tmp_path / "body.yaml").write_text(HEAD + section)
    (tmp_path / "net.yaml").write_text(
        "specc: 1\nname: net\ninputs: {x: [N, 3, 32, 32]}\nuse: {Body: body}\n"
        "layers:\n  body: Body(depths=[2, 2])\n  head: Conv2d(_, 4, 1)\n"
    )
    model = specc.compile(tmp_path / "net.yaml")
    assert list(model.weights) == ["body.theirs"]
    table = model.weights["body.theirs"]
    assert table["net.a.1.weight"] == "body.a.1.weight"
    assert not any(ours.startswith("head") for ours in table.values())


def test_the_command_lists_maps(capsys):
    assert main(["weights", "map", str(SSD300)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [
        ["torchvision", "71"],
        ["amdegroot", "71"],
        ["vgg16_reducedfc", "30"],
        ["vgg16", "30"],
    ]
    assert lines[5].split()[2:4] == ["vgg", "Decimate"]


def test_the_command_shows_a_map(capsys):
    assert main(["weights", "map", str(SSD300), "vgg16"]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("classifier.0.w"))
    assert line.split() == ["classifier.0.weight", "vgg.31.weight", "1024x512x3x3", "Decimate"]


def test_the_command_gives_a_map_as_data(capsys, ssd300):
    command = ["weights", "map", str(SSD300), "torchvision", "--format", "json"]
    assert main([*command, "--set", "num_classes=91"]) == 0
    data = json.loads(capsys.readouterr().out)
    rows = {row["theirs"]: row for row in data["rows"]}
    assert {key: row["ours"] for key, row in rows.items()} == dict(ssd300.weights["torchvision"])
    assert rows["head.classification_head.module_list.0.weight"]["shape"] == [364, 512, 3, 3]
    assert data["num_classes"] == 91


def test_the_command_gives_all_maps_as_data(capsys):
    assert main(["weights", "map", str(SSD300), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [data["name"] for data in found] == [
        "torchvision",
        "amdegroot",
        "vgg16_reducedfc",
        "vgg16",
    ]


def test_a_spec_without_maps_has_none_to_show(tmp_path, capsys):
    (tmp_path / "net.yaml").write_text(HEAD)
    assert main(["weights", "map", str(tmp_path / "net.yaml"), "theirs"]) == 2
    assert "net has no map theirs: there are none" in capsys.readouterr().err


def test_an_unknown_map_is_refused(capsys):
    assert main(["weights", "map", str(SSD300), "torchvison"]) == 2
    assert "did you mean `torchvision`?" in capsys.readouterr().err
    assert main(["weights", "map", str(SSD300), "detectron"]) == 2
    assert "there are torchvision, amdegroot" in capsys.readouterr().err
