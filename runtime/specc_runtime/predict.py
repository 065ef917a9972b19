"""Detections on pictures and videos: drawn, as JSON, and in COCO's results format."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, tee
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from specc_runtime.data import DataError
from specc_runtime.data.dataset import USUAL_LIMITS
from specc_runtime.data.images import UnreadableImage, decode, read_header
from specc_runtime.data.view import View
from specc_runtime.detector import Detector
from specc_runtime.drawing import draw_detections, save_image
from specc_runtime.evaluation import Detections
from specc_runtime.inference import detect
from specc_runtime.video import SUFFIXES as VIDEOS
from specc_runtime.video import Video

PICTURES = (".jpeg", ".jpg", ".png")
AT_ONCE = 8
"""Pictures per batch."""
SHOWN = 3
"""Unreadable files that the error names."""


def predict(
    detector: Detector,
    classes: Sequence[str],
    sources: Sequence[Path],
    folder: Path,
    least_score: float = 0.5,
    instances: Path | None = None,
) -> list[dict[str, Any]]:
    """Draw the objects on each picture and video into `folder`, and write `detections.json`.

    Returns the contents of `detections.json`. With `instances`, a COCO annotation file, `results.json`
    gets all detections on the pictures, whatever their score, with the ids of that file.

    Args:
        detector: in evaluation mode.
        classes: names without background.
        sources: JPEG and PNG files, videos, and folders of these.
        folder: is made. Of sources with the same file name the last one's drawing stays.
        least_score: threshold for objects that are drawn and listed.
        instances: the annotation file that the results will be scored against.

    Raises:
        UnreadableImage: some files cannot be read, once all others are done; or a drawing would
            overwrite its source.
        DataError: `instances` lacks a picture or a class.
        OSError: a file cannot be written.
    """
    paths = _expanded(sources)
    for path in paths:
        if _drawing(path, folder).resolve() == path.resolve():
            raise UnreadableImage(f"{path}: the drawing would overwrite it: choose another folder")
    ids = _Ids(instances, classes) if instances else None
    folder.mkdir(parents=True, exist_ok=True)
    told: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    unreadable: list[str] = []
    videos = [path for path in paths if path.suffix.lower() in VIDEOS]
    named, pictures = tee(_readable([path for path in paths if path not in videos], unreadable))
    detected = detect_images(detector, (image for _, image in pictures))
    for (path, _), (image, found) in zip(named, detected, strict=True):
        drawn, objects = _drawn(image, found, classes, least_score)
        save_image(_drawing(path, folder), drawn)
        height, width = image.shape[:2]
        told.append({"image": str(path), "width": width, "height": height, "detections": objects})
        results += ids.results(path, found) if ids else []
    for path in videos:
        try:
            video = Video.open(path)
        except UnreadableImage as error:
            unreadable.append(str(error))
        else:
            told.append(_watch(detector, classes, video, folder, least_score))
    (folder / "detections.json").write_text(json.dumps(told, indent=1) + "\n")
    if ids:
        (folder / "results.json").write_text(json.dumps(results) + "\n")
    if unreadable:
        others = f"; what was found on the others is in {folder}" if told else ""
        raise UnreadableImage(_what_failed(unreadable, len(paths)) + others)
    return told


def _readable(paths: Iterable[Path], unreadable: list[str]) -> Iterator[tuple[Path, np.ndarray]]:
    """The pictures that can be read, each after its path; messages on the others go to `unreadable`."""
    for path in paths:
        try:
            image = _picture(path)
        except UnreadableImage as error:
            unreadable.append(str(error))
        else:
            yield path, image


def _what_failed(unreadable: Sequence[str], files: int) -> str:
    """The message on unreadable files, out of so many files."""
    if files == 1:
        return unreadable[0]
    more = ", ..." if len(unreadable) > SHOWN else ""
    what = f"{len(unreadable):,} of {files:,} files cannot be read"
    return f"{what}: {', '.join(unreadable[:SHOWN])}{more}"


def _picture(path: Path) -> np.ndarray:
    """Pixels of a JPEG or PNG, upright, as a data set has them. Raises `UnreadableImage`."""
    try:
        header = read_header(path, USUAL_LIMITS.max_pixels)
    except UnreadableImage as error:
        raise UnreadableImage(f"{path.name}: {error}") from error
    return decode(path, apply_exif=header.orientation != 1)


def detect_images(
    detector: Detector, images: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, Detections]]:
    """Each image, RGB uint8 [H, W, 3], with its detections: boxes in its pixels, best first."""
    left = iter(images)
    while some := list(islice(left, AT_ONCE)):
        sizes = [image.shape[:2] for image in some]
        seen = [
            View.whole(*size).render(image, detector.input.size, (0, 0, 0))
            for image, size in zip(some, sizes, strict=True)
        ]
        tensor = torch.as_tensor(np.stack(seen)).permute(0, 3, 1, 2)
        yield from zip(some, detect(detector, tensor, torch.tensor(sizes)), strict=True)


def _expanded(sources: Sequence[Path]) -> list[Path]:
    """The files, with each folder replaced by its files. Raises `UnreadableImage`."""
    paths: list[Path] = []
    for source in sources:
        if not source.is_dir():
            paths.append(source)
            continue
        inside = [p for p in sorted(source.iterdir()) if p.suffix.lower() in (*PICTURES, *VIDEOS)]
        if not inside:
            raise UnreadableImage(f"{source}: no JPEG, PNG or video in this folder")
        paths += inside
    return paths


def _drawing(path: Path, folder: Path) -> Path:
    """The path of the drawing of a picture or a video."""
    return folder / (f"{path.stem}.mp4" if path.suffix.lower() in VIDEOS else path.name)


def _watch(
    detector: Detector, classes: Sequence[str], video: Video, folder: Path, least_score: float
) -> dict[str, Any]:
    """Draw the objects on a video, frame by frame; return its entry of `detections.json`."""
    frames: list[dict[str, Any]] = []
    with video.like(_drawing(video.path, folder)) as writer:
        for number, (image, found) in enumerate(detect_images(detector, video.frames())):
            drawn, objects = _drawn(image, found, classes, least_score)
            writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
            seconds = round(number / video.fps, 3)
            frames.append({"frame": number, "seconds": seconds, "detections": objects})
    size = {"width": video.width, "height": video.height, "fps": video.fps}
    return {"video": str(video.path), **size, "frames": frames}


def _drawn(
    image: np.ndarray, found: Detections, classes: Sequence[str], least_score: float
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The image with its objects of at least `least_score` drawn on it, and these as JSON."""
    shown = found.scores >= least_score
    boxes: list[list[float]] = found.boxes[shown].numpy().tolist()
    scores: list[float] = found.scores[shown].numpy().tolist()
    labels: list[int] = found.labels[shown].numpy().tolist()
    objects = [
        {"class": classes[label], "score": score, "box": box}
        for box, score, label in zip(boxes, scores, labels, strict=True)
    ]
    return draw_detections(image, boxes, labels, scores, classes), objects


class _Ids:
    """Ids of pictures and classes in a COCO annotation file. Raises `DataError`."""

    def __init__(self, instances: Path, classes: Sequence[str]) -> None:
        self._path = instances
        try:
            found = json.loads(instances.read_text(encoding="utf-8"))
            self._images = {Path(i["file_name"]).name: i["id"] for i in found["images"]}
            categories = {c["name"]: c["id"] for c in found["categories"]}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{instances}: no annotation file of COCO: {error!r}") from error
        lacking = [name for name in classes if name not in categories]
        if lacking:
            raise DataError(f"{instances}: no category is called {', '.join(lacking)}")
        self._categories = [categories[name] for name in classes]

    def results(self, path: Path, found: Detections) -> list[dict[str, Any]]:
        """All detections on a picture in COCO's results format: boxes are x, y, width, height."""
        if path.name not in self._images:
            raise DataError(f"{self._path}: no image is called {path.name}")
        sides = torch.cat([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], dim=1)
        boxes: list[list[float]] = sides.numpy().tolist()
        scores: list[float] = found.scores.numpy().tolist()
        labels: list[int] = found.labels.numpy().tolist()
        return [
            {
                "image_id": self._images[path.name],
                "category_id": self._categories[label],
                "bbox": box,
                "score": score,
            }
            for box, score, label in zip(boxes, scores, labels, strict=True)
        ]
