"""Looking through a data set finds each kind of bad input, and says what becomes of it."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specc_runtime import cli
from specc_runtime.data import Fault, Limits
from specc_runtime.data.check import check
from specc_runtime.data.layout import locate

from . import formats
from .voc_folder import VocFolder, jpeg, picture, with_exif

CAT = [("cat", (5, 5, 40, 40))]


def found(folder: VocFolder) -> dict[Fault, int]:
    report = check(locate(folder.root), Limits(left_out=1.0))["train"].report
    return {fault: finding.count for fault, finding in report.findings.items()}


def saved(mode: str, kind: str) -> bytes:
    """An image of 60 x 80 pixels in another of Pillow's modes."""
    buffer = io.BytesIO()
    Image.new(mode, (80, 60), 90 if mode in ("L", "P", "I;16") else None).save(buffer, kind)
    return buffer.getvalue()


def test_nothing_is_found_in_a_good_data_set(shapes: Path) -> None:
    splits = check(locate(shapes))
    assert list(splits) == ["train", "val", "test"]
    assert [split.report.images for split in splits.values()] == [28, 6, 6]
    assert all(not split.report.bad and split.refusal is None for split in splits.values())


@pytest.mark.parametrize(
    ("mode", "kind", "said"),
    [
        ("L", "JPEG", "grey"),
        ("CMYK", "JPEG", "CMYK"),
        ("P", "PNG", "palette"),
        ("I;16", "PNG", "grey, 16-bit"),
        ("LA", "PNG", "grey, alpha"),
        ("RGBA", "PNG", "alpha"),
    ],
)
def test_unusual_pixels_are_made_rgb(folder: VocFolder, mode: str, kind: str, said: str) -> None:
    folder.add("a", CAT, image=saved(mode, kind))
    split = check(locate(folder.root))["train"]
    assert split.report.findings[Fault.CONVERTED].examples == [f"a.jpg ({said})"]
    assert split.report.bad == 0 and split.report.images == 1


def test_truncation_is_found_though_the_header_is_whole(folder: VocFolder) -> None:
    folder.add("good", CAT)
    whole = jpeg(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    folder.add("cut", CAT, image=whole[: len(whole) * 3 // 4])
    split = check(locate(folder.root), Limits(left_out=0.5))["train"]
    assert split.report.findings[Fault.BAD_IMAGE].examples == ["cut.jpg: truncated or damaged"]
    assert split.report.images == 1 and split.refusal is None
    folder.add("cut2", CAT, image=whole[: len(whole) * 3 // 4])
    assert check(locate(folder.root))["train"].refusal.startswith("2 of the 3 samples")


def test_copies_of_a_file(folder: VocFolder) -> None:
    data = jpeg(picture(60, 80, seed=9))
    folder.add("a", CAT, image=data)
    folder.add("b", CAT, image=data)
    folder.add("c", CAT)
    lists = folder.root / "ImageSets/Main"
    (lists / "val.txt").write_text("c\n")
    splits = check(locate(folder.root))
    train, val = splits["train"].report, splits["val"].report
    assert train.findings[Fault.SAME_IMAGE].examples == ["b.jpg (train: a.jpg)"]
    assert val.findings[Fault.SHARED_IMAGE].examples == ["c.jpg (train: c.jpg)"]


def test_everything_at_once(folder: VocFolder) -> None:
    folder.add("fine", CAT)
    folder.add("background")
    folder.add("turned", CAT, image=with_exif(jpeg(picture(60, 80, seed=90)), 6), size=(80, 60))
    folder.add("unturned", CAT, image=with_exif(jpeg(picture(60, 80, seed=91)), 6))
    folder.add("scaled", CAT, image=jpeg(picture(120, 160)))
    folder.add("other_shape", CAT, image=jpeg(picture(60, 81)), size=(60, 40))
    folder.add("nan", [("cat", ("nan", 5, 40, 40))])
    folder.add("inverted", [("cat", (40, 5, 5, 40))])
    folder.add("outside", [("cat", (400, 5, 405, 40))])
    folder.add("clipped", [("cat", (4, 5, 405, 40))])
    folder.add("twice", CAT * 2)
    folder.add("bomb", xml='<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>')
    folder.add("latin", xml="<?xml version='1.0' encoding='klingon'?><annotation/>")
    folder.add("gone", CAT)
    (folder.root / "JPEGImages/gone.jpg").unlink()
    folder.add("empty", CAT, image=b"")
    folder.list(*folder.ids, "fine", "unwritten")
    assert found(folder) == {
        Fault.BACKGROUND: 1,
        Fault.TURNED: 1,
        Fault.NOT_TURNED: 1,
        Fault.OTHER_SIZE: 1,
        Fault.OTHER_SHAPE: 1,
        Fault.NOT_FINITE: 1,
        Fault.EMPTY: 1,
        Fault.OUTSIDE: 1,
        Fault.CLIPPED: 1,
        Fault.REPEATED_BOX: 1,
        Fault.BAD_ANNOTATION: 2,
        Fault.NO_IMAGE: 1,
        Fault.BAD_IMAGE: 1,
        Fault.REPEATED_ID: 1,
        Fault.NO_ANNOTATION: 1,
    }


def test_exit_codes(
    folder: VocFolder, shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "check", str(shapes), "--strict"]) == 0
    folder.add("a", [*CAT, ("cat", (9, 9, 9, 9))])
    assert cli.main(["data", "check", str(folder.root)]) == 0
    capsys.readouterr()
    assert cli.main(["data", "check", str(folder.root), "--strict"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "train: 1 images, 1 boxes",
        "      1  box without area: box dropped",
        "         a.xml object 1 (cat)",
    ]
    refused = formats.yolo(tmp_path / "yolo", "7 0.5 0.5 0.5 0.5\n")
    assert cli.main(["data", "check", str(refused), "--format", "json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert report["refused"].startswith("a.txt line 1 (class 7): not one of ant, cat")
    assert [row["fault"] for row in report["findings"]] == ["unknown_class"]
    assert cli.main(["data", "check", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert cli.main(["data", "chek", str(shapes)]) == 2
