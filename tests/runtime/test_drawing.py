"""Drawings show what they are given, and files appear whole or not at all."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from specc_runtime.drawing import class_colour, contact_sheet, draw_detections, save_image

GREY = np.full((200, 300, 3), 128, dtype=np.uint8)


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_box_is_drawn_in_its_class_colour_on_a_copy() -> None:
    drawn = draw_detections(GREY, [[40, 60, 120, 150]], [1], [0.9], ("cat", "dog"))
    assert (GREY == 128).all()
    assert tuple(drawn[100, 40]) == tuple(drawn[150, 80]) == class_colour(1)
    assert tuple(drawn[100, 80]) == (128, 128, 128)
    changed = np.argwhere((drawn != 128).any(axis=2))
    assert changed.min(axis=0)[0] > 30 and changed.max(axis=0)[0] < 154


def test_label_has_a_ground_and_stays_in_the_image() -> None:
    for box in ([40, 60, 120, 150], [0, 0, 50, 50], [280, 100, 299, 140]):
        plain = draw_detections(GREY, [box], [0], None, ("a",))
        tagged = draw_detections(GREY, [box], [0], [0.987], ("elephant",))
        ground = (tagged == class_colour(0)).all(axis=2).sum()
        assert ground - (plain == class_colour(0)).all(axis=2).sum() > 300


def test_better_detection_is_drawn_over_the_worse() -> None:
    boxes = [[50, 50, 100, 100]] * 2
    drawn = draw_detections(GREY, boxes, [0, 1], [0.9, 0.2], ("cat", "dog"))
    assert tuple(drawn[100, 75]) == class_colour(0)


def test_nothing_to_draw_and_unknown_class() -> None:
    assert (draw_detections(GREY, np.zeros((0, 4)), [], [], ("cat",)) == GREY).all()
    with pytest.raises(IndexError):
        draw_detections(GREY, [[0, 0, 9, 9]], [3], [1.0], ("cat",))


def test_neighbouring_classes_differ() -> None:
    for label in range(40):
        difference = np.subtract(class_colour(label), class_colour(label + 1))
        assert np.abs(difference).sum() > 100


def test_contact_sheet_keeps_order_and_aspect() -> None:
    images = [np.full((20, 30, 3), value, dtype=np.uint8) for value in (10, 20, 30)]
    images.append(np.full((40, 20, 3), 40, dtype=np.uint8))
    sheet = contact_sheet(images, columns=3)
    assert sheet.shape == (2 * 24 + 4, 3 * 34 + 4, 3)
    assert [sheet[10, 34 * column + 10, 0] for column in range(3)] == [10, 20, 30]
    assert (sheet == 40).all(axis=2).sum() == 20 * 10


def test_saved_image_is_rgb_and_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_image(path, GREY)
    opened_before = path.open("rb")
    for colour in ((255, 0, 0), (1, 2, 3)):
        image = np.full((4, 5, 3), colour, dtype=np.uint8)
        save_image(path, image)
        np.testing.assert_array_equal(read(path), image)
    with opened_before:  # a reader of the old file goes on to see it whole
        old = cv2.imdecode(np.frombuffer(opened_before.read(), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(old, GREY)
    assert [found.name for found in tmp_path.iterdir()] == ["a.png"]


def test_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    save_image(path, GREY)

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        save_image(path, GREY // 2)
    np.testing.assert_array_equal(read(path), GREY)
    assert [found.name for found in tmp_path.iterdir()] == ["a.png"]
    with pytest.raises(ValueError, match="no image format"):
        save_image(tmp_path / "a.nothing", GREY)
