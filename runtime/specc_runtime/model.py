"""Emitted modules: loaded from their file, checked, and completed to a detector.

A generated file is the user's own code and runs when it is loaded, like any Python module.
"""

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from specc_runtime import anchors, boxes, decode, losses, matching
from specc_runtime.contract import (
    FORMAT,
    ContractError,
    Input,
    Outputs,
    component,
    freeze,
    record,
)
from specc_runtime.predictions import Predictions

NEED_CELLS = (boxes.CellCoder, matching.CellMatch, losses.YOLOLoss, losses.YOLOv2Loss)
"""Parts that place objects in the cells of maps."""


@dataclass(frozen=True)
class Emitted:
    """A generated file: the class of its network and what surrounds that network."""

    path: Path
    network: type[nn.Module]
    literal: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.literal.get("name", self.path.stem))

    @property
    def num_classes(self) -> int:
        """Number of class outputs that the spec was written for, background's included if it has one."""
        return int(self.literal["num_classes"])

    @property
    def background(self) -> int:
        """Number of class outputs that are no class of the data: 1 for a softmax, 0 for sigmoids."""
        return component(losses.KINDS, self.literal.get("loss"), "loss").background

    def build(self, classes: int | None = None) -> "Detector":
        """The detector, freshly initialised, for `classes` classes, background not counted.

        Raises `ContractError`.
        """
        if "num_classes" not in inspect.signature(self.network).parameters:
            raise ContractError(f"{self.path}: the network takes no num_classes")
        count = self.num_classes if classes is None else classes + self.background
        return Detector(self.network(num_classes=count), self.literal, count)


def load(path: Path) -> Emitted:
    """Load a generated detector. Raises `ContractError` where the file is not one."""
    names = run_file(path)
    literal = names.get("DETECTOR")
    if not isinstance(literal, dict):
        raise ContractError(f"{path}: no DETECTOR, so there is no loss and no boxes to train")
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
        raise ContractError(f"{path}: there is no such file")
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


class Detector(nn.Module):
    """A network with all that turns pictures into losses or detections.

    Weights are the network's alone: save and load `detector.network`. Anchors and the input's
    normalisation are buffers that follow the device and are never saved.
    """

    anchors: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, literal: dict[str, Any], num_classes: int) -> None:
        super().__init__()
        self.network = network
        self.num_classes = num_classes
        self.input = record(Input, literal.get("input"), "input")
        self.outputs = record(Outputs, literal.get("outputs"), "outputs")
        self.coder = component(boxes.KINDS, literal.get("coder"), "coder")
        self.match = component(matching.KINDS, literal.get("match"), "match")
        self.criterion = component(losses.KINDS, literal.get("loss"), "loss")
        self.select = component(decode.KINDS, literal.get("select"), "select")
        make_anchors = component(anchors.KINDS, literal.get("anchors"), "anchors")
        maps = freeze(literal.get("maps", ()))
        self.register_buffer("anchors", make_anchors(maps, self.input.size), persistent=False)
        self.levels = tuple(
            height * width * count
            for (height, width), count in zip(maps, make_anchors.per_cell, strict=True)
        )
        for name in ("mean", "std"):
            values = torch.tensor(getattr(self.input, name)).view(3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self._check_cells()
        self._check_outputs()

    def expect(self, preprocess: Mapping[str, Any]) -> None:
        """Bring images into the form that some weights were trained on, as `Input.preprocess` has it.

        Raises `ContractError`.
        """
        literal = {"size": self.input.size, **preprocess}
        self.input = record(Input, literal, "input")
        for name, values in (("mean", self.input.mean), ("std", self.input.std)):
            getattr(self, name).copy_(torch.tensor(values).view(3, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """The network's input from images (B, 3, H, W), RGB, 0 to 255, of any dtype."""
        x = images.flip(1) if self.input.channels == "BGR" else images
        return (x.float() * (self.input.scale / 255.0) - self.mean) / self.std

    def forward(self, images: Tensor) -> Predictions:
        """What the network says of images (B, 3, H, W) as `normalise` takes them, in float32."""
        outputs = self.network(self.normalise(images))
        named = (getattr(self.outputs, key) for key in self.criterion.reads)
        return Predictions(*(getattr(outputs, name).float() for name in named))

    def losses(
        self, images: Tensor, targets: Tensor, labels: Tensor, *, bf16: bool = False
    ) -> dict[str, Tensor]:
        """The parts of the loss of images (B, 3, H, W), boxes (B, M, 4) and labels (B, M).

        `bf16` computes the network's convolutions in bfloat16; the loss is always in float32.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            predictions = self(images)
        return self.loss(predictions, targets, labels)

    def loss(self, predictions: Predictions, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The parts of the loss, to be summed, given boxes (B, M, 4) and labels (B, M).

        Labels count classes from 0 without background; -1 is padding.
        """
        assigned = self.match(self.anchors, targets, labels)
        return self.criterion(predictions, assigned, self.coder, self.anchors)

    def detect(self, predictions: Predictions) -> decode.Detections:
        """The boxes found, in pixels of the network's input, clipped to it."""
        found = self.coder.decode(predictions.offsets, self.anchors)
        scores = self.criterion.scores(predictions)
        return self.select(boxes.clip(found, self.input.size), scores, self.levels)

    def _check_cells(self) -> None:
        for part in (self.coder, self.match, self.criterion):
            if isinstance(part, NEED_CELLS) and self.anchors.shape[1] == 4:
                kind = type(part).__name__
                raise ContractError(f"DETECTOR: {kind} needs anchors with cells: BoxPriors")

    def _check_outputs(self) -> None:
        """Run the network on the meta device: names and shapes of its outputs must fit.

        On two images, since a norm in training takes more than one value of each channel.
        """
        columns = {"boxes": 4, "classes": self.num_classes, "centerness": 1, "objectness": 1}
        for key in self.criterion.reads:
            if getattr(self.outputs, key) is None:
                kind = type(self.criterion).__name__
                raise ContractError(f"DETECTOR: outputs lacks {key}, which {kind} reads")
        wanted = {getattr(self.outputs, key): columns[key] for key in self.criterion.reads}
        images = torch.empty(2, 3, *self.input.size, device="meta")
        tensors = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        on_meta = {name: value.to("meta") for name, value in tensors.items()}
        outputs = torch.func.functional_call(self.network, on_meta, (images,))
        for name, columns in wanted.items():
            value = getattr(outputs, name, None)
            if not isinstance(value, Tensor):
                raise ContractError(f"DETECTOR: outputs names {name!r}, which the network lacks")
            if value.shape != (2, len(self.anchors), columns):
                raise ContractError(
                    f"DETECTOR: the anchors need {name} of shape "
                    f"(N, {len(self.anchors)}, {columns}), the network gives "
                    f"(N, {', '.join(map(str, value.shape[1:]))})"
                )
