"""A view shows pixels and boxes at the same places, whatever it does."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from specc_runtime.data.images import decode
from specc_runtime.data.view import View

from .voc_folder import jpeg, picture

FILL = (123, 117, 104)


@given(
    x=st.tuples(st.floats(-150, 30), st.floats(100, 300)),
    y=st.tuples(st.floats(-150, 20), st.floats(80, 300)),
    box=st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(30, 80), st.integers(30, 60)),
    flip=st.booleans(),
)
def test_a_painted_box_is_found_where_it_is_said_to_be(
    x: tuple[float, float], y: tuple[float, float], box: tuple[int, int, int, int], flip: bool
) -> None:
    """Paint a box white, render, and compare the bright area with the box that `place` gives."""
    left, top, width, height = box
    image = np.zeros((110, 150, 3), dtype=np.uint8)
    image[top : top + height, left : left + width] = 255
    view = View(x[0], y[0], x[1], y[1], flip)
    drawn = np.array([[left, top, left + width, top + height]], dtype=np.float32)
    placed, kept = view.place(drawn, (300, 300), 1.0)
    assume(kept.all())
    bright = view.render(image, (300, 300), (0, 0, 0))[..., 0] > 127
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    magnified = max(300 / (x[1] - x[0]), 300 / (y[1] - y[0]), 1.0)
    np.testing.assert_allclose(found, placed[0], atol=1.5 + 0.5 * magnified)


@pytest.mark.parametrize("size", [(300, 300), (200, 260), (90, 150), (40, 31)])
def test_whole_view_is_a_plain_resize(size: tuple[int, int]) -> None:
    image = picture(180, 300)
    expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).astype(int)
    shown = View.whole(180, 300).render(image, size, FILL)
    assert shown.shape == (*size, 3) and shown.dtype == np.uint8
    assert np.abs(shown - expected).mean() < 1.0
    assert np.abs(shown - expected).max() < 8


def test_shrinking_averages_instead_of_skipping() -> None:
    """A checkerboard of single pixels comes out grey; plain bilinear sampling gives stripes."""
    board = (np.indices((240, 240)).sum(axis=0) % 2 * 255).astype(np.uint8)
    shown = View.whole(240, 240).render(np.dstack([board] * 3), (50, 50), FILL)
    assert np.abs(shown.astype(int) - 127).max() < 30


@pytest.mark.parametrize(
    ("view", "shrink"),
    [
        (View(0, 0, 1283, 905), 8),
        (View(-700, -90, 2000, 1700, flip=True), 8),
        (View(101.5, 77.3, 1101, 877, flip=True), 4),
        (View(600, 300, 1100, 900), 4),
        (View(600, 300, 1100, 540), 2),
        (View(600, 300, 700, 400), 1),
    ],
)
def test_a_shrunk_jpeg_shows_the_same(tmp_path: Path, view: View, shrink: int) -> None:
    image = picture(905, 1283)
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(image))
    size = (110, 120)
    assert view.shrink(size) == shrink
    whole = view.render(image, size, FILL).astype(int)
    shown = view.render(decode(path, shrink=shrink), size, FILL, shrink)
    inner = (slice(2, -2), slice(2, -2))
    assert np.abs(shown - whole).mean() < 2.5
    assert np.abs(cv2.GaussianBlur((shown - whole).astype(np.float32), (0, 0), 3)[inner]).max() < 20


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("x1", [-400.0, -33.3, 0.0, 20.0])
def test_only_what_is_seen_is_warped(x1: float, flip: bool) -> None:
    """The parts of source and result that are left aside change nothing: against one plain warp."""
    image = picture(200, 240, seed=3)
    view = View(x1, x1 / 2, x1 + 700, x1 / 2 + 400, flip) if x1 < 0 else View(x1, 5, 220, 190, flip)
    size = (350, 500)
    across, down = (view.x2 - view.x1) / size[1], (view.y2 - view.y1) / size[0]
    to_source = np.array(
        [[across, 0, view.x1 + across / 2 - 0.5], [0, down, view.y1 + down / 2 - 0.5]]
    )
    border = cv2.BORDER_CONSTANT if x1 < 0 else cv2.BORDER_REPLICATE
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    plain = cv2.warpAffine(
        image, to_source, size[::-1], flags=flags, borderMode=border, borderValue=FILL
    )
    shown = view.render(image, size, FILL)
    expected = plain[:, ::-1] if flip else plain
    assert np.abs(shown.astype(int) - expected).max() <= 8  # sub-pixel steps of 1/32
    assert np.abs(shown.astype(int) - expected).mean() < 0.2


def test_flip_mirrors_pixels_and_boxes() -> None:
    image = picture(100, 100)
    plain, flipped = (View(0, 0, 100, 100, flip).render(image, (100, 100), FILL) for flip in (0, 1))
    np.testing.assert_array_equal(flipped, plain[:, ::-1])
    boxes, _ = View(0, 0, 100, 100, True).place(np.array([[10, 20, 30, 50.0]]), (100, 100), 1.0)
    np.testing.assert_array_equal(boxes, [[70, 20, 90, 50]])


def test_outside_is_filled() -> None:
    shown = View(-100, 0, 100, 100).render(np.zeros((100, 100, 3), np.uint8), (50, 50), FILL)
    assert (shown[:, :24] == FILL).all()
    assert (shown[:, 26:] == 0).all()


def test_boxes_are_kept_by_centre_and_size() -> None:
    boxes = np.array(
        [
            [0, 0, 60, 60],  # centre inside, clipped
            [0, 0, 19, 19],  # centre outside
            [15, 15, 25, 25],  # centre on the edge
            [30, 30, 30.4, 50],  # less than a pixel wide
        ]
    )
    placed, kept = View(20, 20, 120, 120).place(boxes, (200, 200), min_side=1.0)
    assert kept.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(placed, [[0, 0, 80, 80]])
    assert placed.dtype == np.float32


def test_no_boxes() -> None:
    placed, kept = View.whole(10, 10).place(np.zeros((0, 4), np.float32), (20, 20), 1.0)
    assert placed.shape == (0, 4) and kept.shape == (0,)
