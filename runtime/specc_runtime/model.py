"""Emitted modules: loaded from their file, checked, and completed to a detector.

A generated file is the user's own code and runs when it is loaded, like any Python module.
"""

import hashlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

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


class Predictions(NamedTuple):
    """What a network says of each anchor."""

    offsets: Tensor  # (B, A, 4)
    logits: Tensor  # (B, A, C), class 0 background


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
        """Number of classes that the spec was written for, background included."""
        return int(self.literal["num_classes"])

    def build(self, num_classes: int | None = None) -> "Detector":
        """The detector, freshly initialised, for `num_classes` classes including background."""
        count = num_classes or self.num_classes
        return Detector(self.network(num_classes=count), self.literal, count)


def load(path: Path) -> Emitted:
    """Load a generated detector. Raises `ContractError` where the file is not one."""
    names = run_file(path)
    literal = names.get("DETECTOR")
    if not isinstance(literal, dict):
        raise ContractError(f"{path}: no DETECTOR, so there is no loss and no boxes to train")
    literal = cast(dict[str, Any], literal)
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
        starts = make_anchors(freeze(literal.get("maps", ())), self.input.size)
        self.register_buffer("anchors", starts, persistent=False)
        for name in ("mean", "std"):
            values = torch.tensor(getattr(self.input, name)).view(3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self._check_outputs()

    def normalise(self, images: Tensor) -> Tensor:
        """The network's input from images (B, 3, H, W), RGB, 0 to 255, of any dtype."""
        x = images.flip(1) if self.input.channels == "BGR" else images
        return (x.float() * (self.input.scale / 255.0) - self.mean) / self.std

    def forward(self, images: Tensor) -> Predictions:
        """What the network says of images (B, 3, H, W) as `normalise` takes them, in float32."""
        outputs = self.network(self.normalise(images))
        return Predictions(
            getattr(outputs, self.outputs.boxes).float(),
            getattr(outputs, self.outputs.classes).float(),
        )

    def loss(self, predictions: Predictions, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The parts of the loss, to be summed, given boxes (B, M, 4) and labels (B, M).

        Labels count classes from 0 without background; -1 is padding.
        """
        assigned = self.match(self.anchors, targets, labels)
        offsets = self.coder.encode(assigned.boxes, self.anchors)
        return self.criterion(predictions.offsets, predictions.logits, offsets, assigned.labels)

    def detect(self, predictions: Predictions) -> decode.Detections:
        """The boxes found, in pixels of the network's input, clipped to it."""
        found = self.coder.decode(predictions.offsets, self.anchors)
        scores = predictions.logits.softmax(dim=-1)[..., 1:]
        return self.select(boxes.clip(found, self.input.size), scores)

    def _check_outputs(self) -> None:
        """Run the network on the meta device: names and shapes of its outputs must fit."""
        wanted = {self.outputs.boxes: 4, self.outputs.classes: self.num_classes}
        images = torch.empty(1, 3, *self.input.size, device="meta")
        tensors = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        on_meta = {name: value.to("meta") for name, value in tensors.items()}
        outputs = torch.func.functional_call(self.network, on_meta, (images,))
        for name, columns in wanted.items():
            value = getattr(outputs, name, None)
            if not isinstance(value, Tensor):
                raise ContractError(f"DETECTOR: outputs names {name!r}, which the network lacks")
            if value.shape != (1, len(self.anchors), columns):
                raise ContractError(
                    f"DETECTOR: the anchors need {name} of shape "
                    f"(N, {len(self.anchors)}, {columns}), the network gives "
                    f"(N, {', '.join(map(str, value.shape[1:]))})"
                )
