"""EfficientNet of both kinds beside torchvision's, efficientnet_pytorch's, timm's, and a listing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import timm
import torch
from efficientnet_pytorch import EfficientNet
from figures import count, on_meta
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, full, images, tapped
from torch import nn
from torchvision import models

import specc
from specc.driver import Model

STAGES = {"P1": "stage1", "P2": "stage2", "P3": "stage3", "P4": "stage5", "P5": "stage7"}
LISTING = Path(__file__).parent / "fixtures" / "efficientnet_b4_listing.txt"
torch.set_num_threads(1)


def compiled(variant: str) -> Model:
    model = specc.compile(f"{SPECS}/efficientnet.yaml:{variant}")
    assert not model.diagnostics
    return model


def run_ours(model: nn.Module, batch: torch.Tensor) -> Outputs:
    return tapped(model, batch, **STAGES)


# -- torchvision: padding of half a kernel


def run_torchvision(model: nn.Module, batch: torch.Tensor) -> Outputs:
    return tapped(model, batch, **{p: f"features.{row[-1]}" for p, row in STAGES.items()})


@pytest.mark.parametrize("variant", ["b0", "b5", *map(full, ("b1", "b2", "b3", "b4", "b6", "b7"))])
def test_agrees_with_torchvision(variant: str) -> None:
    """From B5 on, the norms have another eps."""
    theirs = getattr(models, f"efficientnet_{variant}")(num_classes=10)
    fill(theirs, lambda model: model(images(128, 4)))
    table = compiled(variant).weights["torchvision"]
    ours = carry(theirs, emitted(f"efficientnet:{variant}", num_classes=10), table)
    both = Pair(ours, theirs, run_ours, run_torchvision)
    agree(both, images((64, 96), batch=4))
    agree(both, images(65))


def test_drops_what_torchvision_drops() -> None:
    theirs = models.efficientnet_b0(num_classes=10).double().train()
    ours = emitted("efficientnet:b0", num_classes=10).double().train()
    table = compiled("b0").weights["torchvision"]
    ours.load_state_dict({table[key]: value for key, value in theirs.state_dict().items()})
    outputs = []
    for model in (ours, theirs):
        torch.manual_seed(0)
        outputs.append(model(images(64, 16)))
    assert outputs[1].std() > 1e-2
    assert torch.allclose(*outputs, rtol=0, atol=1e-8)
    assert (outputs[0] - ours(images(64, 16))).abs().max() > 1e-2


@pytest.mark.parametrize("variant", [f"b{i}" for i in range(8)])
def test_figures_are_torchvisions(variant: str) -> None:
    model = compiled(variant)
    size = int(model.hierarchy.root.params["size"])
    reference = on_meta(getattr(models, f"efficientnet_{variant}"))
    assert (model.parameters, len(model.facts.costs.state), model.macs) == count(reference, size)
    assert set(model.weights["torchvision"]) == set(reference.state_dict())
    theirs = next(m for m in reference.modules() if isinstance(m, nn.BatchNorm2d))
    norm = model.hierarchy["stem.1"].op
    assert norm is not None
    assert (norm.settings()["eps"], norm.settings()["momentum"]) == (theirs.eps, theirs.momentum)


# -- TensorFlow's SAME padding


def run_endpoints(model: nn.Module, batch: torch.Tensor) -> Outputs:
    """Run the reference once: its norms count what they see."""
    points = model.extract_endpoints(batch)
    features = model._avg_pooling(points["reduction_6"]).flatten(1)
    levels = {f"P{i}": points[f"reduction_{i}"] for i in range(1, 6)}
    return levels | {"out": model._fc(features)}


@pytest.mark.parametrize("variant", ["b0", "b4", *map(full, ("b1", "b2", "b3", "b5", "b6", "b7"))])
def test_agrees_with_efficientnet_pytorch(variant: str) -> None:
    settings = {"image_size": None, "num_classes": 10, "drop_connect_rate": 0.0}
    theirs = EfficientNet.from_name(f"efficientnet-{variant}", **settings)
    fill(theirs, lambda model: model(images(128, 4)))
    table = compiled(f"tf_{variant}").weights["efficientnet_pytorch"]
    ours = carry(theirs, emitted(f"efficientnet:tf_{variant}", num_classes=10), table)
    both = Pair(ours, theirs, run_ours, run_endpoints)
    agree(both, images((64, 96), batch=4))
    agree(both, images(97))


def test_agrees_with_timm() -> None:
    theirs = timm.create_model("tf_efficientnet_b0", num_classes=10)
    fill(theirs, lambda model: model(images(128, 4)))
    table = compiled("tf_b0").weights["timm"]
    ours = carry(theirs, emitted("efficientnet:tf_b0", num_classes=10), table)
    agree(Pair(ours, theirs, tapped, tapped), images(97, batch=4))


@pytest.mark.parametrize("variant", [f"b{i}" for i in range(8)])
def test_figures_are_efficientnet_pytorchs(variant: str) -> None:
    model = compiled(f"tf_{variant}")
    name = f"efficientnet-{variant}"
    size = EfficientNet.get_image_size(name)
    assert model.hierarchy.root.params["size"] == size
    reference = on_meta(lambda: EfficientNet.from_name(name, image_size=None))
    reference.set_swish(memory_efficient=False)
    assert (model.parameters, len(model.facts.costs.state), model.macs) == count(reference, size)
    assert set(model.weights["efficientnet_pytorch"]) == set(reference.state_dict())


@pytest.mark.parametrize("variant", ["b1", "b7"])
def test_keys_are_timms(variant: str) -> None:
    reference = on_meta(lambda: timm.create_model(f"tf_efficientnet_{variant}"))
    assert set(compiled(f"tf_{variant}").weights["timm"]) == set(reference.state_dict())


# -- a printed listing of B4, of a version that padded for a 380 input throughout


class Printed(NamedTuple):
    """A convolution or norm of the listing: its key, its numbers and settings as printed."""

    key: str
    kind: str
    numbers: tuple[int, ...]
    settings: dict[str, str]
    padding: tuple[int, ...]


ROW = re.compile(r"^ *\((\w+)\): (\w+)\((.*)$")


def read_listing() -> Iterator[Printed]:
    lines = LISTING.read_text(encoding="utf-8").splitlines()
    block = ""
    for line, behind, after in zip(lines, lines[1:], [*lines[2:], ""], strict=False):
        row = ROW.match(line)
        if row is None:
            continue
        name, kind, told = row.groups()
        if kind == "MBConvBlock":
            block = f"_blocks.{name}."
        elif not line.startswith(" " * 6):
            block = ""
        if kind in {"Conv2dStaticSamePadding", "BatchNorm2d"}:
            told = behind if kind.startswith("Conv") else told.removesuffix(")")
            numbers = re.findall(r"(?:^|, )(\d+)(?=,)", told.strip())
            settings = dict(re.findall(r"(\w+)=([(\[].*?[)\]]|[^,]+)", told))
            pads = re.findall(r"\d+", after.partition("padding=")[2].partition(")")[0])
            padding = tuple(map(int, pads)) or (0, 0, 0, 0)
            yield Printed(f"{block}{name}", kind, tuple(map(int, numbers)), settings, padding)


def pair_of(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


def same(side: int, kernel: int, stride: int) -> tuple[int, ...]:
    """Return left, right, top and bottom of TensorFlow's SAME for a square map."""
    missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return (missing // 2, missing - missing // 2) * 2


def test_b4_is_the_printed_listing_row_by_row() -> None:
    model = compiled("tf_b4")
    ours = model.weights["efficientnet_pytorch"]
    printed = list(read_listing())
    padded_otherwise: dict[str, tuple[tuple[int, ...], ...]] = {}
    for row in printed:
        path = ours[f"{row.key}.weight"].removesuffix(".weight")
        node = model.hierarchy[path]
        assert node.op is not None
        settings = node.op.settings()
        if row.kind == "BatchNorm2d":
            assert row.numbers == (settings["num_features"],), row
            assert float(row.settings["eps"]) == settings["eps"], row
            assert float(row.settings["momentum"]) == pytest.approx(settings["momentum"]), row
            continue
        kernel, stride = pair_of(row.settings["kernel_size"]), pair_of(row.settings["stride"])
        assert row.numbers == (settings["in_channels"], settings["out_channels"]), row
        assert (kernel, stride) == (settings["kernel_size"], settings["stride"]), row
        assert int(row.settings.get("groups", 1)) == settings["groups"], row
        assert (row.settings.get("bias") != "False") is settings["bias"], row
        assert row.padding == same(380, kernel[0], stride[0]), row
        arriving = model.hierarchy[node.inputs[0]].shape
        assert arriving is not None and isinstance(arriving[2], int)
        padding = same(arriving[2], kernel[0], stride[0])
        if padding != row.padding:
            padded_otherwise[row.key] = row.padding, padding
    kinds = [row.kind for row in printed]
    assert (kinds.count("Conv2dStaticSamePadding"), kinds.count("BatchNorm2d")) == (160, 96)
    assert padded_otherwise == {"_blocks.6._depthwise_conv": ((1, 2, 1, 2), (2, 2, 2, 2))}
