"""The table of bad input: each kind by its stated rule, shown in one table, an error with --strict.

A row makes a data set of a good sample and a bad one, and says what is counted, with the place that
is shown, and which boxes are left to train on: none where the sample is left out.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from specc_runtime import cli, model
from specc_runtime.data import DataError, Dataset, Fault, Limits, Loader, open_dataset
from specc_runtime.data.check import check
from specc_runtime.data.layout import locate

from . import formats
from .voc_folder import Entry, VocFolder, jpeg, picture, with_exif

TINY = Path(__file__).parents[1] / "fixtures/tiny_ssd.py"
CAT: list[Entry] = [("cat", (5, 5, 40, 40))]
AS_READ = [4.0, 4.0, 40.0, 40.0]
ANY = Limits(left_out=0.6)

Make = Callable[[VocFolder], Path]


class Row(NamedTuple):
    """A kind of bad input. `boxes` are those of the bad sample, None where it is left out."""

    what: str
    make: Make
    fault: Fault
    shown: str
    boxes: list[list[float]] | None


def voc(*entries: Entry, **sample: object) -> Make:
    """A VOC folder with a bad sample `bad` beside a good one."""

    def make(folder: VocFolder) -> Path:
        folder.add("good", CAT)
        folder.add("bad", entries, **sample)
        return folder.root

    return make


def without(file: str, *entries: Entry) -> Make:
    """A VOC folder that has lost a file."""

    def make(folder: VocFolder) -> Path:
        root = voc(*entries)(folder)
        (root / file).unlink()
        return root

    return make


def coco(**changes: object) -> Make:
    """A COCO folder with a second object, like the first but for the changes."""

    def make(folder: VocFolder) -> Path:
        (usual,) = formats.ONE_IMAGE["annotations"]
        document = {**formats.ONE_IMAGE, "annotations": [usual, {**usual, "id": 2, **changes}]}
        return formats.coco(folder.root.parent / "coco", document)

    return make


def yolo(labels: str) -> Make:
    """A YOLO folder of two images, the second with these labels."""

    def make(folder: VocFolder) -> Path:
        root = formats.yolo(folder.root.parent / "yolo", "1 0.5 0.5 0.5 0.5\n")
        formats.image(root / "images/train/bad.jpg", seed=1)
        formats.put(root / "labels/train/bad.txt", labels)
        return root

    return make


def table(lines: str) -> Make:
    """A CSV of an image with an object, and more lines."""
    good = "a.jpg,10,20,40,35,cat\n"
    return lambda folder: formats.table(folder.root.parent / "csv", good + lines)


def coded(mode: str, kind: str) -> bytes:
    """An image of 60 x 80 pixels in another of Pillow's modes."""
    buffer = io.BytesIO()
    Image.new(mode, (80, 60), None if mode in ("CMYK", "RGBA") else 90).save(buffer, kind)
    return buffer.getvalue()


NOISE = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
CUT = jpeg(NOISE)[: len(jpeg(NOISE)) * 3 // 4]
TURNED = with_exif(jpeg(picture(60, 80, seed=9)), 6)
LAUGHS = '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'
QUADRATIC = f'<!DOCTYPE a [<!ENTITY b "{"c" * 10_000}">]><annotation>{"&b;" * 500}</annotation>'
ELSEWHERE = '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>'
COCO_CAT = [10.0, 20.0, 40.0, 35.0]

ROWS = [
    Row("box with NaN", voc(*CAT, ("cat", ("nan", 5, 9, 9))), Fault.NOT_FINITE,
        "bad.xml object 1 (cat)", [AS_READ]),
    Row("box with infinity", voc(*CAT, ("cat", (5, 5, "inf", 9))), Fault.NOT_FINITE,
        "bad.xml object 1 (cat)", [AS_READ]),
    Row("NaN in YOLO", yolo("1 nan 0.5 0.5 0.5\n"), Fault.NOT_FINITE, "bad.txt line 1 (cat)", []),
    Row("box outside", voc(("cat", (200, 5, 240, 9))), Fault.OUTSIDE, "bad.xml object 0 (cat)", []),
    Row("box of 1e9", voc(("cat", (5, 5, 1e9, 1e9))), Fault.CLIPPED, "bad.xml object 0 (cat)",
        [[4.0, 4.0, 80.0, 60.0]]),
    Row("box without area", voc(("cat", (5, 5, 5, 9))), Fault.EMPTY, "bad.xml object 0 (cat)", []),
    Row("box with its corners swapped", coco(bbox=[40, 20, -9, 5]), Fault.EMPTY,
        "instances_train.json a.jpg annotation 2 (cat)", [COCO_CAT]),
    Row("fewer numbers than a box has, COCO", coco(bbox=[1, 2, 3]), Fault.BAD_OBJECT,
        "instances_train.json annotations[1] (not enough values to unpack (expected 4, got 3))",
        [COCO_CAT]),
    Row("fewer numbers than a box has, YOLO", yolo("1 0.5 0.5 0.5\n"), Fault.BAD_ANNOTATION,
        "bad.txt (line 1: 3 numbers after the class, not 4)", None),
    Row("fewer fields than columns", table("a.jpg,1,1,9\n"), Fault.BAD_OBJECT,
        "train.csv:3 (could not convert string to float: '')", [COCO_CAT]),
    Row("no class", table("a.jpg,1,1,9,9,\n"), Fault.BAD_OBJECT, "train.csv:3 (no class)",
        [COCO_CAT]),
    Row("no object", voc(), Fault.BACKGROUND, "bad.jpg", []),
    Row("truncated JPEG", voc(*CAT, image=CUT), Fault.BAD_IMAGE,
        "bad.jpg: truncated or damaged", None),
    Row("empty image", voc(*CAT, image=b""), Fault.BAD_IMAGE,
        "bad.jpg (neither JPEG nor PNG)", None),
    Row("image of another format", voc(*CAT, image=b"GIF89a"), Fault.BAD_IMAGE,
        "bad.jpg (neither JPEG nor PNG)", None),
    Row("CMYK", voc(*CAT, image=coded("CMYK", "JPEG")), Fault.CONVERTED, "bad.jpg (CMYK)",
        [AS_READ]),
    Row("grey", voc(*CAT, image=coded("L", "JPEG")), Fault.CONVERTED, "bad.jpg (grey)", [AS_READ]),
    Row("16-bit", voc(*CAT, image=coded("I;16", "PNG")), Fault.CONVERTED, "bad.jpg (grey, 16-bit)",
        [AS_READ]),
    Row("alpha", voc(*CAT, image=coded("RGBA", "PNG")), Fault.CONVERTED, "bad.jpg (alpha)",
        [AS_READ]),
    Row("EXIF, size of the turned image", voc(*CAT, image=TURNED, size=(80, 60)), Fault.TURNED,
        "bad.jpg (orientation 6)", [AS_READ]),
    Row("EXIF, size of the stored image", voc(*CAT, image=TURNED), Fault.NOT_TURNED,
        "bad.jpg (orientation 6)", [AS_READ]),
    Row("size of another scale", voc(*CAT, size=(120, 160)), Fault.OTHER_SIZE,
        "bad.jpg (160x120 annotated, 80x60 found)", [[2.0, 2.0, 20.0, 20.0]]),
    Row("size of a shape within 1 %", voc(*CAT, size=(121, 160)), Fault.OTHER_SIZE,
        "bad.jpg (160x121 annotated, 80x60 found)", [[2.0, 240 / 121, 20.0, 2400 / 121]]),
    Row("size of a shape beyond 1 %", voc(*CAT, size=(123, 160)), Fault.OTHER_SHAPE,
        "bad.jpg (160x123 annotated, 80x60 found)", None),
    Row("size of another shape", voc(*CAT, size=(60, 90)), Fault.OTHER_SHAPE,
        "bad.jpg (90x60 annotated, 80x60 found)", None),
    Row("billion laughs", voc(xml=LAUGHS), Fault.BAD_ANNOTATION,
        "bad.xml (a DOCTYPE is not accepted)", None),
    Row("quadratic blow-up", voc(xml=QUADRATIC), Fault.BAD_ANNOTATION,
        "bad.xml (a DOCTYPE is not accepted)", None),
    Row("external entity", voc(xml=ELSEWHERE), Fault.BAD_ANNOTATION,
        "bad.xml (a DOCTYPE is not accepted)", None),
    Row("XML cut off", voc(xml="<annotation><object>"), Fault.BAD_ANNOTATION,
        "bad.xml (no element found: line 1, column 20)", None),
    Row("text for a number", voc(("cat", ("four", 5, 9, 9))), Fault.BAD_ANNOTATION,
        "bad.xml (<bndbox/xmin> is `four`, not a number)", None),
    Row("an object of no image", coco(image_id=8), Fault.UNLISTED,
        "instances_train.json annotation 2 (image 8)", [COCO_CAT]),
    Row("an object twice", voc(*CAT, *CAT), Fault.REPEATED_BOX, "bad.xml object 1 (cat)",
        [AS_READ]),
    Row("image missing", without("JPEGImages/bad.jpg", *CAT), Fault.NO_IMAGE, "bad.jpg", None),
    Row("annotation missing", without("Annotations/bad.xml"), Fault.NO_ANNOTATION, "bad.xml", None),
]  # fmt: skip

REFUSED = [
    ("class -1", yolo("-1 0.5 0.5 0.5 0.5\n"), "bad.txt line 1 (class -1): not one of ant, cat"),
    ("class too high", yolo("2 0.5 0.5 0.5 0.5\n"), "bad.txt line 1 (class 2): not one of ant, cat"),
    ("no such category", coco(category_id=0), "annotation 2 (category 0): not one of cat, ant"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_each_kind_by_its_rule(
    folder: VocFolder,
    row: Row,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = row.make(folder)
    split = check(locate(root), ANY)["train"]
    found = {fault: finding.examples for fault, finding in split.report.findings.items()}
    assert found.pop(row.fault) == [row.shown]
    assert set(found) <= {Fault.BACKGROUND}  # where the only box of an image was dropped
    [*_, last] = split.annotations
    is_left_out = last.path.stem == "good" or (last.path.stem == "a" and row.boxes is None)
    assert is_left_out is (row.boxes is None) is row.fault.loses_sample
    if row.boxes is not None:
        np.testing.assert_allclose(last.boxes, np.reshape(row.boxes, (-1, 4)))
    monkeypatch.setattr("specc_runtime.cli_data.check", lambda layout: check(layout, ANY))
    assert cli.main(["data", "check", str(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index(f"{1:>7}  {row.fault.what}: {row.fault.done}")
    assert lines[at + 1] == f"{'':9}{row.shown}"
    assert cli.main(["data", "check", str(root), "--strict"]) == int(row.fault.bad)


@pytest.mark.parametrize(
    ("make", "said"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_class_out_of_range_is_refused_before_training(
    folder: VocFolder, make: Make, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(folder)
    with pytest.raises(DataError) as caught:
        open_dataset(root, "train", limits=ANY)
    assert said in str(caught.value)
    assert cli.main(["data", "check", str(root), "--format", "json"]) == 1
    [report] = json.loads(capsys.readouterr().out)
    assert said in report["refused"]


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_in_json_is_refused(
    tmp_path: Path, constant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(formats.ONE_IMAGE).replace("[10,", f"[{constant},")
    root = formats.coco(tmp_path, text)
    assert cli.main(["data", "check", str(root)]) == 1
    assert f"instances_train.json: `{constant}` is no number in JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("names: [ant, cat]\nnames: [dog]", "error[E0109]: the key `names` stands here twice"),
        ("names: [yes, no]", "error[E0114]: `yes` is true to YAML 1.1 and text to YAML 1.2"),
        ("names: [012, 1]", "error[E0114]: `012` is 10 to YAML 1.1 and 12 to YAML 1.2"),
        ("names: [12:30]", "error[E0114]: `12:30` is 750 to YAML 1.1 and text to YAML 1.2"),
    ],
)
def test_what_readers_of_yaml_read_differently_is_refused_with_its_line(
    tmp_path: Path, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = formats.put(tmp_path / "data.yaml", f"path: .\ntrain: images/train\n{line}\n")
    assert cli.main(["data", "check", str(path)]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(said) and "data.yaml:" in shown


def test_what_is_an_annotation_and_no_file_is_malformed(folder: VocFolder) -> None:
    folder.add("good", CAT)
    folder.add("bad", CAT)
    (folder.root / "Annotations/bad.xml").unlink()
    (folder.root / "Annotations/bad.xml").mkdir()
    report = check(locate(folder.root), ANY)["train"].report
    assert report.findings[Fault.BAD_ANNOTATION].examples == ["bad.xml (Is a directory)"]
    root = yolo("")(folder)
    (root / "labels/train/bad.txt").unlink()
    (root / "labels/train/bad.txt").mkdir()
    report = check(locate(root), ANY)["train"].report
    assert report.count(Fault.BAD_ANNOTATION) == report.left_out == 1


@pytest.mark.parametrize("names", [[], ["ant", "cat"]], ids=["unknown", "known"])
def test_without_any_object_there_is_nothing_to_learn_or_to_score(
    folder: VocFolder, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As where labels are not where they are looked for, which YOLO takes for background."""
    for number in range(4):
        folder.add(f"background{number}")
    parts = {
        "images": "JPEGImages",
        "annotations": "Annotations",
        "list": "ImageSets/Main/train.txt",
    }
    described = {"format": "voc", "names": names, "train": parts}
    data = str(formats.put(folder.root / "data.yaml", json.dumps(described)))
    assert cli.main(["data", "check", data]) == 1
    said = "no object is annotated in this split: there is nothing to learn or to score"
    assert f"refused: {said}" in capsys.readouterr().out
    run = ["-o", str(folder.root / "run"), "--val-split", "none", "batch=4", "workers=0"]
    for command in (["train", *run], ["eval", "--split", "train"], ["lr-find", "batch=4"]):
        name, *options = command
        assert cli.main([name, str(TINY), "--data", data, *options]) == 1
        assert f"error: {said}\ntrain: 4 images, 0 boxes\n" in capsys.readouterr().err
    assert not (folder.root / "run").exists()


def test_a_batch_of_background_alone_has_a_finite_loss(folder: VocFolder) -> None:
    folder.add("only", CAT)
    for number in range(4):
        folder.add(f"background{number}")
    whole = open_dataset(folder.root, "train")
    dataset = Dataset(whole.classes, whole.annotations[1:], whole.report)
    keywords = {"size": (64, 64), "batch": 4, "seed": 0, "epoch": 0, "train": True}
    [batch] = Loader(dataset, **keywords, workers=0, max_boxes=3)
    assert batch.labels.tolist() == [[-1] * 3] * 4
    detector = model.load(TINY).build(1)
    losses = detector.losses(batch.images, batch.boxes, batch.labels)
    sum(losses.values()).backward()
    assert all(value.isfinite() for value in losses.values())
    gradients = [p.grad for p in detector.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)
