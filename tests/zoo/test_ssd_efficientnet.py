"""SSD300 on EfficientNet-B4 beside efficientnet_pytorch's network and torchvision's SSD."""

from __future__ import annotations

import pytest
import torch
from detectors import first_loss, loaded
from efficientnet_pytorch import EfficientNet
from parity import SPECS, Outputs, Pair, agree, emitted, fill, images, tapped, without_dropping
from torch import Tensor, nn
from torchvision.models.detection.ssd import SSDFeatureExtractorVGG, SSDHead
from torchvision.models.vgg import cfgs, make_layers

import specc

torch.set_num_threads(1)

SPEC = SPECS / "ssd300_efficientnet_b4.yaml"
TAPS = {
    "": {"P3": "_blocks.9", "P4": "_blocks.21", "P5": "_blocks.31"},
    ":depthwise_convs": {
        f"P{i}": f"_blocks.{b}._depthwise_conv" for i, b in ((3, 6), (4, 10), (5, 22))
    },
}
CHANNELS = {"": [56, 160, 448], ":depthwise_convs": [192, 336, 960]}


class Composed(nn.Module):
    """efficientnet_pytorch's B4 with the last three maps and the heads of torchvision's SSD300."""

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.taps = TAPS[variant]
        settings = {"image_size": None, "include_top": False, "drop_connect_rate": 0.0}
        self.backbone = EfficientNet.from_name("efficientnet-b4", **settings)
        self.backbone._conv_head = self.backbone._bn1 = nn.Identity()
        ssd300 = SSDFeatureExtractorVGG(make_layers(cfgs["D"]), highres=False)
        self.extra = ssd300.extra[2:]
        self.extra[0][0] = nn.Conv2d(CHANNELS[variant][2], 128, kernel_size=1)
        self.head = SSDHead([*CHANNELS[variant], 256, 256, 256], [4, 6, 6, 6, 4, 4], 21)

    def forward(self, x: Tensor) -> Outputs:
        found = tapped(self.backbone, x, **self.taps)
        maps = [found[name] for name in self.taps]
        for block in self.extra:
            maps.append(block(maps[-1]))
        head = self.head(maps)
        named = {f"map {place}": value for place, value in enumerate(maps)}
        return {**named, "loc": head["bbox_regression"], "conf": head["cls_logits"]}

    def used(self) -> list[str]:
        """Return the keys of what the last map and the heads read, in the order of the network."""
        keys = [key for key in self.state_dict() if not key.startswith("head.")]
        last = f"backbone.{self.taps['P5']}."
        end = max(place for place, key in enumerate(keys) if key.startswith(last))
        backbone = [key for key in keys[: end + 1] if key.startswith("backbone.")]
        extra = [key for key in keys if key.startswith("extra.")]
        heads = ("head.regression_head.", "head.classification_head.")
        return [
            *backbone,
            *extra,
            *(k for h in heads for k in self.state_dict() if k.startswith(h)),
        ]


def run_ours(network: nn.Module, batch: Tensor) -> Outputs:
    maps = network.features(batch)
    loc, conf = network.heads(maps)
    return {**{f"map {place}": x for place, x in enumerate(maps)}, "loc": loc, "conf": conf}


def pair_of(variant: str) -> tuple[Pair, dict[str, str]]:
    """Return both networks with the same weights, and their keys with ours, in order."""
    theirs = fill(Composed(variant), lambda network: network(images(257)))
    ours = emitted(f"{SPEC.stem}{variant}")
    values = theirs.state_dict()
    table = dict(zip(theirs.used(), ours.state_dict(), strict=True))
    ours.double().load_state_dict({mine: values[key] for key, mine in table.items()})
    return Pair(
        without_dropping(ours).eval(), theirs, run_ours, lambda network, batch: network(batch)
    ), table


def test_equal_to_its_parts():
    pair, table = pair_of("")
    agree(pair, images(257, 4))
    agree(pair, images((264, 300)))
    of_backbone = specc.compile(SPEC).weights["backbone.b4.efficientnet_pytorch"]
    assert (
        of_backbone.items()
        <= {key.removeprefix("backbone."): v for key, v in table.items()}.items()
    )


def test_equal_to_its_parts_with_taps_inside_blocks():
    pair, _ = pair_of(":depthwise_convs")
    agree(pair, images(257))


@pytest.mark.parametrize(("variant", "heads"), [("", 1_678_350), (":depthwise_convs", 2_729_550)])
def test_published_figures(variant, heads):
    found = specc.compile(f"{SPEC}{variant}")
    assert not found.diagnostics
    assert found.boxes == 8732
    network = emitted(f"{SPEC.stem}{variant}")
    assert sum(parameter.numel() for parameter in network.head.parameters()) == heads
    first = [head.in_channels for head in network.head.loc[:3]]
    assert first == CHANNELS[variant]


def test_the_backbone_is_b4_without_its_classifier():
    network = emitted(SPEC.stem)
    assert sum(parameter.numel() for parameter in network.backbone.parameters()) == 16_742_216
    sizes = [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)]
    with torch.device("meta"):
        maps = network.to("meta").features(torch.empty(1, 3, 300, 300))
    assert [tuple(each.shape[2:]) for each in maps] == sizes


def test_the_detector_learns():
    detector = loaded(SPEC.stem, classes=3)
    loss = first_loss(detector)
    loss.backward()
    assert torch.isfinite(loss)
    assert loss > 0
    gradients = [parameter.grad for parameter in detector.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
