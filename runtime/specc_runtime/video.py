"""Videos, frame by frame, as OpenCV's FFmpeg reads and writes them."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from specc_runtime.data.images import UnreadableImage

USUAL_FPS = 25.0
"""Frames per second of a file that does not state them."""
SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")


@dataclass(frozen=True)
class Video:
    """A video file; `fps` is in frames per second, width and height are as shown, in pixels."""

    path: Path
    width: int
    height: int
    fps: float

    @classmethod
    def open(cls, path: Path) -> "Video":
        """Raises `UnreadableImage`."""
        capture = cv2.VideoCapture(str(path))
        try:
            readable, frame = capture.read()
            fps = capture.get(cv2.CAP_PROP_FPS)
        finally:
            capture.release()
        if not readable:
            raise UnreadableImage(f"{path}: no video that can be read")
        height, width = frame.shape[:2]
        return cls(path, width, height, fps or USUAL_FPS)

    def frames(self) -> Iterator[np.ndarray]:
        """The frames in order, RGB uint8 [H, W, 3]."""
        capture = cv2.VideoCapture(str(self.path))
        try:
            while (read := capture.read())[0]:
                yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
        finally:
            capture.release()

    @contextmanager
    def like(self, path: Path) -> Generator[cv2.VideoWriter]:
        """A writer of a new MPEG-4 file of the same size and speed, for BGR frames. Raises `OSError`."""
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(path), code, self.fps, (self.width, self.height))
        try:
            if not writer.isOpened():
                raise OSError(f"{path}: cannot be written")
            yield writer
        finally:
            writer.release()
