"""A network with what surrounds it: images in, losses or detections out."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from specc_runtime import anchors, boxes, decode, losses, matching, weights
from specc_runtime.contract import (
    ContractError,
    Input,
    Outputs,
    component,
    lists_to_tuples,
    record,
)
from specc_runtime.predictions import Predictions, take
from specc_runtime.weights import Fit, Weights

NEED_CELLS = (
    boxes.CellCoder,
    boxes.RootCoder,
    matching.CellMatch,
    matching.GridMatch,
    losses.YOLOLoss,
    losses.YOLOv1Loss,
    losses.YOLOv2Loss,
)
"""Parts that need each anchor's cell as well."""


class Detector(nn.Module):
    """A network with everything that turns pictures into losses or detections.

    Only the network has weights. Anchors and the input's normalisation are buffers that follow the
    device and are never saved.
    """

    dynamic_shapes: ClassVar[bool] = False
    """Whether shapes within a step depend on the data."""

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
        maps = lists_to_tuples(literal.get("maps", ()))
        self.register_buffer("anchors", make_anchors(maps, self.input.size), persistent=False)
        self.levels = tuple(
            height * width * count
            for (height, width), count in zip(maps, make_anchors.per_cell, strict=True)
        )
        for name in ("mean", "std"):
            values = torch.tensor(getattr(self.input, name)).view(3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self._check_parts()
        self._check_outputs()

    @classmethod
    def background(cls, literal: Mapping[str, Any]) -> int:
        """Number of class outputs that are no class of the data. Raises `ContractError`."""
        return component(losses.KINDS, literal.get("loss"), "loss").background

    def load(self, found: Weights) -> None:
        """Load all weights of the network, and prepare images as they were trained.

        Raises `WeightsError` unless all fit, and `ContractError`.
        """
        weights.load(self.network, found)
        if found.preprocess is not None:
            self.expect(found.preprocess)

    def load_fitting(self, found: Weights) -> Fit:
        """Load the weights whose names and shapes match, and prepare images as they were trained.

        Raises `WeightsError` if none does, and `ContractError`.
        """
        fit = weights.load_fitting(self.network, found)
        if found.preprocess is not None:
            self.expect(found.preprocess)
        return fit

    def expect(self, preprocess: Mapping[str, Any]) -> None:
        """Prepare images by these settings, as `Input.preprocess` has them. Raises `ContractError`."""
        literal = {**preprocess, "size": self.input.size}
        self.input = record(Input, literal, "input")
        for name, values in (("mean", self.input.mean), ("std", self.input.std)):
            getattr(self, name).copy_(torch.tensor(values).view(3, 1, 1))

    def normalise(self, images: Tensor) -> Tensor:
        """The network's input from images (B, 3, H, W), RGB, 0 to 255, of any dtype."""
        x = images.flip(1) if self.input.channels == "BGR" else images
        return (x.float() * (self.input.scale / 255.0) - self.mean) / self.std

    def forward(self, images: Tensor) -> Predictions:
        """The network's predictions, in float32, for images (B, 3, H, W) as `normalise` takes them."""
        return self.read(self.network(self.normalise(images)))

    def read(self, outputs: Any) -> Predictions:
        """The outputs of the network that the loss reads. Raises `ContractError`."""
        columns = {"boxes": 4, "classes": self.num_classes, "centerness": 1, "objectness": 1}
        shapes = {key: (len(self.anchors), columns[key]) for key in self.criterion.reads}
        named = {key: self.outputs.name(key, self.criterion) for key in shapes}
        return Predictions(*(rows(outputs, named[key], shape) for key, shape in shapes.items()))

    def losses(
        self, images: Tensor, targets: Tensor, labels: Tensor, *, bf16: bool = False
    ) -> dict[str, Tensor]:
        """The parts of the loss, to be summed, of images (B, 3, H, W) with objects as `loss` takes them.

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
        best = self.criterion.best(predictions, self.select.score)

        def scores(at: Tensor) -> Tensor:
            return self.criterion.scores(predictions.at(at))

        def found(at: Tensor, labels: Tensor) -> Tensor:
            del labels  # an anchor has one box, whatever its class
            decoded = self.coder.decode(take(predictions.offsets, at), self.anchors[at])
            return boxes.clip(decoded, self.input.size)

        return self.select.among(best, scores, found, self.levels)

    def _check_parts(self) -> None:
        """Raise `ContractError` if anchors lack cells, or outputs keys, that other parts need."""
        for part in (self.coder, self.match, self.criterion):
            if isinstance(part, NEED_CELLS) and self.anchors.shape[1] == 4:
                kind = type(part).__name__
                raise ContractError(f"DETECTOR: {kind} needs anchors with cells: BoxPriors")
        for key in self.criterion.reads:
            self.outputs.name(key, self.criterion)

    def _check_outputs(self) -> None:
        """Raise `ContractError` unless names and shapes of the network's outputs fit.

        It runs on the meta device, on two images: a norm in training needs more than one value a channel.
        """
        images = torch.empty(2, 3, *self.input.size, device="meta")
        tensors = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        on_meta = {name: value.to("meta") for name, value in tensors.items()}
        self.read(torch.func.functional_call(self.network, on_meta, (images,)))


def rows(outputs: Any, name: str, shape: tuple[int, int]) -> Tensor:
    """The output of this name (B, *shape), in at least float32. Raises `ContractError` if it has another shape."""
    value = getattr(outputs, name, None)
    if not isinstance(value, Tensor):
        raise ContractError(f"DETECTOR: outputs names {name!r}, which the network lacks")
    if value.shape[1:] != shape:
        raise ContractError(
            f"DETECTOR: the anchors need {name} of shape (N, {shape[0]}, {shape[1]}), "
            f"the network gives (N, {', '.join(map(str, value.shape[1:]))})"
        )
    return value.to(torch.promote_types(value.dtype, torch.float32))
