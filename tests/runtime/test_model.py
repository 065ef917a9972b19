"""Emitted files: what is taken, what is refused, and that the detector does what the literal says."""

import re
from pathlib import Path

import pytest
import torch

from specc_runtime import model
from specc_runtime.contract import ContractError
from specc_runtime.matching import NOTHING
from specc_runtime.predictions import Predictions

from .training import TINY, batch

torch.set_num_threads(1)


def changed(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    text = TINY.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "changed.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MODEL = TinySSD", "", "no MODEL"),
        ("DETECTOR = {", "OTHER = {", "no DETECTOR"),
        ('"format": 1', '"format": 2', "has format 2, this runtime reads 1"),
        ("MODEL = TinySSD", "MODEL = TinySSSD", "does not load: NameError: name 'TinySSSD'"),
        (
            '"DefaultBoxes"',
            '"Circles"',
            r"anchors.kind is 'Circles'; this runtime knows AnchorGrid, B",
        ),
        ('"MultiBoxLoss"', '"TripletLoss"', "loss.kind is 'TripletLoss'"),
        ('"num_classes": 4,', "", "DETECTOR lacks num_classes"),
        (
            '{"kind": "MultiBoxLoss", "negatives_per_positive": 3.0}',
            '{"kind": "FCOSLoss"}',
            "outputs lacks centerness, which FCOSLoss reads",
        ),
        (
            '{"kind": "MultiBoxLoss", "negatives_per_positive": 3.0}',
            '{"kind": "YOLOLoss"}',
            "YOLOLoss needs anchors with cells: BoxPriors",
        ),
        (
            '{"kind": "BoxCoder", "weights": [10.0, 10.0, 5.0, 5.0], "clamp": None}',
            '{"kind": "CellCoder"}',
            "CellCoder needs anchors with cells: BoxPriors",
        ),
        (
            '{"kind": "MultiBoxLoss", "negatives_per_positive": 3.0}',
            '{"kind": "FocalLoss", "boxes": "l3"}',
            "loss.boxes is 'l3'; this runtime knows l1, smooth_l1, giou",
        ),
        ('"clamp": None', '"clamps": None', "coder has clamps, which BoxCoder does not read"),
        ('"strides": [8.0, 16.0],', "", "anchors lacks strides for DefaultBoxes"),
        ('"strides": [8.0, 16.0]', '"strides": [8.0]', "1 strides for 2 maps"),
        ('"channels": "RGB"', '"channels": "HSV"', "input.channels is 'HSV'"),
        ('"resize": "stretch"', '"resize": "crop"', "input.resize is 'crop'"),
        ('"maps": [[8, 8], [4, 4]]', '"maps": [[8, 8], [4, 5]]', r"loc of shape \(N, 336, 4\)"),
        ('"classes": "conf"', '"classes": "cls"', "outputs names 'cls', which the network lacks"),
        ('"coder": {', '"coders": {', "coder is missing or not a mapping"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_its_name(tmp_path, old, new, message):
    with pytest.raises(ContractError, match=message):
        model.load(changed(tmp_path, (old, new))).build()


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(ContractError, match="there is no such file"):
        model.load(tmp_path / "no.py")


def test_the_number_of_classes_is_the_data_sets(tmp_path):
    detector = model.load(TINY).build(classes=6).eval()
    predictions = detector(batch(0, 0).images)
    assert predictions.logits.shape == (4, 320, 7)
    assert predictions.offsets.shape == (4, 320, 4)


def test_weights_are_the_networks_alone():
    detector = model.load(TINY).build()
    assert {name.partition(".")[0] for name in detector.state_dict()} == {"network"}


def test_normalisation_is_as_written():
    detector = model.load(TINY).build()
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    seen = detector.normalise(images)[0, :, 0, 0]
    assert seen.tolist() == pytest.approx([-2.0, -1.2, 2.0], abs=1e-6)


def test_bgr_and_the_scale_of_caffe(tmp_path):
    path = changed(
        tmp_path,
        ('"channels": "RGB"', '"channels": "BGR"'),
        ('"scale": 1.0', '"scale": 255.0'),
        ('"mean": [0.5, 0.5, 0.5]', '"mean": [104.0, 117.0, 123.0]'),
        ('"std": [0.25, 0.25, 0.25]', '"std": [1.0, 1.0, 1.0]'),
    )
    images = torch.tensor([123, 117, 200], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    assert model.load(path).build().normalise(images)[0, :, 0, 0].tolist() == [96.0, 0.0, 0.0]


def test_memory_format_makes_no_difference():
    torch.manual_seed(0)
    detector = model.load(TINY).build().eval()
    images = batch(0, 0).images
    plain, last = detector(images), detector(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain.logits, last.logits)


def test_perfect_predictions_cost_little_and_find_the_objects():
    detector = model.load(TINY).build()
    made = batch(0, 0)
    assigned = detector.match(detector.anchors, made.boxes, made.labels)
    logits = torch.full((4, 320, 4), -20.0)
    logits.scatter_(2, (assigned.labels + 1)[..., None], 20.0)
    offsets = detector.coder.encode(assigned.boxes, detector.anchors)
    perfect = Predictions(offsets, logits)
    losses = detector.loss(perfect, made.boxes, made.labels)
    assert sum(losses.values()) < 1e-6
    found = detector.detect(perfect)
    for i in range(4):
        boxes, _, labels = found.of(i)
        real = made.labels[i] != NOTHING
        assert labels.tolist() == made.labels[i, real].tolist()
        torch.testing.assert_close(boxes, made.boxes[i, real], rtol=0, atol=1e-3)


def test_ssd300_as_generated_fits_the_contract():
    generated = Path(__file__).parents[2] / "generated" / "ssd300_vgg.py"
    detector = model.load(generated).build()
    assert detector.anchors.shape == (8732, 4)
    assert detector.select.keep == 200
    parameters = sum(p.numel() for p in detector.parameters())
    assert re.search(r"([\d,]+) parameters", generated.read_text())[1] == f"{parameters:,}"


def test_yolo_reads_the_objectness(tmp_path):
    text = TINY.with_name("tiny_yolo.py").read_text()
    assert model.load(TINY.with_name("tiny_yolo.py")).build(5).num_classes == 5
    path = tmp_path / "mute.py"
    path.write_text(text.replace(', "objectness": "objectness"}', "}"))
    with pytest.raises(ContractError, match="outputs lacks objectness, which YOLOLoss reads"):
        model.load(path).build()
