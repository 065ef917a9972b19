"""The folder of a run, which holds everything needed to repeat or resume the run."""

import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, cast

import cv2
import torch

from specc_runtime import distributed
from specc_runtime.data import Dataset
from specc_runtime.files import sha256, write_text
from specc_runtime.recipe import Recipe


class RunError(Exception):
    """The folder cannot be used for this run; the message says why."""


@dataclass(frozen=True)
class Run:
    """A run's folder and the files in it; `classes` go into the weights that it saves."""

    path: Path
    classes: tuple[str, ...] = ()

    @property
    def model(self) -> Path:
        """A copy of the emitted module."""
        return self.path / "model.py"

    @property
    def spec(self) -> Path:
        """The spec that it was emitted from, as written, if there was one."""
        return self.path / "spec.yaml"

    @property
    def expanded(self) -> Path:
        """That spec with its variant applied and everything it uses included: it compiles by itself."""
        return self.path / "expanded.yaml"

    @property
    def recipe(self) -> Path:
        """The recipe, with all defaults and overrides."""
        return self.path / "recipe.yaml"

    @property
    def about(self) -> Path:
        """Command, data and its fingerprints, classes, starting weights, versions, git's state."""
        return self.path / "run.json"

    @property
    def metrics(self) -> Path:
        """Losses and scores, one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def tracked(self) -> Path:
        """The run's id at a tracking service, if the recipe asks for one."""
        return self.path / "tracked.json"

    @property
    def checkpoints(self) -> Path:
        """The last two checkpoints."""
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
        """Make the folder and lock it until the returned file is closed. Raises `RunError`.

        The lock ends with this process, even if its data loader workers live on.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        file = (self.path / ".lock").open("w")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise RunError(f"{self.path}: another process is training in this folder") from error
        return file

    def require_new(self) -> None:
        """Raise `RunError` if another run has saved a checkpoint in this folder."""
        if self._has_come_far() and not self.is_restarted():
            raise RunError(f"{self.path}: holds a run: give another -o, or --resume {self.path}")

    def is_restarted(self) -> bool:
        """Whether `torchrun` has started this run again, so that it should resume."""
        if not (distributed.launch_id() and self._has_come_far()):
            return False
        began = self.read()
        return began["command"] == sys.argv and distributed.is_restart_of(began.get("launch"))

    def _has_come_far(self) -> bool:
        return any(self.checkpoints.glob("step-*"))

    def write(
        self,
        sources: Mapping[Path, Path],
        recipe: Recipe,
        datasets: Iterable[Dataset],
        asked: Mapping[str, Any],
    ) -> None:
        """Record a run before its first step.

        `sources` are the files to copy, by their places here; `datasets` are the splits to train and
        score on; `asked` are further entries of `run.json`.
        """
        for kept, source in sources.items():
            shutil.copyfile(source, kept)
        self.keep_recipe(recipe)
        about = {
            "command": sys.argv,
            "launch": distributed.launch_id(),
            **asked,
            "classes": list(self.classes),
            "fingerprints": {found.report.split: fingerprint(found) for found in datasets},
            **machine(),
        }
        write_text(self.about, json.dumps(about, indent=1) + "\n")

    def keep_recipe(self, recipe: Recipe) -> None:
        """Record a recipe, whole or not at all."""
        write_text(self.recipe, recipe.as_yaml())

    def keep_data(self, root: Path) -> None:
        """Record the new place of the data set."""
        about = self.read()
        about["data"]["root"] = str(root.resolve())
        write_text(self.about, json.dumps(about, indent=1) + "\n")

    def read(self) -> dict[str, Any]:
        """The contents of `run.json`. Raises `RunError`."""
        try:
            about = json.loads(self.about.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunError(f"{self.path}: holds no run: there is no {self.about.name}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{self.about}: damaged: {error}") from error
        if not _is_record(about):
            raise RunError(
                f"{self.about}: damaged, or of another version of specc: it lacks what every run "
                f"records. Begin the run again, in another folder"
            )
        return cast(dict[str, Any], about)

    def data(self) -> Path:
        """The recorded place of the data set. Raises `RunError` if it is not there."""
        root = Path(self.read()["data"]["root"])
        if not root.exists():
            raise RunError(
                f"{self.path}: its data set is no longer at {root}: say where with --data"
            )
        return root

    def start_weights(self, moved: Path | None = None) -> Path | None:
        """The weights that the run started from, if any; `moved` is their new place if they have moved.

        Raises `RunError` unless the file is there and unchanged.
        """
        began = self.read()["weights"]
        if not began:
            if moved:
                raise RunError(f"{self.path}: began without weights: leave --weights out")
            return None
        path = moved or Path(began["path"])
        if not path.is_file():
            where = "not" if moved else "no longer"
            raise RunError(
                f"{self.path}: the weights that it began with are {where} at {path}: say where with "
                f"--weights"
            )
        if (now := sha256(path)) != began["sha256"]:
            raise RunError(
                f"{path}: not the weights that {self.path} began with: their SHA-256 is "
                f"{began['sha256']}, and this file's {now}"
            )
        return path

    def check_data(self, datasets: Iterable[Dataset]) -> None:
        """Raise `RunError` unless these splits have the classes and annotations the run began with."""
        began = self.read()
        for found in datasets:
            if began["classes"] != list(found.classes):
                raise RunError(
                    f"{self.path}: began with the classes {', '.join(began['classes'])}; the data "
                    f"set now has {', '.join(found.classes)}"
                )
            if began["fingerprints"].get(found.report.split) != fingerprint(found):
                raise RunError(
                    f"{self.path}: the data set has changed since this run began\n"
                    f"{found.report.table()}"
                )


def _is_record(about: Any) -> bool:
    """Whether this has the form of what `Run.write` records."""
    match about:
        case {
            "command": [*_],
            "data": {"root": str(), "split": str(), "val_split": None | str()},
            "classes": [*classes],
            "fingerprints": dict(),
            "weights": None | {"path": str(), "sha256": str()},
            "versions": dict(),
            "device": str(),
            "threads": int(threads),
        }:
            return threads > 0 and all(isinstance(name, str) for name in classes)
        case _:
            return False


def machine() -> dict[str, Any]:
    """Versions and hardware, on which results may depend."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torchvision", "numpy")},
            "opencv": cv2.__version__,
            "cuda": torch.version.cuda,
        },
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "processes": distributed.world_size(),
        "threads": torch.get_num_threads(),
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """The commit and the changed files of the git repository around a folder; None without one."""
    git = ["git", "-C", str(folder)]
    try:
        commit, status = (
            subprocess.run([*git, *what], capture_output=True, check=True, text=True, timeout=60)  # noqa: S603
            for what in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "changed": status.stdout.splitlines()}


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of the classes and of all annotations, in order."""
    digest = hashlib.sha256("\n".join(dataset.classes).encode())
    for found in dataset.annotations:
        digest.update(f"\n{found.path.name} {found.height} {found.width}".encode())
        for values in (found.boxes, found.labels, found.difficult):
            digest.update(values.tobytes())
    return digest.hexdigest()
