"""Objects found on pictures and videos: drawn on them, as JSON, and as COCO's results."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from specc_runtime.data import DataError
from specc_runtime.data.images import UnreadableImage, decode
from specc_runtime.data.view import View
from specc_runtime.detector import Detector
from specc_runtime.drawing import draw_detections, save_image
from specc_runtime.evaluation import Detections
from specc_runtime.inference import detect
from specc_runtime.video import SUFFIXES as VIDEOS
from specc_runtime.video import Video

PICTURES = (".jpeg", ".jpg", ".png")
AT_ONCE = 8
"""Pictures that the network looks at together."""
SHOWN = 3
"""Files of those that cannot be read."""


def predict(
    detector: Detector,
    classes: Sequence[str],
    sources: Sequence[Path],
    folder: Path,
    least_score: float = 0.5,
    instances: Path | None = None,
) -> list[dict[str, Any]]:
    """Write each picture and video with its objects, and `detections.json`, into `folder`.

    Returns what `detections.json` holds. With `instances`, an annotation file of COCO, `results.json`
    has all objects on the pictures, whatever their score, with the ids of that file.

    Args:
        detector: in evaluation mode.
        classes: names without background.
        sources: JPEG and PNG files, videos, and folders of these.
        folder: is made. Of the same name, from different folders, the last drawing stays.
        least_score: of an object that is drawn and told of.
        instances: what the results are to be scored against.

    Raises:
        UnreadableImage: files that cannot be read, once all others are done; or one that would be
            overwritten by its drawing.
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
    videos = [path for path in paths if path.suffix.lower() in VIDEOS]
    files = _Files([path for path in paths if path not in videos])
    for image, found in look(detector, files.images()):
        path = files.read.pop(0)
        drawn, objects = _drawn(image, found, classes, least_score)
        save_image(_drawing(path, folder), drawn)
        height, width = image.shape[:2]
        told.append({"image": str(path), "width": width, "height": height, "detections": objects})
        results += ids.results(path, found) if ids else []
    for path in videos:
        try:
            video = Video.open(path)
        except UnreadableImage as error:
            files.unreadable.append(str(error))
        else:
            told.append(_watch(detector, classes, video, folder, least_score))
    (folder / "detections.json").write_text(json.dumps(told, indent=1) + "\n")
    if ids:
        (folder / "results.json").write_text(json.dumps(results) + "\n")
    if files.unreadable and len(paths) == 1:
        raise UnreadableImage(files.unreadable[0])
    if files.unreadable:
        more = ", ..." if len(files.unreadable) > SHOWN else ""
        what = f"{len(files.unreadable):,} of {len(paths):,} files cannot be read"
        others = f"; what was found on the others is in {folder}" if told else ""
        raise UnreadableImage(f"{what}: {', '.join(files.unreadable[:SHOWN])}{more}{others}")
    return told


class _Files:
    """Pictures read one after the other: `read` are those not taken yet, `unreadable` says what failed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.read: list[Path] = []
        self.unreadable: list[str] = []

    def images(self) -> Iterator[np.ndarray]:
        for path in self._paths:
            try:
                image = decode(path)
            except UnreadableImage as error:
                self.unreadable.append(str(error))
            else:
                self.read.append(path)
                yield image


def look(
    detector: Detector, images: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, Detections]]:
    """Each image, RGB uint8 [H, W, 3], with the objects on it: boxes in its pixels, best first."""
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
    """The files, with what folders hold in their places. Raises `UnreadableImage`."""
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
    """Where the drawing of a picture or a video goes."""
    return folder / (f"{path.stem}.mp4" if path.suffix.lower() in VIDEOS else path.name)


def _watch(
    detector: Detector, classes: Sequence[str], video: Video, folder: Path, least_score: float
) -> dict[str, Any]:
    """Draw a video anew, frame by frame, and tell what was found."""
    frames: list[dict[str, Any]] = []
    with video.like(_drawing(video.path, folder)) as writer:
        for number, (image, found) in enumerate(look(detector, video.frames())):
            drawn, objects = _drawn(image, found, classes, least_score)
            writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
            seconds = round(number / video.fps, 3)
            frames.append({"frame": number, "seconds": seconds, "detections": objects})
    size = {"width": video.width, "height": video.height, "fps": video.fps}
    return {"video": str(video.path), **size, "frames": frames}


def _drawn(
    image: np.ndarray, found: Detections, classes: Sequence[str], least_score: float
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The image with the objects that are sure enough, and these as JSON has them."""
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
    """Ids of pictures and classes in an annotation file of COCO. Raises `DataError`."""

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
        """All objects on a picture in COCO's format of results: boxes are x, y, width, height."""
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
