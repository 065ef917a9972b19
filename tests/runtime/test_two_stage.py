"""Detectors of two stages: what they learn from and find, beside torchvision's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from specc_runtime import losses, model, sampling
from specc_runtime.contract import ContractError
from specc_runtime.data import Batch
from specc_runtime.losses import rpn as rpn_module
from specc_runtime.predictions import Predictions
from specc_runtime.sampling import Drawn, draw
from specc_runtime.step import Stepper, read

from .torchvision_two_stage import LIGHT, Replay, light, masks, objects, of_real, run
from .training import RECIPE

torch.set_num_threads(1)


# -- the whole detector


def whole(*, training: bool) -> model.Detector:
    """The light detector in float64, its heads so that scores and offsets differ."""
    torch.manual_seed(0)
    detector = model.load(LIGHT).build(3).double().train(training)
    box = detector.network.box
    box.logits.weight.data *= 30
    detector.network.rpn.head.objectness.weight.data *= 30
    return detector


def pictures(count: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(1)
    images = 255 * torch.rand(count, 3, 192, 192, dtype=torch.float64, generator=drawn)
    corner = 80 * torch.rand(count, 3, 2, dtype=torch.float64, generator=drawn)
    side = 20 + 80 * torch.rand(count, 3, 2, dtype=torch.float64, generator=drawn)
    labels = torch.randint(0, 3, (count, 3), generator=drawn)
    labels[0, 2] = -1
    boxes = torch.cat((corner, corner + side), dim=-1) * (labels >= 0)[..., None]
    return images, boxes, labels


def normalised(images: Tensor) -> Tensor:
    """What both get: the detector's own way would round to float32."""
    return images / 64 - 2


def test_losses_of_the_whole_detector_are_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proposals, both draws, both stages; and the gradients of both stages' weights."""
    detector = whole(training=True)
    detector.normalise = normalised
    theirs = light(detector)
    noted: list[tuple[Tensor, Drawn]] = []

    def note(of: Tensor, *arguments) -> Drawn:
        noted.append((of, draw(of, *arguments)))
        return noted[-1][1]

    for module in (sampling, rpn_module):
        monkeypatch.setattr(module, "draw", note)
    images, boxes, labels = pictures()
    ours = detector.losses(images, boxes, labels)
    of_regions, of_anchors = noted
    assert of_regions[1].counts.all()
    assert of_anchors[1].counts.all()
    theirs.rpn.fg_bg_sampler = Replay(masks(of_anchors[1], len(detector.anchors)))
    theirs.roi_heads.fg_bg_sampler = Replay(of_real(*of_regions))
    _, wanted = run(theirs, normalised(images), objects(boxes, labels))
    names = {
        "rpn_bbox_regression": "loss_rpn_box_reg",
        "objectness": "loss_objectness",
        "bbox_regression": "loss_box_reg",
        "classification": "loss_classifier",
    }
    assert ours.keys() == names.keys()
    for mine, name in names.items():
        assert wanted[name] > 1e-4
        assert abs(ours[mine] - wanted[name]) <= 1e-9 * wanted[name], mine
    stem = next(detector.network.stem.parameters())
    sum(wanted.values()).backward()
    of_theirs = stem.grad.clone()
    stem.grad = None
    sum(ours.values()).backward()
    assert of_theirs.abs().max() > 0
    assert (stem.grad - of_theirs).abs().max() <= 1e-9 * of_theirs.abs().max()


def test_detections_of_the_whole_detector_are_torchvisions() -> None:
    detector = whole(training=False)
    detector.normalise = normalised
    images, _, _ = pictures()
    with torch.no_grad():
        ours = detector.detect(detector(images))
        theirs, _ = run(light(detector), normalised(images), None)
    for i, wanted in enumerate(theirs):
        boxes, scores, labels = ours.of(i)
        assert len(boxes) > 20
        assert len(labels.unique()) > 1
        torch.testing.assert_close(scores, wanted["scores"], rtol=0, atol=1e-9)
        torch.testing.assert_close(boxes, wanted["boxes"], rtol=0, atol=1e-7)
        assert torch.equal(labels + 1, wanted["labels"])


def test_nothing_is_found_in_regions_without_area_and_no_box_without_a_side() -> None:
    """Padding among the proposals has no area; torchvision removes boxes below a hundredth."""
    detector = model.load(LIGHT).build(3)
    corner = torch.tensor([10.0, 10.0, 50.0, 50.0])
    regions = torch.stack((corner, corner + 60, torch.zeros(4)))[None]
    logits = torch.tensor([[0.0, 9, 0, 0], [0, 0, 9, 0], [0, 0, 0, 9]])[None]
    thin = detector.regions.coder.encode(torch.tensor([80.0, 70, 80.005, 110]), regions[0, 1])
    offsets = torch.zeros(1, 3, 4, 4)
    offsets[0, 1, :] = thin

    def found(offsets: Tensor) -> list[int]:
        given = Predictions(offsets.flatten(2), logits, regions=regions)
        return sorted(detector.detect(given).of(0)[2].tolist())

    assert found(torch.zeros(1, 3, 4, 4)) == [0, 1]
    assert found(offsets) == [0]


def test_the_second_stage_teaches_the_features_and_not_the_proposals() -> None:
    detector = whole(training=True)
    found = detector.losses(*pictures())
    (found["bbox_regression"] + found["classification"]).backward()
    assert detector.network.rpn.head.objectness.weight.grad is None
    assert next(detector.network.stem.parameters()).grad.abs().sum() > 0


def test_anchors_are_those_of_the_proposals() -> None:
    """Offsets of zero propose the anchors of the literal, in its order."""
    detector = whole(training=False)
    proposals = detector.network.proposals
    proposals.per_map, proposals.keep, proposals.iou = 10_000, 4536, 1.1
    rows = len(detector.anchors)
    scores = torch.linspace(1, -1, rows, dtype=torch.float64).view(1, -1, 1)
    images = torch.zeros(1, 3, 192, 192)
    maps = [torch.zeros(1, 1, side, side) for side in (24, 12, 6)]
    found = proposals(scores, torch.zeros(1, rows, 4, dtype=torch.float64), images, *maps)
    assert torch.equal(found[0], detector.anchors.clamp(0, 192))


def test_objects_are_found_after_some_steps() -> None:
    """Trained as recipes do it, with convolutions in bfloat16; used in float32."""
    torch.manual_seed(0)
    detector = model.load(LIGHT).build(2)
    images = torch.full((2, 3, 192, 192), 90.0)
    boxes = torch.tensor([[[20.0, 30, 80, 90]], [[100.0, 60, 180, 150]]])
    labels = torch.tensor([[0], [1]])
    for i, (x1, y1, x2, y2) in enumerate(boxes[:, 0].int().tolist()):
        images[i, labels[i, 0], y1:y2, x1:x2] = 250.0
    optimizer = torch.optim.Adam(detector.parameters(), lr=1e-3)
    for _ in range(40):
        found = detector.losses(images, boxes, labels, bf16=True)
        optimizer.zero_grad()
        sum(found.values()).backward()
        optimizer.step()
    assert all(value.dtype == torch.float32 for value in found.values())
    with torch.no_grad():
        best = detector.detect(detector(images))
    assert torch.equal(best.labels[:, :1], labels)
    assert (best.boxes[:, 0] - boxes[:, 0]).abs().max() < 8


# -- what is refused


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"FastRCNNLoss"', '"FocalLoss"', "regions.loss.kind is 'FocalLoss'; this runtime knows F"),
        ('"kind": "Sample"', '"kind": "All"', "regions.sample.kind is 'All'"),
        ('"boxes": "deltas"', '"boxes": "gone"', "outputs names 'gone', which the network lacks"),
        ('"boxes": "deltas"', '"boxes": "logits"', r"need logits of shape \(N, 100, 16\), the"),
        ('"classes": "logits"', '"centerness": "logits"', "outputs lacks classes, which FastR"),
        ('"proposals": "proposals",', '"proposals": "boxes",', "'boxes', which no stage but the"),
        ('"proposals": "proposals",', "", "regions lacks proposals for Regions"),
        ('"roi": []', '"heads": []', "stages names 'heads', which the network lacks"),
        ('"features": ["fpn"]', '"features": ["maps"]', "no stage before 'propose' hands on 'fpn'"),
    ],
)
def test_what_does_not_fit_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = LIGHT.read_text()
    assert text.count(old) == 1
    path = tmp_path / "changed.py"
    path.write_text(text.replace(old, new))
    with pytest.raises(ContractError, match=message):
        model.load(path).build(3).eval()(torch.zeros(1, 3, 192, 192))


def test_the_background_is_an_output_of_the_second_stage() -> None:
    emitted = model.load(LIGHT)
    assert emitted.background == 1
    assert emitted.build(5).num_classes == 6
    assert set(losses.OF_REGIONS).isdisjoint(losses.KINDS)


# -- training


def test_a_batch_in_parts_is_the_batch(tmp_path: Path) -> None:
    """With all drawn and without norms: both losses are means over images."""
    text = LIGHT.read_text()
    for old, new in (
        ("nn.BatchNorm2d(", "nn.Identity("),
        ('"examples": 128, "positive": 0.5', '"examples": 10000, "positive": 1.0'),
        ('"examples": 64, "positive": 0.25', '"examples": 10000, "positive": 1.0'),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "plain.py"
    path.write_text(text)
    images, boxes, labels = pictures(3)
    taken = []
    for parts in (1, 2):
        torch.manual_seed(0)
        recipe = replace(RECIPE, accumulate=parts, distort_colours=False, lr=0.01)
        step = Stepper(model.load(path).build(3), recipe, lambda text: None)
        of = Batch(images.byte(), boxes.float(), labels, labels > 9, labels[:, :2], labels[:, 0])
        (losses,) = read([step(of, 0, 0, 0.01)])
        taken.append((losses, step.detector.network.rpn.head.deltas.weight.detach()))
    (whole, weight), (split, also) = taken
    assert split == pytest.approx(whole, rel=1e-5)
    torch.testing.assert_close(weight, also, rtol=1e-5, atol=1e-7)


def test_a_step_follows_from_seed_and_step_alone() -> None:
    """Whatever was drawn before it."""
    images, boxes, labels = pictures()
    of = Batch(images.byte(), boxes.float(), labels, labels > 9, labels[:, :2], labels[:, 0])
    found = []
    for number in (3, 3, 4):
        torch.manual_seed(0)
        step = Stepper(model.load(LIGHT).build(3), RECIPE, lambda text: None)
        torch.rand(len(found) + 1)
        found += read([step(of, 0, number, 0.01)])
    assert found[0] == found[1] != found[2]


def test_steps_compile_once_whatever_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one graph, although how many boxes stay changes from step to step; to the same losses."""
    graphs: list[object] = []

    def noted(graph: torch.fx.GraphModule, inputs: object) -> torch.fx.GraphModule:
        graphs.append(inputs)
        return graph

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **how: compiler(f, backend=noted, **how))
    images, boxes, labels = pictures()
    taken = []
    for way in ("always", "never"):
        torch.manual_seed(0)
        recipe = replace(RECIPE, compile=way, lr=0.01)
        step = Stepper(model.load(LIGHT).build(3), recipe, lambda text: None)
        batches = [
            Batch(turned.byte(), boxes.float(), labels, labels > 9, labels[:, :2], labels[:, 0])
            for turned in (images, images.flip(1), 255 - images)
        ]
        taken.append(read([step(of, 0, number, 0.01) for number, of in enumerate(batches)]))
    assert len(graphs) == 1
    assert taken[0] == [pytest.approx(losses, rel=1e-5) for losses in taken[1]]
