"""SSD's augmentation: what every draw promises, and the distribution, against torchvision's."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from specc_runtime import model
from specc_runtime.data import SSDAugmentation
from specc_runtime.data.draws import Purpose, generator

ROOT = Path(__file__).parents[3]

HEIGHT, WIDTH = 300, 400
OUTPUT = 300
DRAWS = 600


def scene(number: int) -> np.ndarray:
    """One to eight boxes of very different sizes: float32 [N, 4]."""
    rng = np.random.default_rng(number)
    count = int(rng.integers(1, 9))
    sides = np.exp(rng.uniform(np.log(0.05), np.log(0.8), (count, 2))) * (WIDTH, HEIGHT)
    start = rng.random((count, 2)) * ((WIDTH, HEIGHT) - sides)
    return np.concatenate([start, start + sides], axis=1).astype(np.float32)


def ours() -> tuple[np.ndarray, ...]:
    """Per draw: area and aspect of the window, boxes kept, place of the first; all log areas."""
    areas, aspects, counts, places, sizes = [], [], [], [], []
    for number in range(DRAWS):
        boxes = scene(number)
        rng = generator(Purpose.GEOMETRY, 1, 0, number)
        view = SSDAugmentation().draw(rng, boxes, HEIGHT, WIDTH)
        placed, _ = view.place(boxes, (OUTPUT, OUTPUT), 1.0)
        areas.append((view.x2 - view.x1) * (view.y2 - view.y1) / (HEIGHT * WIDTH))
        aspects.append(round((view.x2 - view.x1) / (view.y2 - view.y1) * HEIGHT / WIDTH, 1))
        counts.append(len(placed))
        places.extend(placed[:1, ::2].mean(axis=1))
        sizes.append(np.log(np.prod(placed[:, 2:] - placed[:, :2], axis=1)))
    return *map(np.array, (areas, aspects, counts, places)), np.concatenate(sizes)


def torchvisions() -> tuple[np.ndarray, ...]:
    """The same of torchvision's reference pipeline for SSD; the pixels are not followed."""
    geometry = v2.Compose([v2.RandomZoomOut(), v2.RandomIoUCrop(), v2.RandomHorizontalFlip()])
    finish = v2.Compose([v2.Resize((OUTPUT, OUTPUT)), v2.SanitizeBoundingBoxes(labels_getter=None)])
    image = tv_tensors.Image(torch.zeros(1, HEIGHT, WIDTH, dtype=torch.uint8))
    areas, aspects, counts, places, sizes = [], [], [], [], []
    torch.manual_seed(0)
    for number in range(DRAWS):
        boxes = tv_tensors.BoundingBoxes(
            torch.from_numpy(scene(number)), format="XYXY", canvas_size=(HEIGHT, WIDTH)
        )
        _, boxes = geometry(image, boxes)
        height, width = boxes.canvas_size
        areas.append(height * width / (HEIGHT * WIDTH))
        aspects.append(round(width / height * HEIGHT / WIDTH, 1))  # whole pixels, ours are not
        placed = finish(boxes).numpy()
        counts.append(len(placed))
        places.extend(placed[:1, ::2].mean(axis=1))
        sizes.append(np.log(np.prod(placed[:, 2:] - placed[:, :2], axis=1)))
    return *map(np.array, (areas, aspects, counts, places)), np.concatenate(sizes)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Kolmogorov-Smirnov: the greatest difference of the two cumulative distributions."""
    points = np.sort(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(values), points, "right") / len(values) for values in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


@pytest.fixture(scope="module")
def both() -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(ours(), torchvisions(), strict=True))


def critical(a: np.ndarray, b: np.ndarray) -> float:
    """The distance that two samples of one distribution exceed once in a thousand times."""
    return 1.95 * float(np.sqrt((len(a) + len(b)) / (len(a) * len(b))))


@pytest.mark.parametrize(
    "quantity",
    range(5),
    ids=["window area", "window aspect", "boxes kept", "place across", "box sizes"],
)
def test_distribution_is_torchvisions(
    both: list[tuple[np.ndarray, np.ndarray]], quantity: int
) -> None:
    a, b = both[quantity]
    assert distance(a, b) < critical(a, b)
    assert a.mean() == pytest.approx(b.mean(), rel=0.06)


def test_the_comparison_would_notice(both: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """A zoom of up to 2.5 instead of 4 is beyond the bound."""
    areas = []
    for number in range(DRAWS):
        rng = generator(Purpose.GEOMETRY, 1, 0, number)
        view = SSDAugmentation(zoom_out=2.5).draw(rng, scene(number), HEIGHT, WIDTH)
        areas.append((view.x2 - view.x1) * (view.y2 - view.y1) / (HEIGHT * WIDTH))
    theirs = both[0][1]
    assert distance(np.array(areas), theirs) > critical(np.array(areas), theirs)


def test_half_are_mirrored_as_torchvisions() -> None:
    flips = [
        SSDAugmentation().draw(generator(Purpose.GEOMETRY, 1, 0, n), scene(n), HEIGHT, WIDTH).flip
        for n in range(DRAWS)
    ]
    still = tv_tensors.BoundingBoxes(
        torch.tensor([[0.0, 0, 1, 1]]), format="XYXY", canvas_size=(9, 9)
    )
    torch.manual_seed(0)
    flip = v2.RandomHorizontalFlip()
    theirs = [bool(flip(still)[0, 0]) for _ in range(DRAWS)]
    assert np.mean(flips) == pytest.approx(np.mean(theirs), abs=3.3 * (0.5 / DRAWS) ** 0.5)


def test_every_patch_keeps_an_object_and_its_shape() -> None:
    for number in range(300):
        boxes = scene(number)
        rng = generator(Purpose.GEOMETRY, 2, 0, number)
        view = SSDAugmentation(zoom_probability=0).draw(rng, boxes, HEIGHT, WIDTH)
        width, height = view.x2 - view.x1, view.y2 - view.y1
        assert 0 <= view.x1 and view.x2 <= WIDTH and 0 <= view.y1 and view.y2 <= HEIGHT
        assert 0.3 * WIDTH <= width and 0.3 * HEIGHT <= height
        assert (width, height) == (WIDTH, HEIGHT) or 0.5 <= width / height <= 2
        assert view.place(boxes, (OUTPUT, OUTPUT), 0.0)[1].any()


def test_zoomed_out_window_holds_the_image() -> None:
    still = SSDAugmentation(zoom_probability=1.0, overlaps=(1.0,))
    for number in range(100):
        rng = generator(Purpose.GEOMETRY, 3, 0, number)
        view = still.draw(rng, scene(number), HEIGHT, WIDTH)
        assert view.x1 <= 0 and view.y1 <= 0 and view.x2 >= WIDTH and view.y2 >= HEIGHT
        assert (view.x2 - view.x1) / WIDTH == pytest.approx((view.y2 - view.y1) / HEIGHT)
        assert (view.x2 - view.x1) / WIDTH <= 4


def test_around_a_zoomed_out_image_lies_what_ssd_sees_as_zero() -> None:
    literal = model.load(ROOT / "generated/ssd300_vgg.py").literal
    assert list(SSDAugmentation().fill) == literal["input"]["mean"]


def test_image_without_objects_is_not_cropped() -> None:
    rng = generator(Purpose.GEOMETRY, 0, 0, 0)
    augmentation = SSDAugmentation(zoom_probability=0, flip_probability=0)
    view = augmentation.draw(rng, np.zeros((0, 4), np.float32), HEIGHT, WIDTH)
    assert (view.x1, view.y1, view.x2, view.y2) == (0, 0, WIDTH, HEIGHT)


def test_overlaps_without_the_whole_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have 1\.0"):
        SSDAugmentation(overlaps=(0.5,))
