"""EfficientDet beside effdet's: figures, weights, heads, anchors, losses and detections."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import pytest
import torch
from effdet import get_efficientdet_config
from effdet.anchors import Anchors
from effdet.bench import DetBenchPredict, DetBenchTrain
from effdet.efficientdet import EfficientDet
from figures import count, on_meta
from parity import SPECS, Outputs, Pair, agree, carry, emitted, fill, full, images
from torch import Tensor, nn

import specc
from specc.driver import Model
from specc_runtime import anchors
from specc_runtime import model as runtime
from specc_runtime.contract import component, lists_to_tuples
from specc_runtime.predictions import Predictions
from specc_runtime.weights import conversions

torch.set_num_threads(1)

SPEC = f"{SPECS}/efficientdet.yaml"
VARIANTS = ("d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7", "d7x")
CLASSES = 5
YXHW = [1, 0, 3, 2]  # effdet speaks of (y, x, height, width)


@cache
def compiled(variant: str) -> Model:
    return specc.compile(f"{SPEC}:{variant}")


def reference(variant: str, **settings: object) -> EfficientDet:
    """Make effdet's model; what it drops in training is random, so it drops nothing."""
    config = get_efficientdet_config(f"tf_efficientdet_{variant}")
    config.backbone_args.drop_path_rate = 0.0
    config.update(settings)
    return EfficientDet(config, pretrained_backbone=False)


@cache
def on_paper(variant: str) -> EfficientDet:
    """Make it of shapes alone."""
    model = on_meta(lambda: reference(variant))
    assert isinstance(model, EfficientDet)
    return model


def rows(output: list[Tensor], columns: int) -> list[Tensor]:
    """Write maps (N, 9 * columns, H, W) as (N, H * W * 9, columns)."""
    return [level.permute(0, 2, 3, 1).reshape(len(level), -1, columns) for level in output]


def maps(table: Tensor, cells: list[tuple[int, int]]) -> list[Tensor]:
    """Write rows (N, anchors, columns) as one map a level."""
    levels = table.split([height * width * 9 for height, width in cells], dim=1)
    return [
        level.reshape(len(level), *size, -1).permute(0, 3, 1, 2)
        for level, size in zip(levels, cells, strict=True)
    ]


def run_theirs(model: nn.Module, batch: Tensor) -> Outputs:
    """Return the outputs level by level."""
    conf, loc = model(batch)
    found = {f"conf {i}": level for i, level in enumerate(rows(conf, CLASSES))}
    return found | {f"loc {i}": level[..., YXHW] for i, level in enumerate(rows(loc, 4))}


def run_ours(model: nn.Module, batch: Tensor, coarsest: int = 7) -> Outputs:
    """Return the outputs level by level: those of P3 to the coarsest."""
    height, width = batch.shape[2:]
    counts = [9 * -(-height // 2**k) * -(-width // 2**k) for k in range(3, coarsest + 1)]
    return {
        f"{name} {i}": level
        for name, table in model(batch)._asdict().items()
        for i, level in enumerate(table.split(counts, dim=1))
    }


def carried(theirs: nn.Module, variant: str, **params: object) -> nn.Module:
    """Give our network effdet's weights by the spec's own map."""
    params["num_classes"] = CLASSES
    table = specc.compile(f"{SPEC}:{variant}", **params).weights["effdet"]
    ours = carry(theirs, emitted(f"efficientdet:{variant}", **params), table)
    assert len(table.convert) == 2
    with torch.no_grad():
        for key, literal in table.convert.items():
            tensor = ours.get_parameter(table[key])
            converted = component(conversions.KINDS, literal, key).ours(tensor, tensor.shape)
            tensor.copy_(converted)
    return ours


def resized(theirs: EfficientDet, height: int, width: int) -> EfficientDet:
    """Make effdet's model for another size, with the same weights."""
    name = theirs.config.name.removeprefix("tf_efficientdet_")
    other = reference(name, image_size=(height, width), num_classes=CLASSES).double()
    other.load_state_dict(theirs.state_dict())
    return other.eval()


def test_d0_agrees_with_effdet() -> None:
    """At 97 pixels maps are of 13, 7, 4, 2 and 1: no factor of 2 fits. A weight below 0 counts as 0."""
    theirs = reference("d0", image_size=(128, 128), num_classes=CLASSES)
    fill(theirs, lambda model: model(images(128, 4)))
    theirs.fpn.cell[0].fnode[5].combine.edge_weights.data[1] = -0.5
    odd = resized(theirs, 97, 160)
    agree(Pair(carried(odd, "d0"), odd, run_ours, run_theirs), images((97, 160)))
    agree(Pair(carried(theirs, "d0"), theirs, run_ours, run_theirs), images(128, batch=4))


def test_d4_agrees_with_effdet() -> None:
    theirs = reference("d4", image_size=(128, 128), num_classes=CLASSES)
    fill(theirs, lambda model: model(images(128, 4)))
    odd = resized(theirs, 97, 128)
    agree(Pair(carried(odd, "d4"), odd, run_ours, run_theirs), images((97, 128)))
    agree(Pair(carried(theirs, "d4"), theirs, run_ours, run_theirs), images(128, batch=4))


def test_a_plain_sum_and_p8_agree_with_effdet() -> None:
    """What sets D6, D7 and D7x apart, at the size of D0."""
    settings = {"fpn_name": "bifpn_sum", "max_level": 8, "num_levels": 6}
    theirs = reference("d0", image_size=(160, 160), num_classes=CLASSES, **settings)
    fill(theirs, lambda model: model(images(160, 4)))
    ours = carried(theirs, "d0", fusion="sum", coarsest=8)
    agree(Pair(ours, theirs, partial(run_ours, coarsest=8), run_theirs), images(160, batch=4))


def test_softmax_fusion_agrees_with_effdet() -> None:
    """The paper's other way to weigh (section 3.3), which no variant takes."""
    theirs = reference("d0", image_size=(128, 128), num_classes=CLASSES, fpn_name="bifpn_attn")
    fill(theirs, lambda model: model(images(128, 4)))
    ours = carried(theirs, "d0", fusion="softmax")
    agree(Pair(ours, theirs, run_ours, run_theirs), images(128, batch=4))


@pytest.mark.parametrize("variant", VARIANTS)
def test_tensors_are_effdets(variant: str) -> None:
    model = compiled(variant)
    assert not model.diagnostics
    theirs = on_paper(variant).state_dict()
    table = model.weights["effdet"]
    assert {key: tuple(tensor.shape) for key, tensor in theirs.items()} == {
        key: model.facts.costs.state[ours].shape for key, ours in table.items()
    }


@pytest.mark.parametrize("variant", ["d0", *map(full, VARIANTS[1:-1]), "d7x"])
def test_figures_are_effdets(variant: str) -> None:
    """Parameters, entries of the state dict and multiply-adds, to the last digit."""
    model = compiled(variant)
    theirs = on_paper(variant)
    found = (model.parameters, len(model.facts.costs.state), model.macs)
    assert found == count(theirs, theirs.config.image_size[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_anchors_are_effdets(variant: str) -> None:
    detector = compiled(variant).facts.detector
    assert detector is not None
    lay = component(anchors.KINDS, detector["anchors"], "anchors")
    ours = lay(*map(lists_to_tuples, (detector["maps"], detector["input"]["size"])))
    theirs = Anchors.from_config(get_efficientdet_config(f"tf_efficientdet_{variant}"))
    assert torch.allclose(ours[:, YXHW], theirs.boxes, rtol=0, atol=1e-4)


class Said(nn.Module):
    """What the parts of effdet around a model need of one: the same outputs for any images."""

    def __init__(self, size: tuple[int, int], conf: list[Tensor], loc: list[Tensor]) -> None:
        super().__init__()
        self.config = get_efficientdet_config("tf_efficientdet_d0")
        self.config.update({"image_size": size, "num_classes": CLASSES})
        self.outputs = conf, loc

    def forward(self, batch: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        del batch
        return self.outputs


def test_loss_and_detections_are_effdets(tmp_path: Path) -> None:
    """From the same outputs of the heads, by the emitted file's own literal."""
    path = tmp_path / "model.py"
    path.write_text(specc.compile(SPEC, size=128, num_classes=CLASSES).source, encoding="utf-8")
    file = runtime.load(path)
    ours = file.build()
    assert ours.num_classes == CLASSES
    torch.manual_seed(0)
    offsets = 0.3 * torch.randn(3, len(ours.anchors), 4)
    logits = 2 * torch.randn(3, len(ours.anchors), CLASSES) - 2
    cells = file.literal["maps"]
    said = Said((128, 128), maps(logits, cells), maps(offsets[..., YXHW], cells))

    boxes = torch.tensor(
        [[10.0, 20.0, 50.0, 90.0], [60.0, 4.0, 126.0, 120.0], [3.0, 3.0, 9.0, 11.0]]
    )
    labels = torch.tensor([[1, 4, 0], [3, 2, -1], [-1, -1, -1]])
    targets = {"bbox": [boxes[:, YXHW]] * 3, "cls": [of + 1 - (of < 0).long() for of in labels]}
    predictions = Predictions(offsets, logits)
    found = ours.loss(predictions, boxes.expand(3, 3, 4), labels)
    expected = DetBenchTrain(said).train()(torch.empty(3), targets)
    torch.testing.assert_close(found["classification"], expected["class_loss"])
    torch.testing.assert_close(sum(found.values()), expected["loss"])

    whole = {"img_scale": torch.ones(3), "img_size": torch.full((3, 2), 128.0)}
    detections = ours.detect(predictions)
    for i, one in enumerate(DetBenchPredict(said)(torch.empty(3), whole)):
        mine, scores, classes = detections.of(i)
        torch.testing.assert_close(mine, one[:, :4], rtol=0, atol=1e-3)
        torch.testing.assert_close(scores, one[:, 4])
        assert torch.equal(classes + 1, one[:, 5].long())
