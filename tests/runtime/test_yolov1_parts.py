"""The parts of YOLO's first version against Darknet's `detection_layer`, written out as loops."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import specc
from specc_runtime import model
from specc_runtime.anchors import BoxPriors
from specc_runtime.boxes import RootCoder
from specc_runtime.losses import YOLOv1Loss
from specc_runtime.matching import NOTHING, GridMatch
from specc_runtime.predictions import Predictions

from .operations import Operations

torch.set_num_threads(1)

SIZE = (96, 128)
ROWS, COLUMNS = 3, 4
BOXES, CLASSES = 3, 4
GRID = BoxPriors((((128.0, 96.0),) * BOXES,))
ANCHORS = GRID(((ROWS, COLUMNS),), SIZE).double()
CODER = RootCoder()


def overlap(a, b):
    """`box_iou` of Darknet: boxes are centre, width, height."""
    sides = [
        min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2)
        - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2)
        for k in (0, 1)
    ]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def detection_layer(output, truths):
    """`forward_detection_layer` for one picture, with sqrt, rescore and the scales of `yolov1.cfg`.

    `output` is the list of its numbers: classes of each cell, then the confidence of each box, then its
    x, y, w, h. `truths` are (x, y, w, h, class) by the position of their cell, x and y within it and w
    and h in pictures. Gives the delta of each number, and the errors of equation 3.
    """
    cells = ROWS * COLUMNS
    delta = [0.0] * len(output)
    cost = {"boxes": 0.0, "objectness": 0.0, "classes": 0.0}
    for i in range(cells):
        confidences = [cells * CLASSES + i * BOXES + j for j in range(BOXES)]
        places = [cells * (CLASSES + BOXES) + (i * BOXES + j) * 4 for j in range(BOXES)]
        for p in confidences:
            delta[p] = 0.5 * (0 - output[p])
            cost["objectness"] += 0.5 * output[p] ** 2
        if i not in truths:
            continue
        *place, label = truths[i]
        for c in range(CLASSES):
            delta[i * CLASSES + c] = (c == label) - output[i * CLASSES + c]
            cost["classes"] += ((c == label) - output[i * CLASSES + c]) ** 2
        truth = [place[0] / COLUMNS, place[1] / ROWS, place[2], place[3]]
        best, best_iou, best_rmse = -1, 0.0, 20.0
        for j, p in enumerate(places):
            x, y, w, h = output[p : p + 4]
            out = [x / COLUMNS, y / ROWS, w * w, h * h]
            iou = overlap(out, truth)
            rmse = sum((a - b) ** 2 for a, b in zip(out, truth, strict=True)) ** 0.5
            if best_iou > 0 or iou > 0:
                if iou > best_iou:
                    best, best_iou = j, iou
            elif rmse < best_rmse:
                best, best_rmse = j, rmse
        p, confidence = places[best], confidences[best]
        delta[confidence] = best_iou - output[confidence]
        cost["objectness"] += (best_iou - output[confidence]) ** 2 - 0.5 * output[confidence] ** 2
        wanted = [place[0], place[1], place[2] ** 0.5, place[3] ** 0.5]
        for k in range(4):
            delta[p + k] = 5 * (wanted[k] - output[p + k])
            cost["boxes"] += 5 * (wanted[k] - output[p + k]) ** 2
    return delta, cost


def predictions(output: Tensor) -> Predictions:
    """Read rows (B, numbers) as the emitted network gives them."""
    cells = ROWS * COLUMNS
    classes, confidences, places = output.split(
        [cells * CLASSES, cells * BOXES, cells * BOXES * 4], dim=1
    )
    logits = classes.unflatten(1, (cells, CLASSES)).repeat_interleave(BOXES, dim=1)
    return Predictions(places.unflatten(1, (-1, 4)), logits, confidences[..., None])


def random_objects(pictures: int, objects: int) -> tuple[Tensor, Tensor, list[dict]]:
    """Draw boxes (B, M, 4), labels (B, M), the first picture's without any, and Darknet's truths."""
    generator = torch.Generator().manual_seed(3)
    size = torch.tensor(SIZE[::-1], dtype=torch.float64)
    centres = torch.rand(pictures, objects, 2, dtype=torch.float64, generator=generator)
    sides = 0.05 + 0.6 * torch.rand(pictures, objects, 2, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, CLASSES, (pictures, objects), generator=generator)
    labels[0] = labels[1, 1:] = NOTHING
    truths = []
    for of, shapes, classes in zip(centres, sides, labels, strict=True):
        found = {}
        for (x, y), (w, h), label in zip(
            of.tolist(), shapes.tolist(), classes.tolist(), strict=True
        ):
            column, row = int(x * COLUMNS), int(y * ROWS)
            if label >= 0:
                place = x * COLUMNS - column, y * ROWS - row
                found[row * COLUMNS + column] = (*place, w, h, label)
        truths.append(found)
    corners = torch.cat((centres - sides / 2, centres + sides / 2), dim=-1) * size.repeat(2)
    return corners, labels, truths


@pytest.mark.parametrize("scale", [0.3, 1.5])
def test_loss_and_gradient_are_darknets(scale: float) -> None:
    """Half the gradient is minus Darknet's delta; at the larger scale some boxes overlap nothing."""
    boxes, labels, truths = random_objects(4, 6)
    numbers = ROWS * COLUMNS * (CLASSES + 5 * BOXES)
    generator = torch.Generator().manual_seed(0)
    output = scale * torch.randn(4, numbers, dtype=torch.float64, generator=generator)
    output.requires_grad_()
    said = predictions(output)
    found = YOLOv1Loss()(said, GridMatch()(ANCHORS, boxes, labels), CODER, ANCHORS)
    sum(found.values()).backward()
    layers = [detection_layer(*one) for one in zip(output.tolist(), truths, strict=True)]
    deltas = torch.tensor([delta for delta, _ in layers], dtype=torch.float64)
    torch.testing.assert_close(-output.grad * 4 / 2, deltas, rtol=1e-10, atol=1e-12)
    for ours, name in zip(found.values(), ("boxes", "objectness", "classes"), strict=True):
        mean = sum(cost[name] for _, cost in layers) / 4
        assert ours.item() == pytest.approx(mean, rel=1e-10)
        assert mean > 0


def test_one_box_of_a_cell_is_responsible() -> None:
    """The one that overlaps the object most; where none does, the nearest; of equals, the first."""
    box = torch.tensor([[[70.0, 40.0, 90.0, 60.0]]], dtype=torch.float64)
    assigned = GridMatch()(ANCHORS, box, torch.tensor([[2]]))
    cell = torch.arange(BOXES) + BOXES * (1 * COLUMNS + 2)
    assert torch.equal((assigned.labels[0] == 2).nonzero()[:, 0], cell)
    wanted = CODER.encode(box.expand(1, len(ANCHORS), 4), ANCHORS)[0, cell[0]]
    far, near = wanted + torch.tensor([9.0, 0, 0, 0]), wanted + torch.tensor([4.0, 0, 0, 0])
    for of_cell, best in (
        ([far, wanted, near], 1),
        ([far, near, near], 1),
        ([near, far, wanted * 1.1], 2),
        ([wanted, wanted, wanted], 0),
    ):
        offsets = torch.zeros(1, len(ANCHORS), 4, dtype=torch.float64)
        offsets[0, cell] = torch.stack(of_cell)
        offsets.requires_grad_()
        said = Predictions(
            offsets,
            torch.zeros(1, len(ANCHORS), CLASSES, dtype=torch.float64, requires_grad=True),
            torch.zeros(1, len(ANCHORS), 1, dtype=torch.float64),
        )
        found = YOLOv1Loss()(said, assigned, CODER, ANCHORS)
        (gradient,) = torch.autograd.grad(found["classification"], said.logits)
        assert gradient.abs().sum(dim=2).nonzero()[:, 1].tolist() == [cell[best].item()]


def test_an_object_on_a_border_is_of_the_cell_behind_it() -> None:
    boxes = torch.tensor([[[54.0, 22, 74, 42]]]).double()  # its centre is (64, 32)
    assigned = GridMatch()(ANCHORS, boxes, torch.tensor([[3]]))
    first = (1 * COLUMNS + 2) * BOXES
    assert (assigned.labels[0] == 3).nonzero().flatten().tolist() == [*range(first, first + BOXES)]


def test_of_objects_that_share_a_cell_the_last_wins() -> None:
    boxes = torch.tensor([[[0.0, 0, 20, 20], [4, 4, 30, 30], [1, 1, 9, 9]]], dtype=torch.float64)
    index = GridMatch().indices(ANCHORS, boxes, torch.tensor([[0, 1, NOTHING]]))
    assert index[0, :BOXES].tolist() == [1] * BOXES
    assert (index[0, BOXES:] == NOTHING).all()


def test_offsets_lead_to_boxes_and_back() -> None:
    boxes, _, _ = random_objects(2, len(ANCHORS))
    offsets = CODER.encode(boxes, ANCHORS)
    torch.testing.assert_close(CODER.decode(offsets, ANCHORS), boxes)
    flipped = offsets * torch.tensor([1, 1, -1, -1])
    torch.testing.assert_close(CODER.decode(flipped, ANCHORS), boxes)
    whole = torch.tensor([0.5, 0.5, COLUMNS**-0.5, ROWS**-0.5], dtype=torch.float64)
    torch.testing.assert_close(CODER.decode(whole, ANCHORS), ANCHORS[:, 4:])


def test_scores_are_of_confidence_and_class() -> None:
    logits = torch.tensor([[[0.5, 2.0, -1.0]]])
    for confidence, scores in ((0.5, [0.25, 0.5, 0.0]), (-1.0, [0.0] * 3), (3.0, [0.5, 1.0, 0.0])):
        said = Predictions(torch.zeros(1, 1, 4), logits, torch.full((1, 1, 1), confidence))
        assert YOLOv1Loss().scores(said)[0, 0].tolist() == scores


TOY = """\
specc: 1
name: toy
params: {num_classes: 3, boxes: 2}
inputs: {images: [N, 3, 112, 112]}
preprocess: Preprocess(channels='RGB', scale=1, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize='stretch')
use: {YOLO: zoo/yolov1}
layers:
  conv1: YOLO.ConvBN(16, 7, stride=4) -> 28
  pool1: MaxPool2d(2, stride=2)
  conv2: YOLO.ConvBN(32, 3, stride=2) -> 7
  flat: Flatten()
  predictions: Linear(_, 49 * (num_classes + 5 * boxes))
  class_maps: {for: {i: range(boxes)}, shared: true, op: "YOLO.Cells(0, num_classes)(predictions)"}
  classes: Cat(dim=1)(class_maps)
  confidences: YOLO.Cells(49 * num_classes, boxes)(predictions)
  places: YOLO.Cells(49 * (num_classes + boxes), 4 * boxes)(predictions)
  conf: PerBox(num_classes)(classes)
  objectness: PerBox(1)(confidences)
  loc: PerBox(4)(places)
outputs: {loc: loc, objectness: objectness, conf: conf}
detector:
  maps: classes
  boxes: loc
  classes: conf
  objectness: objectness
  anchors: BoxPriors(sizes=[[[112, 112], [112, 112]]])
  coder: RootCoder()
  match: GridMatch()
  loss: YOLOv1Loss()
  select: NMS(score=0.3, per_class=20, iou=0.5, keep=10)
"""


def test_a_detector_finds_the_objects_that_it_learned(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(TOY, encoding="utf-8")
    (tmp_path / "toy.py").write_text(specc.compile(tmp_path / "toy.yaml").source, encoding="utf-8")
    torch.manual_seed(0)
    detector = model.load(tmp_path / "toy.py").build()
    boxes = torch.tensor([[[10.0, 20, 60, 70], [70, 60, 100, 110]], [[5.0, 60, 50, 100]] * 2])
    labels = torch.tensor([[0, 2], [1, NOTHING]])
    images = torch.rand(2, 3, 112, 112) * 60
    for image, objects, classes in zip(images, boxes.int().tolist(), labels.tolist(), strict=True):
        for (left, top, right, bottom), label in zip(objects, classes, strict=True):
            if label >= 0:
                image[label, top:bottom, left:right] = 255
    optimizer = torch.optim.Adam(detector.parameters(), lr=1e-3)
    course = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = sum(detector.losses(images, boxes, labels).values())
        loss.backward()
        optimizer.step()
        course.append(loss.item())
    assert course[-1] < 0.05 * course[0]
    with torch.no_grad():
        detections = detector.detect(detector(images))
    assert detections.counts.tolist() == [2, 1]
    for i, (objects, classes) in enumerate(zip(boxes, labels, strict=True)):
        found, _, named = detections.of(i)
        order = [named.tolist().index(label) for label in classes.tolist() if label >= 0]
        torch.testing.assert_close(found[order], objects[: len(order)], rtol=0, atol=3)


def test_matching_and_loss_do_not_wait_for_the_device() -> None:
    boxes, labels, _ = random_objects(2, 5)
    output = torch.randn(2, ROWS * COLUMNS * (CLASSES + 5 * BOXES), dtype=torch.float64)
    with Operations() as operations:
        YOLOv1Loss()(predictions(output), GridMatch()(ANCHORS, boxes, labels), CODER, ANCHORS)
    assert operations.waits == []
