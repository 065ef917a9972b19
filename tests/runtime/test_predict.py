"""Objects on pictures, folders and videos: what is written, and that COCO's own reader takes it."""

import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from specc_runtime import api, model, weights
from specc_runtime.data import DataError, UnreadableImage, convert, open_dataset, synth
from specc_runtime.data.check import read_splits
from specc_runtime.data.images import decode
from specc_runtime.data.layout import locate
from specc_runtime.drawing import save_image
from specc_runtime.evaluation import Detections, Evaluator
from specc_runtime.predict import detect_images, predict
from specc_runtime.video import Video

from .training import TINY

FRAMES = 19


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("data") / "coco"
    voc = tmp_path_factory.mktemp("voc")
    synth.write(voc, images=40)
    convert.convert(read_splits(locate(voc), splits=("test",)), "coco", folder)
    return folder


@pytest.fixture(scope="module")
def dataset(data):
    return open_dataset(data, "test")


@pytest.fixture(scope="module")
def detector(dataset):
    torch.manual_seed(0)
    return model.load(TINY).build(len(dataset.classes)).eval()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A square that moves over noise; frames of two sizes would not go in one file."""
    path = tmp_path_factory.mktemp("video") / "square.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (96, 64))
    for number in range(FRAMES):
        frame = np.full((64, 96, 3), 40, dtype=np.uint8)
        frame[20:40, 4 * number : 4 * number + 20] = (0, 0, 250)
        writer.write(frame)
    writer.release()
    return path


def test_pictures_looked_at_together_are_as_by_themselves(detector, dataset):
    images = [decode(sample.path) for sample in dataset.annotations]
    images[1] = images[1][:100, :90]  # of another size than the rest
    together = list(detect_images(detector, images))
    assert len(together) == len(images)
    for image, (same, found) in zip(images, together, strict=True):
        [(_, alone)] = detect_images(detector, [image])
        assert same is image
        torch.testing.assert_close(found.boxes, alone.boxes, atol=1e-3, rtol=1e-4)
        assert torch.equal(found.labels, alone.labels)


def test_a_folder_stands_for_the_pictures_and_videos_in_it(detector, dataset, video, tmp_path):
    mixed, output = tmp_path / "mixed", tmp_path / "found"
    mixed.mkdir()
    for name in ("b.png", "a.JPG"):
        save_image(mixed / name, decode(dataset.annotations[0].path))
    (mixed / "notes.txt").write_text("no picture")
    (mixed / video.name).write_bytes(video.read_bytes())
    told = predict(detector, dataset.classes, [mixed], output)
    assert [one.get("image", one.get("video")) for one in told] == [
        str(mixed / name) for name in ("a.JPG", "b.png", "square.mp4")
    ]
    assert {path.name for path in output.iterdir()} == {
        *("a.JPG", "b.png", "square.mp4", "detections.json")
    }
    assert json.loads((output / "detections.json").read_text()) == told


def test_an_empty_folder_and_a_missing_file_are_told_of(detector, dataset, tmp_path):
    with pytest.raises(UnreadableImage, match="no JPEG, PNG or video in this folder"):
        predict(detector, dataset.classes, [tmp_path], tmp_path / "found")
    for name in ("none.jpg", "none.mp4"):
        with pytest.raises(UnreadableImage, match=name):
            predict(detector, dataset.classes, [tmp_path / name], tmp_path / "found")


def test_files_that_cannot_be_read_cost_themselves_alone(detector, dataset, video, tmp_path):
    mixed, output = tmp_path / "mixed", tmp_path / "found"
    mixed.mkdir()
    good = [f"{n:02}.png" for n in range(12) if n not in (3, 9)]
    for name in good:
        save_image(mixed / name, decode(dataset.annotations[0].path)[: 200 + int(name[:2])])
    for name in ("03.png", "09.png", "broken.mp4"):
        (mixed / name).write_bytes(b"nothing of the kind")
    (mixed / video.name).write_bytes(video.read_bytes())
    with pytest.raises(
        UnreadableImage, match=r"3 of 14 files .*: 03\.png: .*, 09\.png: .*broken"
    ) as error:
        predict(detector, dataset.classes, [mixed], output)
    assert str(error.value).endswith(f"; what was found on the others is in {output}")
    told = json.loads((output / "detections.json").read_text())
    assert [one["image"] for one in told[:-1]] == [str(mixed / name) for name in good]
    assert [one["height"] for one in told[:-1]] == [200 + int(name[:2]) for name in good]
    assert told[-1]["video"] == str(mixed / video.name)
    assert {path.name for path in output.iterdir()} == {*good, video.name, "detections.json"}


def test_a_picture_of_too_many_pixels_is_not_decoded(detector, dataset, tmp_path):
    bomb = tmp_path / "bomb.png"
    claims = (20_000).to_bytes(4, "big") * 2
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + claims + bytes(9) + b"\0\0\0\0IDAT")
    with pytest.raises(UnreadableImage, match=r"bomb\.png: 20000x20000 is over 100,000,000 pixels"):
        predict(detector, dataset.classes, [bomb], tmp_path / "found")


def test_a_png_is_as_upright_as_a_data_set_has_it(detector, dataset, tmp_path):
    """An orientation behind its pixels, which the specification allows, a scan does not see."""
    exif, path = Image.Exif(), tmp_path / "a.png"
    exif[0x0112] = 6
    Image.fromarray(np.zeros((30, 50, 3), np.uint8)).save(path, exif=exif)
    data = path.read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    late = tmp_path / "late.png"
    late.write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    told = predict(detector, dataset.classes, [path, late], tmp_path / "found")
    assert [(one["height"], one["width"]) for one in told] == [(50, 30), (30, 50)]


def test_a_drawing_never_overwrites_its_source(detector, dataset, video):
    before = video.read_bytes()
    with pytest.raises(UnreadableImage, match="would overwrite"):
        predict(detector, dataset.classes, [video], video.parent)
    assert video.read_bytes() == before


def test_a_video_is_drawn_and_told_frame_by_frame(detector, dataset, video, tmp_path):
    [told] = predict(detector, dataset.classes, [video], tmp_path, least_score=0.0)
    assert (told["width"], told["height"], told["fps"]) == (96, 64, 10.0)
    assert [frame["frame"] for frame in told["frames"]] == list(range(FRAMES))
    assert told["frames"][7]["seconds"] == 0.7
    images = list(Video.open(video).frames())
    for frame, (_, found) in zip(told["frames"], detect_images(detector, images), strict=True):
        boxes = [one["box"] for one in frame["detections"]]
        assert torch.equal(torch.tensor(boxes), found.boxes)
    drawn = Video.open(tmp_path / "square.mp4")
    assert (drawn.width, drawn.height, drawn.fps) == (96, 64, 10.0)
    pictures = list(drawn.frames())
    assert len(pictures) == FRAMES
    changed = [np.abs(a.astype(int) - b).mean() for a, b in zip(images, pictures, strict=True)]
    assert min(changed) > 5  # all that an untrained network finds lies over it


def test_frames_are_rgb(video):
    image = next(Video.open(video).frames())
    red, green, blue = image[30, 10].tolist()
    assert red > 200 and green < 60 and blue < 60


def test_what_is_no_video_is_told_of(detector, dataset, tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video" * 100)
    with pytest.raises(UnreadableImage, match="no video that can be read"):
        predict(detector, dataset.classes, [path], tmp_path / "found")


def test_cocos_results_score_as_the_evaluator_does(detector, data, dataset, tmp_path, monkeypatch):
    instances = data / "annotations/instances_test.json"
    made = torch.Generator().manual_seed(0)
    found = [near(sample, made) for sample in dataset.annotations]
    monkeypatch.setattr(
        "specc_runtime.predict.detect_images", lambda _, images: zip(images, found, strict=True)
    )
    pictures = [sample.path for sample in dataset.annotations]
    predict(detector, dataset.classes, pictures, tmp_path, 0.99, instances)
    truth = COCO(str(instances))
    judge = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    evaluator = Evaluator(dataset, "coco")
    evaluator.add(torch.arange(len(found)), found)
    assert 0.2 < judge.stats[0] == pytest.approx(evaluator.summary()["map"], abs=1e-6)


def test_an_object_of_just_the_least_score_is_told_of(detector, dataset, tmp_path, monkeypatch):
    boxes, scores = torch.tensor([[1.0, 1, 9, 9]] * 3), torch.tensor([0.75, 0.5, 0.25])
    found = Detections(boxes, scores, torch.zeros(3, dtype=torch.long))
    monkeypatch.setattr(
        "specc_runtime.predict.detect_images", lambda _, images: zip(images, [found], strict=True)
    )
    picture = dataset.annotations[0].path
    [told] = predict(detector, dataset.classes, [picture], tmp_path, least_score=0.5)
    assert [item["score"] for item in told["detections"]] == [0.75, 0.5]


def near(sample, made) -> Detections:
    """What is annotated, a little beside it, with a score below the least that is drawn."""
    boxes = torch.tensor(sample.boxes) + 4 * torch.randn(sample.boxes.shape, generator=made)
    scores = 0.9 * torch.rand(len(boxes), generator=made)
    return Detections(boxes, scores, torch.tensor(sample.labels))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no annotation file of COCO"),
        ("[]", "no annotation file of COCO"),
        ('{"images": [{}], "categories": []}', "no annotation file of COCO"),
        ('{"images": [], "categories": []}', "no category is called"),
    ],
)
def test_an_annotation_file_that_does_not_fit_is_told_of(
    detector, dataset, tmp_path, text, message
):
    path = tmp_path / "instances.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        predict(detector, dataset.classes, [dataset.annotations[0].path], tmp_path, 0.5, path)


def test_a_picture_that_is_not_listed_is_told_of(detector, data, dataset, tmp_path):
    other = tmp_path / "other.jpg"
    other.write_bytes(dataset.annotations[0].path.read_bytes())
    instances = data / "annotations/instances_test.json"
    with pytest.raises(DataError, match=r"no image is called other\.jpg"):
        predict(detector, dataset.classes, [other], tmp_path / "found", 0.5, instances)


def test_from_python_it_takes_names(detector, dataset, tmp_path):
    path = tmp_path / "w.safetensors"
    weights.save(path, detector.network, dataset.classes, detector.input.preprocess)
    picture = str(dataset.annotations[0].path)
    [told] = api.predict(TINY, [picture], tmp_path / "found", path, score=0.0)
    assert told["image"] == picture and len(told["detections"]) > 10
