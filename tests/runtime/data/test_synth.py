"""The synthetic data set: repeatable, disjoint, varied, and truthful about its boxes."""

from pathlib import Path

import numpy as np

from specc_runtime.data import open_dataset, synth
from specc_runtime.data.scene import CLASSES, draw_scene


def test_is_a_clean_voc_data_set(shapes: Path) -> None:
    splits = [open_dataset(shapes, split) for split in ("train", "val", "test")]
    assert [len(split) for split in splits] == [28, 6, 6]
    for split in splits:
        assert split.classes == CLASSES and split.report.findings == {}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synth.write(tmp_path / name, images=3, size=(80, 80), seed=seed)
    contents = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in "abc"
    ]
    assert contents[0] == contents[1] and len(contents[0]) == 9
    images = [{v for k, v in files.items() if k.suffix == ".jpg"} for files in contents]
    assert len(images[0]) == 3
    assert not images[0] & images[2]


def test_larger_set_begins_with_the_smaller(tmp_path: Path) -> None:
    for images in (4, 8):
        synth.write(tmp_path / str(images), images=images, size=(80, 80))
    small, large = (tmp_path / str(images) / "JPEGImages" for images in (4, 8))
    for path in small.iterdir():
        assert path.read_bytes() == (large / path.name).read_bytes()


def test_sizes_classes_and_overlaps_vary() -> None:
    objects = [draw_scene(np.random.default_rng(number), (200, 240))[1] for number in range(60)]
    everything = [item for found in objects for item in found]
    sides = [max(x2 - x1, y2 - y1) for _, (x1, y1, x2, y2) in everything]
    assert max(sides) / min(sides) > 8
    counts = [sum(name == label for name, _ in everything) for label in CLASSES]
    assert min(counts) > 0.5 * max(counts)
    for _, (x1, y1, x2, y2) in everything:
        assert 0 <= x1 < x2 <= 240 and 0 <= y1 < y2 <= 200
    overlapping = sum(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for found in objects
        for at, (_, a) in enumerate(found)
        for _, b in found[:at]
    )
    assert overlapping > 30


def test_class_cannot_be_told_from_colour() -> None:
    """The mean colour at the middle of a class's boxes is about the same for all classes."""
    colours: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    for number in range(150):
        image, objects = draw_scene(np.random.default_rng(number), (160, 160))
        for name, (x1, y1, x2, y2) in objects:
            colours[name].append(image[(y1 + y2) // 2, (x1 + x2) // 2])
    means = np.array([np.mean(values, axis=0) for values in colours.values()])
    assert np.ptp(means, axis=0).max() < 35
