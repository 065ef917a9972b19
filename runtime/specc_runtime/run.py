"""The folder of a run, which keeps what the run was: enough to repeat it and to go on with it."""

import fcntl
import hashlib
import json
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import torch

from specc_runtime.data import Dataset
from specc_runtime.recipe import Recipe


class RunError(Exception):
    """The folder cannot be used for this run; the message says why."""


@dataclass(frozen=True)
class Run:
    """A run's folder and the names in it."""

    path: Path
    classes: tuple[str, ...] = ()

    @property
    def model(self) -> Path:
        """The emitted module, copied."""
        return self.path / "model.py"

    @property
    def recipe(self) -> Path:
        """The recipe with every default and override in it."""
        return self.path / "recipe.yaml"

    @property
    def about(self) -> Path:
        """Data, its fingerprint, classes and versions."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """Losses and scores, a JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """The last checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The weights with the best score on the validation split."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The weights at the end."""
        return self.path / "last.safetensors"

    def lock(self) -> IO[str]:
        """Make the folder and hold it until the file returned is closed. Raises `RunError`."""
        self.path.mkdir(parents=True, exist_ok=True)
        file = (self.path / ".lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise RunError(f"{self.path}: another process is training in this folder") from error
        return file

    def require_new(self) -> None:
        """Raise `RunError` if a run has come to its first checkpoint in this folder."""
        if self.checkpoints.exists():
            raise RunError(f"{self.path}: holds a run: give another -o, or --resume {self.path}")

    def write(
        self, model: Path, recipe: Recipe, dataset: Dataset, data: dict[str, str | None]
    ) -> None:
        """Record a run before its first step."""
        if model.resolve() != self.model.resolve():
            shutil.copyfile(model, self.model)
        self.recipe.write_text(recipe.as_yaml())
        about = {
            "command": sys.argv,
            "data": data,
            "classes": list(dataset.classes),
            "fingerprint": fingerprint(dataset),
            "versions": {
                "python": platform.python_version(),
                "torch": version("torch"),
                "torchvision": version("torchvision"),
                "cuda": torch.version.cuda,
            },
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        }
        self.about.write_text(json.dumps(about, indent=1) + "\n")

    def read(self) -> dict[str, Any]:
        """What `write` recorded. Raises `RunError`."""
        try:
            return json.loads(self.about.read_text())
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path}: holds no run to go on with: {error}") from error

    def check_data(self, dataset: Dataset) -> None:
        """Raise `RunError` unless the data set is the one that the run began with."""
        if self.read()["fingerprint"] != fingerprint(dataset):
            raise RunError(f"{self.path}: the data set has changed since this run began")


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of the classes and of all that is annotated, in order."""
    digest = hashlib.sha256("\n".join(dataset.classes).encode())
    for found in dataset.annotations:
        digest.update(f"\n{found.path.name} {found.height} {found.width}".encode())
        for values in (found.boxes, found.labels, found.difficult):
            digest.update(values.tobytes())
    return digest.hexdigest()
