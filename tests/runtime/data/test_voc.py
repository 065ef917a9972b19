"""Each row of the tables in `specc_runtime.data.voc` and `scan`, and what the report says of it."""

from dataclasses import replace

import numpy as np
import pytest

from specc_runtime.data import DataError, Dataset, Fault, Limits, UnreadableImage, open_dataset

from .voc_folder import VocFolder, jpeg, picture, with_exif

ANY = Limits(left_out=1.0)


def opened(folder: VocFolder, limits: Limits = ANY) -> Dataset:
    return open_dataset(folder.root, "train", limits=limits)


def test_coordinates_are_one_based_and_inclusive(folder: VocFolder) -> None:
    folder.add("a", [("cat", (1, 1, 80, 60)), ("ant", (11, 21, 12, 40))])
    dataset = opened(folder)
    assert dataset.classes == ("ant", "cat")
    (sample,) = dataset.annotations
    np.testing.assert_array_equal(sample.boxes, [[0, 0, 80, 60], [10, 20, 12, 40]])
    np.testing.assert_array_equal(sample.labels, [1, 0])
    assert sample.boxes.dtype == np.float32 and sample.labels.dtype == np.int64
    assert dataset.report.findings == {}


@pytest.mark.parametrize(
    ("corners", "fault", "box"),
    [
        (("nan", 1, 5, 5), Fault.NOT_FINITE, None),
        ((1, 1, "inf", 5), Fault.NOT_FINITE, None),
        ((5, 5, 5, 9), Fault.EMPTY, None),
        ((5, 9, 8, 3), Fault.EMPTY, None),
        ((90, 5, 95, 9), Fault.OUTSIDE, None),
        ((-9, -9, 0, 5), Fault.OUTSIDE, None),
        ((71, 51, 1e9, 70), Fault.CLIPPED, [70, 50, 80, 60]),
        ((0, 0, 80, 60), None, [0, 0, 80, 60]),
    ],
)
def test_boxes(
    folder: VocFolder,
    corners: tuple[object, object, object, object],
    fault: Fault | None,
    box: list[float] | None,
) -> None:
    folder.add("a", [("cat", (2, 2, 9, 9)), ("cat", corners)])
    dataset = opened(folder)
    expected = [[1, 1, 9, 9]] + ([box] if box else [])
    np.testing.assert_array_equal(dataset.annotations[0].boxes, expected)
    assert {kind: found.count for kind, found in dataset.report.findings.items()} == (
        {fault: 1} if fault else {}
    )
    if fault:
        assert dataset.report.findings[fault].examples == ["a.xml object 1 (cat)"]


def test_an_annotation_may_not_be_larger_than_the_limit(folder: VocFolder) -> None:
    folder.add("a", [("cat", (2, 2, 9, 9))])
    folder.add("b")
    size = (folder.root / "Annotations/a.xml").stat().st_size
    assert len(opened(folder, replace(ANY, max_annotation_bytes=size)).annotations) == 2
    dataset = opened(folder, replace(ANY, max_annotation_bytes=size - 1))
    assert [found.path.stem for found in dataset.annotations] == ["b"]


def test_same_object_twice_is_taken_once(folder: VocFolder) -> None:
    folder.add("a", [("cat", (2, 2, 9, 9)), ("cat", (2, 2, 9, 9)), ("dog", (2, 2, 9, 9))])
    dataset = opened(folder)
    assert dataset.annotations[0].labels.tolist() == [0, 1]
    assert dataset.report.count(Fault.REPEATED_BOX) == 1


def test_difficult_and_parts(folder: VocFolder) -> None:
    part = "<difficult>1</difficult><part><name>head</name></part>"
    folder.add("a", [("cat", (2, 2, 9, 9))], extra=part)
    dataset = opened(folder)
    assert dataset.classes == ("cat",)
    assert dataset.annotations[0].difficult.tolist() == [True]
    assert dataset.report.difficult == 1


def test_unknown_class_names_file_and_object(folder: VocFolder) -> None:
    folder.add("a", [("cat", (2, 2, 9, 9)), ("dgo", (2, 2, 9, 9))])
    with pytest.raises(DataError, match=r"a\.xml object 1 \(dgo\): not one of cat, dog"):
        open_dataset(folder.root, "train", classes=("cat", "dog"))


def test_classes_are_those_of_the_whole_root(folder: VocFolder) -> None:
    folder.add("a", [("cat", (2, 2, 9, 9))])
    folder.add("b", [("ant", (2, 2, 9, 9))])
    folder.list("a")
    dataset = opened(folder)
    assert dataset.classes == ("ant", "cat")
    assert len(dataset) == 1 and dataset.annotations[0].labels.tolist() == [1]


BOMB = '<!DOCTYPE a [<!ENTITY b "cc">]><annotation><object><name>&b;</name></object></annotation>'
PNG_OF_NO_SIZE = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        ({"xml": "<annotation><object>"}, Fault.BAD_ANNOTATION),
        ({"xml": BOMB}, Fault.BAD_ANNOTATION),
        ({"xml": "<annotation>" + " " * 5000 + "</annotation>"}, Fault.BAD_ANNOTATION),
        ({"xml": "<annotation><object/></annotation>"}, Fault.BAD_ANNOTATION),
        ({"xml": "<html><body>Not found</body></html>"}, Fault.BAD_ANNOTATION),
        ({"entries": [("cat", ("four", 1, 5, 5))]}, Fault.BAD_ANNOTATION),
        ({"image": b"GIF89a"}, Fault.BAD_IMAGE),
        ({"image": b""}, Fault.BAD_IMAGE),
        ({"image": PNG_OF_NO_SIZE}, Fault.BAD_IMAGE),
        ({"image": jpeg(picture(60, 80))[:100]}, Fault.BAD_IMAGE),
        ({"image": jpeg(picture(200, 80))}, Fault.BAD_IMAGE),
        ({"image": jpeg(picture(60, 90))}, Fault.OTHER_SHAPE),
    ],
)
def test_bad_sample_is_left_out(folder: VocFolder, spoil: dict[str, str], fault: Fault) -> None:
    folder.add("good", [("cat", (2, 2, 9, 9))])
    folder.add("bad", **{"entries": [("cat", (2, 2, 9, 9))], **spoil})
    limits = Limits(max_pixels=10_000, max_annotation_bytes=4000, left_out=0.5)
    dataset = opened(folder, limits)
    assert [sample.path.stem for sample in dataset.annotations] == ["good"]
    assert {kind: found.count for kind, found in dataset.report.findings.items()} == {fault: 1}
    assert dataset.report.findings[fault].examples[0].startswith("bad.")


def test_doctype_is_named_as_the_reason(folder: VocFolder) -> None:
    folder.add("good")
    folder.add("bad", xml=BOMB)
    assert "DOCTYPE" in opened(folder).report.table()


def test_missing_files_and_repeated_ids(folder: VocFolder) -> None:
    folder.add("good")
    folder.add("no_image")
    (folder.root / "JPEGImages/no_image.jpg").unlink()
    folder.list("good", "no_image", "no_xml", "good", "")
    report = opened(folder).report
    assert report.images == 1
    assert report.count(Fault.NO_IMAGE) == report.count(Fault.NO_ANNOTATION) == 1
    assert report.findings[Fault.REPEATED_ID].examples == ["train.txt:4 good"]
    assert report.left_out == 2


def test_too_many_left_out(folder: VocFolder) -> None:
    for number in range(38):
        folder.add(f"good{number:02}")
    folder.add("bad1", xml="<")
    folder.add("bad2", xml="<")
    assert len(opened(folder, Limits())) == 38
    folder.list(*(f"good{number:02}" for number in range(37)), "bad1", "bad2")
    with pytest.raises(
        DataError, match=r"2 of the 39 samples cannot be used, and 5% or one may be(.|\n)*bad1\.xml"
    ):
        opened(folder, Limits())


@pytest.mark.parametrize("good", [1, 3, 18])
def test_one_left_out_is_borne_in_a_split_of_any_size(folder: VocFolder, good: int) -> None:
    for number in range(good):
        folder.add(f"good{number:02}")
    folder.add("bad1", xml="<")
    assert len(opened(folder, Limits())) == good
    folder.add("bad2", xml="<")
    with pytest.raises(DataError, match=f"2 of the {good + 2} samples cannot be used"):
        opened(folder, Limits())


def test_nothing_usable(folder: VocFolder) -> None:
    folder.add("bad", xml="<")
    with pytest.raises(DataError, match="no usable image"):
        opened(folder)


def test_splits(folder: VocFolder) -> None:
    folder.add("a")
    with pytest.raises(DataError, match=r"no such split \(there: train\)"):
        open_dataset(folder.root, "trian")
    for name in ("../../secret", "..\\secret"):
        folder.list(name)
        with pytest.raises(DataError, match=r"train\.txt:1: .* is a path"):
            opened(folder)


TALL = (80, 60)
WIDE = (60, 80)


@pytest.mark.parametrize(
    ("orientation", "annotated", "decoded", "box", "fault"),
    [
        (1, WIDE, WIDE, [10, 20, 30, 40], None),
        (1, None, WIDE, [10, 20, 30, 40], None),
        (1, TALL, WIDE, [10, 20, 30, 40], None),  # width and height in the wrong order
        (6, TALL, TALL, [10, 20, 30, 40], None),  # annotated as shown
        (6, WIDE, WIDE, [10, 20, 30, 40], None),  # annotated as stored
        (6, None, TALL, [10, 20, 30, 40], None),
        (1, (120, 160), WIDE, [5, 10, 15, 20], Fault.OTHER_SIZE),
        (6, (160, 120), TALL, [5, 10, 15, 20], Fault.OTHER_SIZE),
    ],
)
def test_orientation_and_size(
    folder: VocFolder,
    orientation: int,
    annotated: tuple[int, int] | None,
    decoded: tuple[int, int],
    box: list[float],
    fault: Fault | None,
) -> None:
    stored = picture(*WIDE)
    data = with_exif(jpeg(stored), orientation)
    folder.add("a", [("cat", (11, 21, 30, 40))], image=data, size=annotated)
    dataset = opened(folder)
    (sample,) = dataset.annotations
    assert (sample.height, sample.width) == decoded
    np.testing.assert_array_equal(sample.boxes, [box])
    assert [found for found in dataset.report.findings if found.bad] == ([fault] if fault else [])
    turned = {TALL: Fault.TURNED, WIDE: Fault.NOT_TURNED}[decoded]
    assert dataset.report.count(turned) == (orientation != 1)
    expected = np.rot90(stored, -1) if decoded == TALL else stored
    assert np.abs(dataset.image(0).astype(int) - expected).mean() < 4


def test_half_turn_is_applied_though_sizes_agree(folder: VocFolder) -> None:
    stored = picture(*WIDE)
    folder.add("a", image=with_exif(jpeg(stored), 3))
    assert np.abs(opened(folder).image(0).astype(int) - np.rot90(stored, 2)).mean() < 4


def test_image_changed_since_the_scan(folder: VocFolder) -> None:
    folder.add("a")
    dataset = opened(folder)
    (folder.root / "JPEGImages/a.jpg").write_bytes(jpeg(picture(50, 50)))
    with pytest.raises(UnreadableImage, match="changed"):
        dataset.image(0)


def test_report_reads_as_a_table(folder: VocFolder) -> None:
    folder.add("a", [("cat", (5, 5, 5, number)) for number in range(6, 10)])
    assert opened(folder).report.table().splitlines() == [
        "train: 1 images, 0 boxes",
        "      4  box without area: box dropped",
        "         a.xml object 0 (cat), a.xml object 1 (cat), a.xml object 2 (cat), ...",
    ]
