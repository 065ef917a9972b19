"""COCO, YOLO and CSV: what is read, what is refused, and which layout is recognised."""

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from specc.documents import Findings
from specc_runtime.data import DataError, Dataset, Fault, Limits, open_dataset
from specc_runtime.data.layout import locate

from . import formats

ANY = Limits(left_out=1.0)
CAT = [10, 20, 40, 35]


def opened(root: Path, limits: Limits = ANY) -> Dataset:
    return open_dataset(root, "train", limits=limits)


def faults(dataset: Dataset) -> dict[Fault, int]:
    return {fault: found.count for fault, found in dataset.report.findings.items() if fault.bad}


def changed(**changes: object) -> dict[str, object]:
    return {**deepcopy(formats.ONE_IMAGE), **changes}


@pytest.mark.parametrize("kind", ["coco", "yolo", "csv"])
def test_the_same_object_in_every_format(tmp_path: Path, kind: str) -> None:
    if kind == "coco":
        root = formats.coco(tmp_path)
    elif kind == "yolo":
        root = formats.yolo(tmp_path, "1 0.3125 0.458333333333 0.375 0.25\n", "{0: cat, 1: ant}")
        root = formats.yolo(tmp_path, "0 0.3125 0.458333333333 0.375 0.25\n", "{1: ant, 0: cat}")
    else:
        root = formats.table(tmp_path, "a.jpg,10,20,40,35,cat\na.jpg,1,1,9,9,ant\n")
    dataset = opened(root)
    (sample,) = dataset.annotations
    at = dataset.classes.index("cat")
    assert set(dataset.classes) == {"ant", "cat"}
    np.testing.assert_allclose(sample.boxes[sample.labels == at], [CAT], atol=1e-5)
    assert (sample.height, sample.width) == (60, 80) and faults(dataset) == {}


def test_coco_as_pycocotools_reads_it(tmp_path: Path) -> None:
    root = formats.coco(tmp_path)
    dataset = opened(root)
    theirs = COCO(str(root / "annotations/instances_train.json"))
    assert dataset.classes == tuple(c["name"] for c in theirs.loadCats(sorted(theirs.getCatIds())))
    (found,) = theirs.loadAnns(theirs.getAnnIds(imgIds=7))
    x, y, width, height = found["bbox"]
    np.testing.assert_array_equal(dataset.annotations[0].boxes, [[x, y, x + width, y + height]])


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ("images", "annotations/instances_train.json"),
        ("train", "annotations/instances_train.json"),
        ("images/train", "annotations/instances_train.json"),
        ("train", "train/_annotations.coco.json"),
    ],
)
def test_where_images_lie_beside_coco(tmp_path: Path, images: str, annotations: str) -> None:
    place = formats.image(tmp_path / images / "a.jpg")
    formats.put(tmp_path / annotations, json.dumps(formats.ONE_IMAGE))
    (sample,) = opened(tmp_path).annotations
    assert sample.path == place


def test_other_splits_are_looked_at_where_there_are_no_usual_ones(tmp_path: Path) -> None:
    for split in ("extra", "more"):
        formats.put(tmp_path / f"annotations/instances_{split}.json", "{}")
    assert locate(tmp_path).splits == ("extra", "more")
    formats.put(tmp_path / "annotations/instances_val.json", "{}")
    formats.coco(tmp_path)
    assert locate(tmp_path).splits == ("train", "val")


def test_coco_crowds_are_difficult(tmp_path: Path) -> None:
    (crowd,) = changed()["annotations"]
    dataset = opened(formats.coco(tmp_path, changed(annotations=[{**crowd, "iscrowd": 1}])))
    assert dataset.annotations[0].difficult.tolist() == [True]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"bbox": [10, 20, 30]}, Fault.BAD_OBJECT),
        ({"bbox": ["ten", 20, 30, 5]}, Fault.BAD_OBJECT),
        ({"bbox": None}, Fault.BAD_OBJECT),
        ({"bbox": [10**400, 20, 30, 5]}, Fault.BAD_OBJECT),
        ({"image_id": []}, Fault.BAD_OBJECT),
        ({"category_id": {}}, Fault.BAD_OBJECT),
        ({"bbox": [10, 20, 1e999, 5]}, Fault.NOT_FINITE),
        ({"bbox": [10, 20, 0, 5]}, Fault.EMPTY),
        ({"bbox": [10, 20, -3, 5]}, Fault.EMPTY),
        ({"bbox": [100, 20, 30, 5]}, Fault.OUTSIDE),
        ({"bbox": [10, 20, 300, 5]}, Fault.CLIPPED),
        ({"image_id": 8}, Fault.UNLISTED),
        ({}, Fault.REPEATED_BOX),
    ],
)
def test_a_bad_object_in_coco(tmp_path: Path, entry: dict[str, object], fault: Fault) -> None:
    (usual,) = changed()["annotations"]
    text = json.dumps(changed(annotations=[usual, {**usual, "id": 2, **entry}]))
    dataset = opened(formats.coco(tmp_path, text.replace("Infinity", "1e999")))
    np.testing.assert_array_equal(dataset.annotations[0].boxes[:1], [CAT])
    assert len(dataset.annotations[0].boxes) == 1 + (fault is Fault.CLIPPED)
    assert faults(dataset) == {fault: 1}
    assert dataset.report.findings[fault].examples[0].startswith("instances_train.json ")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"images": [NaN], "annotations": [], "categories": []}', "`NaN` is no number in JSON"),
        ("[" * 100_000, "recursion"),
        ('{"images": [', "Expecting value: line 1 column 13"),
        ("[1]", "has no list `images`"),
        ('{"images": {}}', "has no list `images`"),
        ("9" * 5000, "digits"),
        (changed(categories=[{"id": 1}]), "a category is malformed: no 'name'"),
        (changed(categories=[{"id": n, "name": "x"} for n in (5, 9)]), "the same name"),
        (
            changed(categories=[{"id": 5, "name": n} for n in "xy"]),
            "two categories have the same id",
        ),
        (
            changed(images=[{"id": 7, "file_name": n} for n in ("a.jpg", "a.jpg", "b.jpg")]),
            r"instances_train\.json: two images have the id 7: a\.jpg, b\.jpg",
        ),
        (
            json.dumps(changed()).replace('"images"', '"annotations": [], "images"'),
            "the key `annotations` stands twice in one object",
        ),
        (changed(categories=[{"id": 9, "name": "ant"}]), r"\(category 5\): not one of ant"),
        (changed(images=[]), "no usable image"),
    ],
)
def test_a_bad_coco_file_is_refused(tmp_path: Path, document: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(formats.coco(tmp_path, document))


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    document = changed(categories=[{"id": 5, "name": "\x1b[2Jcat\ud800"}])
    document["annotations"][0]["bbox"] = [1, 1, 0, 0]
    table = opened(formats.coco(tmp_path, document)).report.table()
    assert r"(\x1b[2Jcat\ud800)" in table and table.replace("\n", "").isprintable()


def test_a_coco_file_in_another_encoding_or_too_large(tmp_path: Path) -> None:
    root = formats.coco(tmp_path)
    path = root / "annotations/instances_train.json"
    path.write_text("\ufeff" + path.read_text(), encoding="utf-8")
    assert len(opened(root)) == 1
    with pytest.raises(DataError, match="over 100 bytes"):
        opened(root, Limits(max_table_bytes=100))
    path.write_bytes(path.read_text(encoding="utf-8-sig").encode("utf-16"))
    with pytest.raises(DataError, match="not UTF-8 at byte 0"):
        opened(root)


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "..\\secret.jpg", "", "a" * 300])
def test_a_file_name_cannot_lead_elsewhere(tmp_path: Path, name: str) -> None:
    (listed,) = changed()["images"]
    images = [listed, {"id": 8, "file_name": name}]
    dataset = opened(formats.coco(tmp_path / "coco", changed(images=images)))
    assert faults(dataset) == {Fault.BAD_ANNOTATION: 1} and len(dataset) == 1
    dataset = opened(formats.table(tmp_path / "csv", f"a.jpg,1,1,9,9,cat\n{name},1,1,9,9,cat\n"))
    assert faults(dataset) == {Fault.BAD_OBJECT: 1} and len(dataset) == 1


def test_categories_that_differ_between_splits(tmp_path: Path) -> None:
    root = formats.coco(tmp_path)
    other = changed(categories=[{"id": 5, "name": "dog"}])
    formats.put(root / "annotations/instances_val.json", json.dumps(other))
    with pytest.raises(DataError, match="its categories are not those of"):
        opened(root)


@pytest.mark.parametrize(
    ("labels", "boxes", "fault"),
    [
        (None, [], None),
        ("", [], None),
        ("1 0.25 0.5 0.5 1\n", [[0, 0, 40, 60]], None),
        ("0 0.3 0.6 0.1 0.4 0.5 0.1\n", [[8, 6, 40, 36]], None),
        ("1 0.25 0.5 0.5 nan\n", [], Fault.NOT_FINITE),
        ("1 0.25 0.5 0 0.2\n", [], Fault.EMPTY),
        ("1 0.9 0.5 0.4 0.2\n", [[56, 24, 80, 36]], Fault.CLIPPED),
        ("1 1.9 0.5 0.4 0.2\n", [], Fault.OUTSIDE),
        ("1 0.25 0.5 0.5 1\n1 0.25 0.5 0.5 1\n", [[0, 0, 40, 60]], Fault.REPEATED_BOX),
    ],
)
def test_yolo_labels(
    tmp_path: Path, labels: str | None, boxes: list[list[float]], fault: Fault | None
) -> None:
    dataset = opened(formats.yolo(tmp_path, labels))
    np.testing.assert_allclose(dataset.annotations[0].boxes, np.reshape(boxes, (-1, 4)), atol=1e-4)
    assert faults(dataset) == ({fault: 1} if fault else {})
    assert dataset.report.count(Fault.BACKGROUND) == (not labels)


@pytest.mark.parametrize(
    "line", ["1 0.25 0.5 0.5", "cat 0.2 0.5 0.5 1", "1.0 0.2 0.5 0.5 1", "\xff"]
)
def test_a_bad_yolo_line_leaves_the_sample_out(tmp_path: Path, line: str) -> None:
    root = formats.yolo(tmp_path, None)
    formats.put(root / "labels/train/a.txt", line.encode("latin-1"))
    formats.image(root / "images/train/b.jpg", 1)
    dataset = opened(root)
    assert [sample.path.name for sample in dataset.annotations] == ["b.jpg"]
    assert faults(dataset) == {Fault.BAD_ANNOTATION: 1}


@pytest.mark.parametrize("label", [-1, 2])
def test_a_yolo_class_out_of_range_is_refused(tmp_path: Path, label: int) -> None:
    with pytest.raises(DataError, match=rf"a\.txt line 1 \(class {label}\): not one of ant, cat"):
        opened(formats.yolo(tmp_path, f"{label} 0.5 0.5 0.5 0.5\n"))


def test_yolo_images_that_are_not_read_are_told_of(tmp_path: Path) -> None:
    root = formats.yolo(tmp_path, "1 0.5 0.5 0.5 0.5\n")
    formats.put(root / "images/train/b.webp", b"RIFF0000WEBP")
    formats.put(root / "images/train/notes.txt", "no image")
    report = opened(root).report
    assert report.findings[Fault.BAD_IMAGE].examples == ["b.webp (neither JPEG nor PNG)"]


def test_yolo_labels_lie_where_the_last_folder_called_images_is(tmp_path: Path) -> None:
    root = formats.yolo(tmp_path / "images", None)
    formats.image(root / "images/train/more/a.JPG", 1)
    for folder, label in (("train", 0), ("train/more", 1)):
        formats.put(root / "labels" / folder / "a.txt", f"{label} 0.5 0.5 0.5 0.5\n")
    found = {sample.path.parent.name: sample.labels for sample in opened(root).annotations}
    assert found == {"train": [0], "more": [1]}


def test_yolo_splits_by_a_list_of_images(tmp_path: Path) -> None:
    root = formats.yolo(tmp_path, "1 0.25 0.5 0.5 1\n")
    formats.image(root / "images/train/b.jpg", 1)
    formats.put(root / "train.txt", "./images/train/a.jpg\n")
    formats.put(root / "data.yaml", "train: train.txt\nnames: [ant, cat]\n")
    (sample,) = opened(root).annotations
    assert sample.path.name == "a.jpg" and sample.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("lines", "kept", "fault"),
    [
        ("a.jpg,1,1,9,9,cat\n", 1, None),
        ("a.jpg,,,,,\n", 0, None),
        ("a.jpg,1,1,nan,9,cat\n", 0, Fault.NOT_FINITE),
        ("a.jpg,9,1,1,9,cat\n", 0, Fault.EMPTY),
        ("a.jpg,1,1,9,9,cat\na.jpg,1,1,nine,9,cat\n", 1, Fault.BAD_OBJECT),
        ("a.jpg,1,1,9,9,cat\na.jpg,1,1\n", 1, Fault.BAD_OBJECT),
        ("a.jpg,1,1,9,9,cat\nb.jpg,1,1,9,9,cat\n", 1, Fault.NO_IMAGE),
    ],
)
def test_csv_lines(tmp_path: Path, lines: str, kept: int, fault: Fault | None) -> None:
    dataset = opened(formats.table(tmp_path, lines))
    assert len(dataset.annotations[0].boxes) == kept
    assert faults(dataset) == ({fault: 1} if fault else {})


def test_csv_of_windows(tmp_path: Path) -> None:
    root = formats.table(tmp_path, "below\\b.jpg,1,1,9,9,cat\nbelow/b.jpg,20,1,30,9,cat\n")
    formats.image(root / "images/below/b.jpg")
    dataset = opened(root)
    assert [len(sample.boxes) for sample in dataset.annotations] == [2]
    assert faults(dataset) == {}


def test_csv_without_its_columns(tmp_path: Path) -> None:
    root = formats.table(tmp_path, "")
    formats.put(root / "train.csv", "filename,label,xmin\n")
    with pytest.raises(DataError, match=r"train\.csv:1: has no column ymin, xmax, ymax"):
        opened(root)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("format: coko\n", 1, "`coko` is not one of voc, coco, yolo, csv"),
        ("- a\n", 1, "is no mapping"),
        ("names: [a, a]\ntrain: x\n", 1, "has a name twice"),
        ("train: x\nnames: {0: a, 2: b}\n", 2, "does not number 0 to 1"),
        ("format: coco\nnames: [a]\nnmes: [a]\n", 3, "did you mean `names`"),
        ("format: coco\ntrain: {images: a}\n", 2, "`train` lacks annotations"),
        ("format: csv\ntrain:\n  image: a\n", 3, "`image` is not one of images, annotations, list"),
        ("train: x\n", None, "YOLO needs `names`"),
    ],
)
def test_mistakes_in_data_yaml(tmp_path: Path, text: str, line: int | None, message: str) -> None:
    path = formats.put(tmp_path / "data.yaml", text)
    with pytest.raises(DataError) as raised:
        opened(tmp_path)
    assert str(raised.value).startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert message in str(raised.value)


def test_data_yaml_that_is_no_yaml(tmp_path: Path) -> None:
    formats.put(tmp_path / "data.yaml", "names: [a\n")
    with pytest.raises(Findings):
        opened(tmp_path)


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"describe it in a data\.yaml"):
        opened(tmp_path)
    with pytest.raises(
        DataError, match=r"no such folder: give that of a data set, or its data\.yaml"
    ):
        opened(tmp_path / "nowhere")
    (tmp_path / "picture.jpg").touch()
    with pytest.raises(DataError, match=r"picture\.jpg: no folder: give that of a data set"):
        opened(tmp_path / "picture.jpg")
    with pytest.raises(DataError, match="no such file"):
        opened(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("kind", "split"),
    [
        ("coco", "{images: images, annotations: gone}"),
        ("csv", "{images: images, annotations: gone}"),
        ("voc", "{images: images, annotations: images, list: gone}"),
    ],
)
def test_a_file_that_a_split_needs_is_named(tmp_path: Path, kind: str, split: str) -> None:
    (tmp_path / "images").mkdir()
    formats.put(tmp_path / "data.yaml", f"format: {kind}\ntrain: {split}\n")
    with pytest.raises(DataError) as found:
        opened(tmp_path)
    assert str(found.value) == f"{tmp_path / 'gone'}: no such file or directory"


def test_a_data_yaml_may_lie_elsewhere(tmp_path: Path) -> None:
    formats.coco(tmp_path / "set")
    text = "format: coco\npath: ../set\nnames: [cat, ant]\ntrain:\n  images: images\n"
    text += "  annotations: annotations/instances_train.json\n"
    dataset = opened(formats.put(tmp_path / "mine/cats.yaml", text))
    assert dataset.classes == ("cat", "ant")
    assert dataset.annotations[0].labels.tolist() == [0]
