"""Detection looks closely at few anchors: it finds what a look at all of them finds."""

from types import SimpleNamespace

import pytest
import torch
from torchvision.ops import nms

from specc_runtime import losses
from specc_runtime.boxes import BoxCoder, clip
from specc_runtime.decode import NMS, LevelNMS, TopNMS
from specc_runtime.detector import Detector
from specc_runtime.losses.scores import greatest
from specc_runtime.predictions import Predictions, take

from .one_stage import MAPS, RETINANET, SIZE, levels

torch.set_num_threads(1)

START = RETINANET(MAPS, SIZE).double()
LEVELS = levels(RETINANET)
CODER = BoxCoder()


def random_predictions(seed, background=0.0):
    """What a network of 6 outputs says of 3 pictures, of the last one little."""
    torch.manual_seed(seed)
    logits = torch.randn(3, len(START), 6, dtype=torch.float64) * 3
    logits[..., 0] += background
    logits[2] -= 12
    confidence = torch.randn(3, len(START), 1, dtype=torch.float64)
    return Predictions(torch.randn(3, len(START), 4, dtype=torch.float64), logits, confidence)


def detect(said, loss, select):
    """`Detector.detect`, without the network."""
    parts = {"criterion": loss, "select": select, "coder": CODER, "anchors": START}
    rest = {"levels": LEVELS, "input": SimpleNamespace(size=SIZE)}
    return Detector.detect(SimpleNamespace(**parts, **rest), said)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("background", [0.0, 8.0])
@pytest.mark.parametrize(
    "kind", ["MultiBoxLoss", "FocalLoss", "FCOSLoss", "YOLOLoss", "YOLOv2Loss"]
)
@pytest.mark.parametrize(
    "select",
    [
        NMS(score=0.3, per_class=30, keep=40),
        NMS(score=0.01, per_class=400, keep=5),
        LevelNMS(score=0.3, per_map=50, keep=40),
        LevelNMS(score=0.05, per_map=1000, keep=300),
        TopNMS(score=0.0, best=100, keep=20),
    ],
)
def test_few_anchors_give_what_all_anchors_give(select, kind, background, seed):
    said, loss = random_predictions(seed, background), losses.KINDS[kind]()
    found = detect(said, loss, select)
    boxes = clip(CODER.decode(said.offsets, START), SIZE)
    expected = select(boxes, loss.scores(said), LEVELS)
    assert found.counts[0] > 0
    assert torch.equal(found.counts, expected.counts)
    assert torch.equal(found.labels, expected.labels)
    torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.boxes, expected.boxes, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", losses.KINDS)
def test_the_best_score_is_the_best_classs(kind):
    said, loss = random_predictions(3), losses.KINDS[kind]()
    best = loss.scores(said).amax(dim=2)
    torch.testing.assert_close(loss.best(said), best, rtol=0, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 4, 21])
def test_a_class_that_may_beat_the_background_is_found_wherever_it_stands(classes):
    likely = 1 + torch.arange(60) % (classes - 1)
    logits = torch.randn(1, 60, classes, dtype=torch.float64)
    logits[..., 0] += 12
    logits[0, ::7].scatter_(1, likely[::7, None], 12.0)
    said, loss = Predictions(torch.zeros(1, 60, 4), logits), losses.MultiBoxLoss()
    found, expected = loss.best(said, 0.01), loss.scores(said).amax(dim=2)
    assert found.nonzero()[:, 1].tolist() == list(range(0, 60, 7))
    torch.testing.assert_close(found, torch.where(expected > 0.01, expected, 0.0))


@pytest.mark.parametrize(
    ("select", "most"), [(NMS(score=0.5, keep=10), 20), (LevelNMS(per_map=7, keep=20), 7)]
)
def test_few_anchors_are_looked_at_where_enough_of_the_best_stay(select, most):
    torch.manual_seed(0)
    corners, scores = torch.rand(2, len(START), 2) * 5000, torch.rand(2, len(START), 5)
    boxes = torch.cat((corners, corners + 2), dim=2)
    asked = []

    def scores_at(at):
        asked.append(at.shape[1])
        return take(scores, at)

    select.among(scores.amax(dim=2), scores_at, lambda at, _: take(boxes, at), LEVELS)
    whole = [] if most > select.keep else [min(most, level) for level in LEVELS]
    assert asked == [most, *whole]


@pytest.mark.parametrize("kind", ["FocalLoss", "FCOSLoss"])
@pytest.mark.parametrize("busy", [0, 1, 2])
def test_a_picture_without_objects_finds_none_beside_one_with_many(kind, busy):
    said, loss, select = random_predictions(1), losses.KINDS[kind](), LevelNMS(per_map=20)
    quiet = [picture for picture in range(3) if picture != busy]
    said.logits[quiet] = -40.0
    said.logits[busy, : LEVELS[0]] = -40.0  # nor does the busy one on its first map
    found = detect(said, loss, select)
    assert found.counts[quiet].tolist() == [0, 0] and found.counts[busy] > 0
    alone = detect(Predictions(*(value[[busy]] for value in said[:3])), loss, select)
    for mine, its in zip(found.of(busy), alone.of(0), strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=1e-12)


@pytest.mark.parametrize("classes", [1, 7, 64, 91])
@pytest.mark.parametrize("some", [0.0, 0.002, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_greatest_logits_are_found_where_they_are_above_what_is_asked(classes, some, dtype):
    torch.manual_seed(classes)
    logits = torch.randn(3, 500, classes, dtype=dtype)
    logits += 20 * (torch.rand(logits.shape) < some)
    logits[0, 0, 0] = logits[2, -1, -1] = 30.0
    found, expected = greatest(logits, 10.0), logits.amax(dim=2)
    above = expected > 10.0
    assert above.sum() >= 2
    assert torch.equal(found[above], expected[above])
    assert (found <= expected).all()
    assert torch.equal(greatest(logits, -torch.inf), expected)


@pytest.mark.parametrize("kind", losses.KINDS)
@pytest.mark.parametrize("least", [0.0, 0.3, 1.0])
def test_the_best_scores_are_exact_above_what_is_asked(kind, least):
    said, loss = random_predictions(4, background=-6.0), losses.KINDS[kind]()
    said.logits[:2] -= 9.0
    best = loss.scores(said).amax(dim=2)
    found = loss.best(said, least)
    above = best > least
    torch.testing.assert_close(found[above], best[above], rtol=0, atol=1e-12)
    assert (found[~above] <= least + 1e-12).all()


@pytest.mark.parametrize("best", [30, 70])
def test_where_the_best_cover_each_other_the_others_are_settled_too(best):
    # They lie on one another, so two times what is kept does not suffice, nor six times.
    torch.manual_seed(0)
    corner = torch.cat((torch.rand(best, 2), torch.rand(60, 2) * 500), dim=0)
    boxes, scores = torch.cat((corner, corner + 20), dim=1), torch.linspace(0.9, 0.1, best + 60)
    expected = nms(boxes, scores, 0.45)[:10]
    assert expected[1] >= best
    for select in (NMS(keep=10), LevelNMS(keep=10, iou=0.45), TopNMS(keep=10, iou=0.45)):
        found = select(boxes[None], scores[None, :, None], (best + 60,))
        assert torch.equal(found.boxes[0], boxes[expected])
