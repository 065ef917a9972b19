"""YOLO's anchors, coder, matching and loss against Darknet's `yolo_layer`, written out as loops."""

import math

import pytest
import torch

from specc_runtime.anchors import BoxPriors
from specc_runtime.boxes import BoxCoder, CellCoder, centres_and_sizes, iou
from specc_runtime.contract import ContractError
from specc_runtime.decode import NMS
from specc_runtime.losses import YOLOLoss, YOLOv2Loss
from specc_runtime.losses.yolo import is_free
from specc_runtime.matching import NOTHING, Assigned, CellMatch, IoUMatch
from specc_runtime.predictions import Predictions

from .operations import Operations

torch.set_num_threads(1)

SIZE = (96, 128)
MAPS = ((3, 4), (6, 8))
PRIORS = (((40.0, 50.0), (70.0, 30.0), (90.0, 88.0)), ((8.0, 9.0), (13.0, 30.0), (33.0, 23.0)))
MASKS = ((3, 4, 5), (0, 1, 2))  # of the priors from small to large
GRID = BoxPriors(PRIORS)
ANCHORS = GRID(MAPS, SIZE).double()
CLASSES = 4
JUDGES = [YOLOLoss(), YOLOv2Loss()]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def overlap(a, b):
    """`box_iou` of Darknet: boxes are centre, width, height."""
    sides = [
        min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2)
        - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2)
        for k in (0, 1)
    ]
    shared = max(sides[0], 0) * max(sides[1], 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def yolo_layers(outputs, truths, ignore):
    """`forward_yolo_layer` for one picture: delta of each output, and the cost of what they derive.

    `outputs` has a map for each mask as nested lists [anchor][row][column][entry], the entries x, y,
    w, h, objectness and classes; `truths` are (x, y, w, h, class) in units of the picture.
    """
    biases = [prior for mask_priors in reversed(PRIORS) for prior in mask_priors]
    net_h, net_w = SIZE
    deltas, cost = [], {"boxes": 0.0, "objectness": 0.0, "classes": 0.0}
    for output, mask, (rows, columns) in zip(outputs, MASKS, MAPS, strict=True):
        delta = [
            [[[0.0] * (5 + CLASSES) for _ in range(columns)] for _ in range(rows)] for _ in mask
        ]
        weight = [[[0.0] * columns for _ in range(rows)] for _ in mask]
        for n, bias in enumerate(mask):
            for j in range(rows):
                for i in range(columns):
                    x, y, w, h, objectness = output[n][j][i][:5]
                    box = (
                        (i + sigmoid(x)) / columns,
                        (j + sigmoid(y)) / rows,
                        math.exp(w) * biases[bias][0] / net_w,
                        math.exp(h) * biases[bias][1] / net_h,
                    )
                    best = max((overlap(box, truth[:4]) for truth in truths), default=0)
                    if best <= ignore:
                        delta[n][j][i][4] = 0 - sigmoid(objectness)
                        weight[n][j][i] = 1.0
        wanted = {}
        for truth in truths:
            i, j = int(truth[0] * columns), int(truth[1] * rows)
            best_overlap, best = 0.0, 0
            for n, bias in enumerate(biases):
                shape = (0, 0, bias[0] / net_w, bias[1] / net_h)
                found = overlap(shape, (0, 0, *truth[2:4]))
                if found > best_overlap:
                    best_overlap, best = found, n
            if best not in mask:
                continue
            n = mask.index(best)
            entries, scale = output[n][j][i], 2 - truth[2] * truth[3]
            tx, ty = truth[0] * columns - i, truth[1] * rows - j
            tw = math.log(truth[2] * net_w / biases[best][0])
            th = math.log(truth[3] * net_h / biases[best][1])
            its = delta[n][j][i]
            its[0] = scale * (tx - sigmoid(entries[0]))
            its[1] = scale * (ty - sigmoid(entries[1]))
            its[2] = scale * (tw - entries[2])
            its[3] = scale * (th - entries[3])
            its[4] = 1 - sigmoid(entries[4])
            for k in range(CLASSES):
                its[5 + k] = (k == truth[4]) - sigmoid(entries[5 + k])
            wanted[n, j, i] = (tx, ty, tw, th, scale, truth[4])
        for n in range(len(mask)):
            for j in range(rows):
                for i in range(columns):
                    entries = output[n][j][i]
                    if (n, j, i) not in wanted:
                        cost["objectness"] += weight[n][j][i] * entropy(entries[4], 0)
                        continue
                    tx, ty, tw, th, scale, label = wanted[n, j, i]
                    square = ((tw - entries[2]) ** 2 + (th - entries[3]) ** 2) / 2
                    place = entropy(entries[0], tx) + entropy(entries[1], ty)
                    cost["boxes"] += scale * (place + square)
                    cost["objectness"] += entropy(entries[4], 1)
                    cost["classes"] += sum(
                        entropy(entries[5 + k], k == label) for k in range(CLASSES)
                    )
        deltas.append(delta)
    return deltas, cost


def region_layer(output, truths, biases, ignore):
    """`forward_region_layer` for one picture, with rescore, object_scale 5 and the other scales 1.

    `output` is [anchor][row][column][entry], and `biases` are in cells. Gives the deltas alike, and
    the cost.
    """
    rows, columns = len(output[0]), len(output[0][0])
    places = [(n, j, i) for n in range(len(biases)) for j in range(rows) for i in range(columns)]
    delta = [[[[0.0] * (5 + CLASSES) for _ in range(columns)] for _ in range(rows)] for _ in biases]
    cost = {"boxes": 0.0, "objectness": 0.0, "classes": 0.0}

    def region_box(n, j, i):
        x, y, w, h = output[n][j][i][:4]
        return (
            (i + sigmoid(x)) / columns,
            (j + sigmoid(y)) / rows,
            math.exp(w) * biases[n][0] / columns,
            math.exp(h) * biases[n][1] / rows,
        )

    parts = {}
    for n, j, i in places:
        objectness = output[n][j][i][4]
        best = max((overlap(region_box(n, j, i), truth[:4]) for truth in truths), default=0)
        delta[n][j][i][4] = 0 - sigmoid(objectness) if best <= ignore else 0.0
        parts[n, j, i] = (0.0, entropy(objectness, 0) if best <= ignore else 0.0, 0.0)
    for truth in truths:
        i, j = int(truth[0] * columns), int(truth[1] * rows)
        shapes = [(0, 0, w / columns, h / rows) for w, h in biases]
        found = [overlap(shape, (0, 0, *truth[2:4])) for shape in shapes]
        n = found.index(max(found))
        entries, its, scale = output[n][j][i], delta[n][j][i], 2 - truth[2] * truth[3]
        tx, ty = truth[0] * columns - i, truth[1] * rows - j
        tw = math.log(truth[2] * columns / biases[n][0])
        th = math.log(truth[3] * rows / biases[n][1])
        same = overlap(region_box(n, j, i), truth[:4])
        shares = [math.exp(logit) for logit in entries[5:]]
        shares = [share / sum(shares) for share in shares]
        its[0] = scale * (tx - sigmoid(entries[0]))
        its[1] = scale * (ty - sigmoid(entries[1]))
        its[2] = scale * (tw - entries[2])
        its[3] = scale * (th - entries[3])
        its[4] = 5 * (same - sigmoid(entries[4]))
        its[5:] = [(k == truth[4]) - share for k, share in enumerate(shares)]
        square = ((tw - entries[2]) ** 2 + (th - entries[3]) ** 2) / 2
        parts[n, j, i] = (
            scale * (entropy(entries[0], tx) + entropy(entries[1], ty) + square),
            5 * entropy(entries[4], same),
            -math.log(shares[truth[4]]),
        )
    for costs in parts.values():
        for name, value in zip(cost, costs, strict=True):
            cost[name] += value
    return delta, cost


def entropy(logit, target):
    """Cross entropy; its derivative is `sigmoid(logit) - target`."""
    return -target * math.log(sigmoid(logit)) - (1 - target) * math.log(1 - sigmoid(logit))


def random_scene(pictures=4, objects=5, start=ANCHORS):
    """Predictions, some of them near the objects, and objects; none on the first picture."""
    labels = torch.randint(0, CLASSES, (pictures, objects))
    labels[0] = NOTHING
    labels[1:2, 2:] = NOTHING
    corner = torch.rand(pictures, objects, 2).double() * torch.tensor([70, 50])
    boxes = torch.cat((corner, corner + 6 + 40 * torch.rand(pictures, objects, 2)), dim=-1)
    offsets = torch.randn(pictures, len(start), 4).double() * 0.6
    logits = torch.randn(pictures, len(start), CLASSES).double()
    objectness = torch.randn(pictures, len(start), 1).double()
    said = Predictions(*(t.requires_grad_() for t in (offsets, logits, objectness)))
    return said, boxes, labels


def loss(said, boxes, labels, judge):
    return judge(said, CellMatch()(ANCHORS, boxes, labels), CellCoder(), ANCHORS)


def as_darknet(rows, maps=MAPS):
    """Rows (A, 5 + classes) as a nested list [anchor][row][column] for each map."""
    parts = rows.split([height * width * 3 for height, width in maps])
    return [
        part.view(*cells, 3, -1).permute(2, 0, 1, 3).tolist()
        for part, cells in zip(parts, maps, strict=True)
    ]


def as_rows(maps):
    """The other way."""
    parts = [torch.tensor(of_map, dtype=torch.float64).permute(1, 2, 0, 3) for of_map in maps]
    return torch.cat([part.reshape(-1, 5 + CLASSES) for part in parts])


def yolo_layers_of(rows, truths, ignore):
    deltas, cost = yolo_layers(as_darknet(rows), truths, ignore)
    return as_rows(deltas), cost


def region_layer_of(rows, truths, ignore):
    (output,) = as_darknet(rows, MAPS[1:])
    delta, cost = region_layer(output, truths, [(w / 16, h / 16) for w, h in PRIORS[1]], ignore)
    return as_rows([delta]), cost


def literal(layers, said, boxes, labels, ignore):
    """Deltas (B, A, 5 + classes) and costs of Darknet's `layers`, picture by picture."""
    rows = torch.cat((said.offsets, said.confidence, said.logits), dim=2).detach()
    deltas, costs = [], []
    for i in range(len(labels)):
        centres, sizes = centres_and_sizes(boxes[i] / torch.tensor([128, 96, 128, 96]))
        every = zip(torch.cat((centres, sizes), 1).tolist(), labels[i].tolist(), strict=True)
        truths = [(*box, label) for box, label in every if label >= 0]
        delta, cost = layers(rows[i], truths, ignore)
        deltas.append(delta)
        costs.append(cost)
    mean = {name: sum(cost[name] for cost in costs) / len(costs) for name in costs[0]}
    return torch.stack(deltas), mean


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("ignore", [0.2, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_values_and_gradients_are_darknets(seed, ignore, version):
    torch.manual_seed(seed)
    judge, layers, start = {
        2: (YOLOv2Loss(ignore), region_layer_of, ANCHORS[36:]),
        3: (YOLOLoss(ignore), yolo_layers_of, ANCHORS),
    }[version]
    said, boxes, labels = random_scene(start=start)
    deltas, costs = literal(layers, said, boxes, labels, ignore)
    without, _ = literal(layers, said, boxes, labels, ignore=2)
    assert (deltas != without).any(), "some boxes are not told that they are background"
    found = judge(said, CellMatch()(start, boxes, labels), CellCoder(), start)
    for name, key in (
        ("bbox_regression", "boxes"),
        ("objectness", "objectness"),
        ("classification", "classes"),
    ):
        assert found[name].item() == pytest.approx(costs[key], rel=1e-10) and costs[key] > 0
    offsets, logits, objectness = torch.autograd.grad(sum(found.values()), said[:3])
    gradient = torch.cat((offsets, objectness, logits), dim=2)
    assert (gradient * len(labels) + deltas).abs().max() < 1e-10


def test_a_box_is_background_up_to_the_overlap_that_is_ignored():
    found = torch.tensor([[[0.0, 0, 16, height] for height in (7, 8, 9)]])
    boxes, labels = torch.tensor([[[0.0, 0, 16, 16]]]), torch.full((1, 3), NOTHING)
    assigned = Assigned(labels, labels, boxes, found[0])
    assert is_free(found, assigned, 0.5).tolist() == [[True, True, False]]


def test_an_object_takes_the_anchor_of_its_shape_in_its_cell():
    boxes = torch.tensor([[[32.0, 32, 96, 64], [16, 16, 24, 25], [0, 0, 0, 0]]]).double()
    assigned = CellMatch()(ANCHORS, boxes, torch.tensor([[3, 1, NOTHING]]))
    taken = (assigned.labels[0] >= 0).nonzero().flatten().tolist()
    # Centre (64, 48) is the first corner of a cell of the finer map, and of a column of the coarse.
    assert taken == [(1 * 4 + 2) * 3 + 1, 36 + (1 * 8 + 1) * 3]
    assert assigned.labels[0, taken].tolist() == [3, 1]
    assert torch.equal(assigned.boxes[0, taken], boxes[0, :2])
    assert torch.equal(assigned.boxes[0, 0], ANCHORS[0, :4])


def test_of_objects_that_share_an_anchor_the_last_wins():
    boxes = torch.tensor([[[1.0, 1, 9, 10], [2, 2, 10, 11], [1, 1, 9, 10]]]).double()
    assigned = CellMatch()(ANCHORS, boxes, torch.tensor([[3, 1, NOTHING]]))
    assert assigned.labels.amax() == 1 and (assigned.labels >= 0).sum() == 1


def test_priors_stand_in_the_middle_of_their_cells():
    centres, sizes = centres_and_sizes(ANCHORS)
    cell_centres, cell_sizes = centres_and_sizes(ANCHORS[:, 4:])
    assert torch.equal(centres, cell_centres)
    assert sizes[:3].tolist() == [list(prior) for prior in PRIORS[0]]
    assert cell_sizes[:36].unique(dim=0).tolist() == [[32, 32]]
    assert cell_sizes[36:].unique(dim=0).tolist() == [[16, 16]]
    assert ANCHORS[36 + 3, 4:].tolist() == [16, 0, 32, 16], "columns run first"
    assert GRID.per_cell == (3, 3)
    uneven = BoxPriors((((40.0, 50.0),),))(((3, 3),), (100, 160))
    assert uneven[-1, 4:].tolist() == pytest.approx([320 / 3, 200 / 3, 160, 100])


def test_priors_in_cells_are_those_in_pixels():
    in_cells = tuple(
        tuple((w / side, h / side) for w, h in of_map)
        for of_map, side in zip(PRIORS, (32, 16), strict=True)
    )
    torch.testing.assert_close(BoxPriors(in_cells, "cells")(MAPS, SIZE).double(), ANCHORS)
    with pytest.raises(ContractError, match="1 sizes for 2 maps"):
        BoxPriors(PRIORS[:1])(MAPS, SIZE)
    with pytest.raises(ContractError, match="'feet'; this runtime knows pixels, cells"):
        BoxPriors(PRIORS, "feet")


def test_decoding_undoes_encoding():
    torch.manual_seed(0)
    offsets = torch.randn(2, len(ANCHORS), 4).double()
    coder = CellCoder()
    assert (coder.encode(coder.decode(offsets, ANCHORS), ANCHORS) - offsets).abs().max() < 1e-9
    still = coder.decode(torch.zeros_like(offsets), ANCHORS)
    assert torch.equal(still[0], ANCHORS[:, :4])
    beyond = coder.encode(ANCHORS[:1, :4] + torch.tensor([-32.0, 32, -32, 32]), ANCHORS[:1])
    assert beyond[0].tolist() == [-math.inf, math.inf, 0, 0]


def test_other_parts_take_the_same_anchors():
    """Boxes with cells are boxes to what is not made for cells."""
    _, boxes, labels = random_scene()
    plain = ANCHORS[:, :4]
    assert torch.equal(iou(boxes, ANCHORS), iou(boxes, plain))
    for ours, theirs in zip(
        IoUMatch()(ANCHORS, boxes, labels), IoUMatch()(plain, boxes, labels), strict=True
    ):
        assert torch.equal(ours, theirs)
    assigned = CellMatch()(ANCHORS, boxes, labels).boxes
    assert torch.equal(BoxCoder().encode(assigned, ANCHORS), BoxCoder().encode(assigned, plain))


def test_scores_are_darknets():
    """`get_yolo_detections`: objectness times the class's score, and nothing below the threshold."""
    torch.manual_seed(1)
    said, _, _ = random_scene(1)
    shares = YOLOv2Loss().scores(said) / said.confidence.sigmoid()
    torch.testing.assert_close(shares, said.logits.softmax(dim=2))
    scores = YOLOLoss().scores(said)
    boxes = CellCoder().decode(said.offsets, ANCHORS)
    expected = []
    for anchor in range(len(ANCHORS)):
        objectness = sigmoid(said.confidence[0, anchor, 0].item())
        for k in range(CLASSES):
            score = objectness * sigmoid(said.logits[0, anchor, k].item())
            assert scores[0, anchor, k].item() == pytest.approx(score, abs=1e-12)
            expected += [score] * (objectness > 0.6 and score > 0.6)
    found = NMS(score=0.6, per_class=len(ANCHORS), iou=1.0, keep=200)(boxes, scores)
    assert found.scores[0, : found.counts[0]].tolist() == pytest.approx(sorted(expected)[::-1])


@pytest.mark.parametrize("judge", JUDGES)
def test_a_batch_without_objects_has_finite_gradients(judge):
    said, boxes, labels = random_scene()
    losses = loss(said, torch.zeros_like(boxes), torch.full_like(labels, NOTHING), judge)
    assert losses["bbox_regression"] == losses["classification"] == 0 < losses["objectness"]
    gradients = torch.autograd.grad(sum(losses.values()), said[:3])
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("judge", JUDGES)
def test_an_object_at_the_corner_of_its_cell_has_finite_gradients(judge):
    said, _, _ = random_scene(1)
    losses = loss(said, torch.tensor([[[28.0, 28, 36, 36]]]).double(), torch.tensor([[2]]), judge)
    gradients = torch.autograd.grad(sum(losses.values()), said[:3])
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("judge", JUDGES)
def test_the_host_never_waits_and_operations_do_not_grow_with_the_batch(judge):
    counts = []
    for pictures in (2, 5):
        said, boxes, labels = random_scene(pictures)
        with Operations() as operations:
            sum(loss(said, boxes, labels, judge).values()).backward()
        assert operations.waits == []
        counts.append(len(operations.names))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("judge", JUDGES)
def test_compiles_as_one_graph(judge):
    torch.manual_seed(2)
    said, boxes, labels = random_scene()

    def run(*said):
        return loss(Predictions(*said), boxes, labels, judge)

    compiled = torch.compile(run, fullgraph=True, dynamic=False)
    for name, value in compiled(*said).items():
        torch.testing.assert_close(value, run(*said)[name])
