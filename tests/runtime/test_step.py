"""One step: what is not finite changes nothing, and a batch in parts is the batch."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from specc_runtime import losses, model
from specc_runtime.anchors import BoxPriors
from specc_runtime.boxes import KINDS as CODERS
from specc_runtime.matching import CenterSampling, IoUMatch
from specc_runtime.predictions import Predictions
from specc_runtime.step import OutOfMemory, Stepper, counted, read, shares

from .one_stage import CLASSES, MAPS, SIZE
from .operations import Operations
from .training import RECIPE, TINY, batch, trainer

torch.set_num_threads(1)

NAN, INF = float("nan"), float("inf")
PLAIN = replace(RECIPE, distort_colours=False)


def stepper(recipe=PLAIN, path=TINY, say=None, device="cpu") -> Stepper:
    torch.manual_seed(0)
    return Stepper(model.load(path).build().to(device), recipe, say or (lambda text: None))


def spoilt(made, value):
    return made._replace(boxes=made.boxes * value)


def state(steps: Stepper) -> list[torch.Tensor]:
    kept = [*steps.detector.state_dict().values()]
    kept += [v for s in steps.optimizer.state.values() for v in s.values()]
    return [value.clone() for value in kept if value.is_floating_point()]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("clip_norm", [None, 5.0])
@pytest.mark.parametrize("value", [NAN, INF])
def test_a_step_that_is_not_finite_changes_nothing(optimizer, clip_norm, value):
    steps = stepper(replace(PLAIN, optimizer=optimizer, clip_norm=clip_norm, lr=1e-3))
    steps(batch(0, 0), 0, 0, 1e-3)
    before = state(steps)
    average = [p.clone() for p in steps.scored.network.buffers() if p.is_floating_point()]
    taken = steps(spoilt(batch(0, 1), value), 0, 1, 1e-3)
    assert read([taken]) == [None]
    assert all(map(torch.equal, state(steps), before))
    after = [p for p in steps.scored.network.buffers() if p.is_floating_point()]
    assert all(map(torch.equal, after, average))
    taken = steps(batch(0, 2), 0, 2, 1e-3)
    assert read([taken])[0] is not None
    assert not torch.equal(state(steps)[0], before[0])


def test_images_that_are_not_finite_leave_the_running_statistics_alone():
    steps = stepper()
    steps.detector.normalise = lambda images: images.float() * NAN
    before = state(steps)
    assert read([steps(batch(0, 0), 0, 0, 1e-3)]) == [None]
    assert all(map(torch.equal, state(steps), before))


def test_a_gradient_that_is_not_finite_is_enough():
    steps = stepper()
    weight = steps.detector.network.loc[0].weight
    weight.register_hook(lambda gradient: gradient * INF)
    before = state(steps)
    taken = steps(batch(0, 0), 0, 0, 1e-3)
    assert all(value.isfinite() for value in taken.losses.values())
    assert read([taken]) == [None]
    assert all(map(torch.equal, state(steps), before))


def test_a_loss_that_is_not_finite_is_enough():
    steps = stepper()
    losses = steps.detector.losses
    steps.detector.losses = lambda *given, **how: {
        name: value + INF for name, value in losses(*given, **how).items()
    }
    before = state(steps)
    taken = steps(batch(0, 0), 0, 0, 1e-3)
    assert all(p.grad.isfinite().all() for p in steps.detector.parameters() if p.grad is not None)
    assert read([taken]) == [None]
    assert all(map(torch.equal, state(steps), before))


def test_the_randomness_of_a_step_follows_from_seed_and_step_and_of_colours_from_the_epoch():
    def lost(seed, epoch, number):
        steps = stepper(replace(recipe, seed=seed))
        return read([steps(batch(0, 0), epoch, number, 0.0)])[0]

    recipe = RECIPE
    first = lost(0, 1, 4)
    assert lost(0, 1, 4) == first != lost(0, 0, 4)
    recipe = PLAIN
    first = lost(0, 1, 4)
    assert lost(0, 1, 4) == lost(0, 0, 4) == first
    assert first not in (lost(1, 1, 4), lost(0, 1, 5))


def test_the_average_counts_the_steps_that_were_taken():
    steps = stepper()
    weight = steps.detector.network.loc[0].weight
    start = weight.detach().clone()
    steps(batch(0, 0), 0, 0, 0.1)
    average = steps.scored.network.loc[0].weight
    torch.testing.assert_close(average, start.lerp(weight, 1 - (1 + 1) / (10 + 1)))
    assert not torch.equal(weight, start)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_first_step_may_be_skipped(optimizer):
    recipe = replace(PLAIN, optimizer=optimizer)
    skipping, plain = stepper(recipe), stepper(recipe)
    skipping(spoilt(batch(0, 0), NAN), 0, 0, 1e-3)
    for number in (1, 2):
        for steps in (skipping, plain):
            steps(batch(0, number), 0, number, 1e-3)
    assert all(map(torch.equal, state(skipping), state(plain)))


@pytest.mark.parametrize("recipe", [PLAIN, replace(PLAIN, optimizer="adamw", clip_norm=1.0)])
def test_nothing_in_a_step_waits_for_the_device(recipe):
    steps = stepper(recipe)
    steps(batch(0, 0), 0, 0, 1e-3)
    made = batch(0, 1)
    with Operations() as operations:
        steps(made, 0, 1, 1e-3)
    assert operations.waits == []
    assert any("norm" in name for name in operations.names)


OLD = '{"kind": "MultiBoxLoss", "negatives_per_positive": 3.0}'
IN_PLACE = {
    "MultiBoxLoss": OLD,
    "OHEM": '{"kind": "OHEM", "examples": 64}',
    "FocalLoss": '{"kind": "FocalLoss"}',
    "EfficientDetLoss": '{"kind": "EfficientDetLoss"}',
}


@pytest.fixture(params=IN_PLACE)
def plain_model(request, tmp_path):
    """The tiny network without norms and dropout, with one loss or another."""
    text = TINY.read_text()
    for old, new in (
        ("nn.BatchNorm2d(8)", "nn.Identity()"),
        ("nn.Dropout2d(0.2)", "nn.Identity()"),
        (OLD, IN_PLACE[request.param]),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "plain.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("parts", [2, 3, 4])
def test_a_batch_in_parts_is_the_batch(plain_model, parts):
    whole = stepper(path=plain_model)
    split = stepper(replace(PLAIN, accumulate=parts), plain_model)
    for number in range(3):
        made = batch(0, number)
        made.labels[3] = -1  # a picture, and with four parts a part, without objects
        wanted, got = (read([s(made, 0, number, 0.01)])[0] for s in (whole, split))
        assert got == pytest.approx(wanted, rel=1e-5)
    for p, q in zip(whole.detector.parameters(), split.detector.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


ALL_DRAWN = {"RPNLoss": {"examples": 10**6, "positive": 1.0}}


@pytest.mark.parametrize("kind", losses.KINDS)
def test_the_shares_of_parts_make_up_every_loss(kind):
    torch.manual_seed(3)
    grid = BoxPriors(tuple(((side, side),) for side in (16.0, 32.0, 64.0, 96.0, 128.0)))
    anchors = grid(MAPS, SIZE)
    loss = losses.KINDS[kind](**ALL_DRAWN.get(kind, {}))
    match = CenterSampling() if kind == "FCOSLoss" else IoUMatch(0.4, 0.3)
    coder = {"FCOSLoss": "BoxLinearCoder", "YOLOLoss": "CellCoder", "YOLOv2Loss": "CellCoder"}.get(
        kind, "BoxCoder"
    )
    coder = CODERS[coder]()
    count = CLASSES + loss.background
    offsets, confidence = torch.rand(5, len(anchors), 4), torch.randn(5, len(anchors), 1)
    said = Predictions(offsets, torch.randn(5, len(anchors), count), confidence)
    labels = torch.randint(0, CLASSES, (5, 3))
    labels[0], labels[1, 1:] = -1, -1
    corner = torch.rand(5, 3, 2) * 60
    boxes = torch.cat((corner, corner + 10 + 60 * torch.rand(5, 3, 2)), dim=-1)

    def of(rows):
        assigned = match(anchors, boxes[rows], labels[rows])
        return loss(Predictions(*(value[rows] for value in said[:3])), assigned, coder, anchors)

    parts = [slice(0, 1), slice(1, 3), slice(3, 5)]
    detector = SimpleNamespace(anchors=anchors, match=match, criterion=loss)
    factors = shares(loss, counted(detector, [(boxes[p], labels[p]) for p in parts]))
    for name, whole in of(slice(0, 5)).items():
        together = sum(factor * of(p)[name] for factor, p in zip(factors, parts, strict=True))
        torch.testing.assert_close(together, whole, rtol=1e-5, atol=1e-6)


def with_memory_for(steps: Stepper, images: int) -> None:
    """Have the device's memory hold so many images at a time."""
    forward = steps._losses

    def bounded(*part):
        found = forward(*part)  # running statistics have changed by then
        if len(part[0]) > images:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return found

    steps._losses = bounded


def without_memory_to_distort(steps: Stepper, images: int) -> None:
    """Have the memory hold so many images at a time when they come to the device."""
    seen = steps._seen

    def bounded(part, epoch):
        if len(part.images) > images:
            torch.empty(2**60, dtype=torch.uint8)  # PyTorch says so itself, in words of its own
        return seen(part, epoch)

    steps._seen = bounded


def without_memory_to_match(steps: Stepper, images: int) -> None:
    """Have the memory hold so many images at a time when objects are matched with anchors."""
    match = steps.detector.match

    def bounded(anchors, boxes, labels):
        if len(boxes) > images:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return match(anchors, boxes, labels)

    steps.detector.match = bounded


@pytest.mark.parametrize(
    "bound", [with_memory_for, without_memory_to_distort, without_memory_to_match]
)
def test_without_memory_the_batch_is_halved_and_that_is_said_once(tmp_path, bound):
    short = trainer(tmp_path / "short")
    bound(short.take_step, 2)
    halved = trainer(tmp_path / "halved", replace(RECIPE, accumulate=2))
    assert short.fit() == halved.fit() == 0
    (told,) = [text for text in short.log.shown.said if "memory" in text]
    assert told.startswith("out of memory: from now on 4 images are computed in 2 parts;")
    assert short.log.shown.losses == halved.log.shown.losses
    assert all(map(torch.equal, state(short.take_step), state(halved.take_step)))
    again = trainer(tmp_path / "short")
    again.resume()
    assert again.take_step.parts == 2


def test_without_memory_for_one_image_the_run_ends(tmp_path):
    run = trainer(tmp_path)
    with_memory_for(run.take_step, 0)
    with pytest.raises(OutOfMemory, match="one image at a time"):
        run.fit()
    assert len(run.log.shown.said) == 2  # in 2 parts, in 4


@pytest.mark.gpu
@pytest.mark.parametrize("parts", [1, 2])
def test_steps_captured_as_graphs_are_the_steps(parts):
    """Losses are read behind all steps, so that one a later step wrote over would be noticed."""

    def run(compiled):
        recipe = replace(PLAIN, compile=compiled, accumulate=parts, clip_norm=5.0)
        steps = stepper(recipe, device="cuda")
        steps.detector.network.deeper[0].p = 0.0
        taken = [steps(batch(0, number), 0, number, 0.01) for number in range(6)]
        return read(taken), state(steps)

    (found, weights), (expected, wanted) = run("always"), run("never")
    for taken, others in zip(found, expected, strict=True):
        assert taken == pytest.approx(others, rel=1e-3)
    for value, other in zip(weights, wanted, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
def test_the_host_waits_for_no_captured_step():
    steps = stepper(replace(PLAIN, compile="always"), device="cuda")
    on_device = [
        made._replace(**{name: value.cuda() for name, value in made._asdict().items()})
        for made in (batch(0, number) for number in range(6))
    ]
    for number, made in enumerate(on_device[:4]):  # compiled, tried, captured
        steps(made, 0, number, 0.01)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for number, made in enumerate(on_device[4:], start=4):
            steps(made, 0, number, 0.01)
    finally:
        torch.cuda.set_sync_debug_mode("default")
