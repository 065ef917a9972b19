"""A data set that goes to another format and back is the same data set."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from specc_runtime import cli
from specc_runtime.data import Dataset, open_dataset
from specc_runtime.data.check import check
from specc_runtime.data.formats import FORMATS
from specc_runtime.data.layout import locate
from specc_runtime.run import fingerprint

from .voc_folder import VocFolder, jpeg, picture, with_exif

MODEL = Path(__file__).parents[1] / "fixtures/tiny_ssd.py"


def same(one: Dataset, other: Dataset, *, difficult: bool) -> None:
    assert one.classes == other.classes and len(one) == len(other) > 0
    for a, b in zip(one.annotations, other.annotations, strict=True):
        assert (a.path.name, a.height, a.width) == (b.path.name, b.height, b.width)
        np.testing.assert_allclose(a.boxes, b.boxes, atol=2e-5)
        np.testing.assert_array_equal(a.labels, b.labels)
        if difficult:
            np.testing.assert_array_equal(a.difficult, b.difficult)
        assert a.path.read_bytes() == b.path.read_bytes()


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("described", [True, False], ids=["data.yaml", "recognised"])
def test_there_and_back(shapes: Path, tmp_path: Path, to: str, described: bool) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    assert cli.main(["data", "convert", str(shapes), str(there), "--to", to]) == 0
    if not described:
        (there / "data.yaml").unlink()
    assert cli.main(["data", "convert", str(there), str(back), "--to", "voc"]) == 0
    assert locate(there).format == to
    for split in ("train", "val", "test"):
        original = open_dataset(shapes, split)
        same(open_dataset(there, split), original, difficult=to != "yolo")
        same(open_dataset(back, split), original, difficult=to != "yolo")
    assert all(split.report.bad == 0 for split in check(locate(there)).values())


@pytest.mark.parametrize("to", ["coco", "csv", "yolo"])
def test_a_detector_is_scored_the_same_on_every_format(
    shapes: Path, tmp_path: Path, to: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / to
    assert cli.main(["data", "convert", str(shapes), str(target), "--to", to]) == 0
    capsys.readouterr()
    scores = []
    for data in (shapes, target, target / "data.yaml"):
        assert cli.main(["eval", str(MODEL), "--data", str(data), "--workers", "0", "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out))
    assert scores[0] == scores[1] == scores[2] and scores[0]["per_class"]
    if to != "yolo":
        assert fingerprint(open_dataset(shapes, "train")) == fingerprint(
            open_dataset(target, "train")
        )


def test_a_fingerprint_changes_with_all_that_training_reads(shapes: Path) -> None:
    dataset = open_dataset(shapes, "train")
    first, *others = dataset.annotations
    changed = [
        {"boxes": first.boxes + 1},
        {"labels": (first.labels + 1) % 2},
        {"difficult": ~first.difficult},
        {"height": first.height + 1},
        {"width": first.width + 1},
        {"path": first.path.with_name("other.jpg")},
    ]
    kept = fingerprint(dataset)
    found = {kept}
    for change in changed:
        dataset.annotations = (replace(first, **change), *others)
        found.add(fingerprint(dataset))
    dataset.annotations = (first, *others)
    assert fingerprint(dataset) == kept
    dataset.classes = dataset.classes[::-1]
    assert len(found | {fingerprint(dataset)}) == len(changed) + 2


def test_a_split_without_annotations_is_converted_too(shapes: Path, tmp_path: Path) -> None:
    """Such as COCO's test-dev, whose annotations nobody has."""
    there, back = tmp_path / "there", tmp_path / "back"
    assert cli.main(["data", "convert", str(shapes), str(there), "--to", "coco"]) == 0
    file = there / "annotations/instances_test.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"annotations": []}))
    assert cli.main(["data", "convert", str(there), str(back), "--to", "yolo"]) == 0
    found = open_dataset(back, "test")
    assert len(found) == len(open_dataset(shapes, "test")) and found.most_boxes == 0
    assert cli.main(["data", "check", str(back)]) == 1


def test_difficult_and_odd_names_survive(folder: VocFolder, tmp_path: Path) -> None:
    difficult = "<difficult>1</difficult>"
    folder.add("a", [('a, <b> & "c"', (5, 5, 40, 40))], extra=difficult, xml=None)
    xml = folder.root / "Annotations/a.xml"
    xml.write_text(xml.read_text().replace("a, <b> & ", "a, &lt;b&gt; &amp; "))
    folder.add("b")
    original = open_dataset(folder.root, "train")
    assert original.classes == ('a, <b> & "c"',)
    for to in ("coco", "csv", "voc"):
        target = tmp_path / "new" / to
        assert cli.main(["data", "convert", str(folder.root), str(target), "--to", to]) == 0
        same(open_dataset(target, "train"), original, difficult=True)
        assert open_dataset(target, "train").annotations[0].difficult.tolist() == [True]


def test_coco_written_is_coco_read_by_its_authors(shapes: Path, tmp_path: Path) -> None:
    cli.main(["data", "convert", str(shapes), str(tmp_path / "coco"), "--to", "coco"])
    theirs = COCO(str(tmp_path / "coco/annotations/instances_val.json"))
    ours = open_dataset(shapes, "val")
    for sample, image in zip(ours.annotations, theirs.loadImgs(theirs.getImgIds()), strict=True):
        found = theirs.loadAnns(theirs.getAnnIds(imgIds=image["id"]))
        corners = np.array([a["bbox"] for a in found]).reshape(-1, 4)
        assert [a["area"] for a in found] == pytest.approx(corners[:, 2:].prod(axis=1))
        corners[:, 2:] += corners[:, :2]
        np.testing.assert_allclose(corners, sample.boxes)
        names = [theirs.cats[a["category_id"]]["name"] for a in found]
        assert names == [ours.classes[label] for label in sample.labels]


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("size", [(60, 80), (80, 60)], ids=["drawn unturned", "drawn turned"])
def test_an_image_with_an_orientation_comes_out_as_its_boxes_want_it(
    folder: VocFolder, tmp_path: Path, to: str, size: tuple[int, int]
) -> None:
    stored = picture(60, 80)
    folder.add("a", [("cat", (5, 9, 20, 50))], image=with_exif(jpeg(stored), 6), size=size)
    target = tmp_path / "new"
    assert cli.main(["data", "convert", str(folder.root), str(target), "--to", to]) == 0
    (sample,) = open_dataset(target, "train").annotations
    np.testing.assert_allclose(sample.boxes, [[4, 8, 20, 50]], atol=1e-5)
    expected = stored if size == (60, 80) else np.rot90(stored, -1)
    plain = cv2.imread(str(sample.path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert np.abs(plain[..., ::-1].astype(int) - expected).mean() < 4


def test_images_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    root = tmp_path / "csv"
    for number, folder in enumerate(("one", "two")):
        (root / "images" / folder).mkdir(parents=True)
        (root / "images" / folder / "a.jpg").write_bytes(jpeg(picture(60, 80, number)))
    lines = "one/a.jpg,1,1,9,9,cat\ntwo/a.jpg,2,2,9,9,dog\n"
    (root / "train.csv").write_text(f"image,xmin,ymin,xmax,ymax,class\n{lines}")
    assert cli.main(["data", "convert", str(root), str(tmp_path / "yolo"), "--to", "yolo"]) == 0
    samples = open_dataset(tmp_path / "yolo", "train").annotations
    assert [(s.path.name, s.labels.tolist()) for s in samples] == [("a.jpg", [0]), ("a_2.jpg", [1])]


def test_refusals(shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "convert", str(shapes), str(shapes), "--to", "csv"]) == 1
    assert "not empty" in capsys.readouterr().err
    command = ["data", "convert", str(shapes), str(tmp_path / "x"), "--to", "csv", "--split"]
    assert cli.main([*command, "trian"]) == 1
    assert "no such split (there: test, train, val)" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
