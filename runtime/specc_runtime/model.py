"""Emitted modules: loaded from their file, and completed to a detector.

A generated file is the user's own code and runs when it is loaded, like any Python module.
"""

import hashlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn

from specc_runtime.contract import FORMAT, ContractError
from specc_runtime.detector import Detector
from specc_runtime.two_stage import TwoStageDetector


@dataclass(frozen=True)
class Emitted:
    """A generated file: the class of its network, and its literal `DETECTOR`."""

    path: Path
    network: type[nn.Module]
    literal: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.literal.get("name", self.path.stem))

    @property
    def num_classes(self) -> int:
        """Number of class outputs in the spec, including the background's if there is one."""
        return int(self.literal["num_classes"])

    @property
    def kind(self) -> type[Detector]:
        """The class of the detector, with one stage or two."""
        return TwoStageDetector if "regions" in self.literal else Detector

    @property
    def background(self) -> int:
        """Number of class outputs for the background: 1 for a softmax, 0 for sigmoids."""
        return self.kind.background(self.literal)

    def build(self, classes: int | None = None) -> Detector:
        """The detector, freshly initialised, for this many classes without background.

        Raises `ContractError`.
        """
        if "num_classes" not in inspect.signature(self.network).parameters:
            raise ContractError(f"{self.path}: the network takes no num_classes")
        if classes == 0:
            raise ContractError("no object is annotated, so there is no class to learn")
        count = self.num_classes if classes is None else classes + self.background
        return self.kind(self.network(num_classes=count), self.literal, count)


def load(path: Path, spec: str | Path | None = None) -> Emitted:
    """Load a generated detector. Raises `ContractError` if the file is not one.

    `spec` is what the file has just been compiled from, if so: an error then points to the spec.
    """
    names = run_file(path)
    literal = names.get("DETECTOR")
    if not isinstance(literal, dict):
        lacks = f"{spec}: no `detector:`" if spec else f"{path}: no DETECTOR"
        raise ContractError(f"{lacks}, so there is no loss and no boxes to train")
    literal = cast(dict[str, Any], literal)
    if "num_classes" not in literal:
        raise ContractError(f"{path}: DETECTOR lacks num_classes")
    if literal.get("format") != FORMAT:
        raise ContractError(
            f"{path}: DETECTOR has format {literal.get('format')!r}, this runtime reads {FORMAT}; "
            "build the spec again with the specc of the same version"
        )
    return Emitted(path, names["MODEL"], literal)


def run_file(path: Path) -> dict[str, Any]:
    """The names that a generated file defines, `MODEL` among them. Raises `ContractError`."""
    if not path.is_file():
        raise ContractError(_missing(path))
    name = f"specc_generated.{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ContractError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ContractError(f"{path}: does not load: {type(error).__name__}: {error}") from error
    network = vars(module).get("MODEL")
    if not (isinstance(network, type) and issubclass(network, nn.Module)):
        raise ContractError(f"{path}: no MODEL, the class of the network; was it made by specc?")
    return vars(module)


def _missing(path: Path) -> str:
    """The message for a missing file, with the one that was probably meant."""
    meant = [path / "model.py", Path(f"{path}.yaml"), Path(f"{path}.py")]
    near = next((file for file in meant if file.is_file()), None)
    what = "is a folder" if path.is_dir() else "there is no such file"
    return f"{path}: {what}" + (f": did you mean {near}?" if near else "")
