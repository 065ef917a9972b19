"""Two-stage detectors: the first stage proposes regions, the second classifies them."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from specc_runtime import boxes, decode, losses, matching, sampling
from specc_runtime.contract import ContractError, Outputs, component, record
from specc_runtime.detector import Detector, rows
from specc_runtime.predictions import Predictions

SMALLEST = 1e-2
"""Minimum width and height of a detected box, in pixels of the network's input, as in torchvision."""

KINDS: dict[str, dict[str, Any]] = {
    "match": {"IoUMatch": matching.IoUMatch},
    "sample": sampling.KINDS,
    "coder": {"BoxCoder": boxes.BoxCoder, "BoxLinearCoder": boxes.BoxLinearCoder},
    "loss": losses.OF_REGIONS,
}
"""The parts of a second stage, by slot and `kind`."""


@dataclass(frozen=True)
class Regions:
    """The second stage: the part `regions` of the literal.

    `stages` maps the network's methods, in the order they run, to the names of the values they return.
    `proposals` is the one of these values that training replaces by sampled regions.
    """

    proposals: str
    stages: dict[str, tuple[str, ...]]
    outputs: Outputs
    match: matching.IoUMatch
    sample: sampling.Sample
    coder: boxes.BoxCoder | boxes.BoxLinearCoder
    loss: losses.FastRCNNLoss

    @classmethod
    def of(cls, literal: Mapping[str, Any]) -> "Regions":
        """Read the part `regions` of a literal. Raises `ContractError`."""
        part = dict(literal["regions"])
        part["outputs"] = record(Outputs, part.get("outputs"), "regions.outputs")
        for slot, kinds in KINDS.items():
            part[slot] = component(kinds, part.get(slot), f"regions.{slot}")
        return record(cls, part, "regions")


class TwoStageDetector(Detector):
    """A detector whose second stage classifies regions: Ren et al., Faster R-CNN, NeurIPS 2015.

    The first stage is a detector of one class, *object*, whose best boxes are the regions. Training
    samples some of them, so the network's stages run one by one, and the sample replaces the regions in
    between. No gradient flows through the regions.
    """

    dynamic_shapes: ClassVar[bool] = True

    def __init__(self, network: nn.Module, literal: dict[str, Any], num_classes: int) -> None:
        super().__init__(network, literal, num_classes)
        self.regions = Regions.of(literal)
        self._takes = _parameters(network, self.regions.stages)
        (self._input,) = inspect.signature(network.forward).parameters
        proposals, stages = self.regions.proposals, self.regions.stages
        names = list(stages)
        ends = [end for end, name in enumerate(names[:-1], 1) if proposals in stages[name]]
        if not ends:
            raise ContractError(
                f"DETECTOR: regions.proposals is {proposals!r}, which no stage but the last hands on"
            )
        self._first, self._second = names[: ends[0]], names[ends[0] :]

    @classmethod
    def background(cls, literal: Mapping[str, Any]) -> int:
        """Number of class outputs that are no class of the data. Raises `ContractError`."""
        return Regions.of(literal).loss.background

    def forward(self, images: Tensor) -> Predictions:
        """The second stage's predictions, in float32, for the regions that the first proposes."""
        values = self._propose(images)
        return self._of_regions(self._run(self._second, values), values)

    def losses(
        self, images: Tensor, targets: Tensor, labels: Tensor, *, bf16: bool = False
    ) -> dict[str, Tensor]:
        """The parts of both stages' losses, for images (B, 3, H, W) with boxes (B, M, 4), labels (B, M).

        `bf16` computes the network's layers in bfloat16; the loss is always in float32.
        """
        part = self.regions
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            values = self._propose(images)
            drawn = part.sample(values[part.proposals], targets, labels, part.match)
            values[part.proposals] = drawn.regions
            outputs = self._run(self._second, values)
        of_anchors = self.loss(self.read(outputs), targets, labels)
        said = self._of_regions(outputs, values)
        return of_anchors | part.loss(said, drawn.assigned, part.coder, drawn.regions)

    def detect(self, predictions: Predictions) -> decode.Detections:
        """The boxes found, in pixels of the network's input, clipped to it."""
        if predictions.regions is None:
            raise ValueError("these predictions are not of regions")
        scores = self.regions.loss.scores(predictions)
        offsets = predictions.offsets.reshape(*scores.shape[:2], -1, 4)[:, :, -scores.shape[2] :]
        found = self.regions.coder.decode(offsets, predictions.regions[:, :, None])
        found = boxes.clip(found, self.input.size)
        is_large = (found[..., 2:] - found[..., :2] >= SMALLEST).all(dim=-1)
        scores = scores.where(is_large, 0.0)  # in padding, regions without area, none is
        return self.select(found, scores, (scores.shape[1],))

    def _of_regions(self, outputs: Any, values: Mapping[str, Any]) -> Predictions:
        """The second stage's predictions for the regions. Raises `ContractError`."""
        regions: Tensor = values[self.regions.proposals]
        names, loss, classes = self.regions.outputs, self.regions.loss, self.num_classes
        offsets = rows(outputs, names.boxes, (regions.shape[1], 4 * classes))
        logits = rows(outputs, names.name("classes", loss), (regions.shape[1], classes))
        return Predictions(offsets, logits, regions=regions)

    def _propose(self, images: Tensor) -> dict[str, Any]:
        """All values by name, after the stages up to the proposals."""
        values: dict[str, Any] = {self._input: self.normalise(images)}
        self._run(self._first, values)
        return values

    def _run(self, stages: Sequence[str], values: dict[str, Any]) -> Any:
        """Run stages in turn, adding their results to `values`; return the last stage's."""
        given: Any = None
        for name in stages:
            given = getattr(self.network, name)(*(values[taken] for taken in self._takes[name]))
            handed = self.regions.stages[name]
            values.update(zip(handed, given if len(handed) > 1 else (given,), strict=False))
        return given

    def _check_outputs(self) -> None:
        """Leave it to `read`: the number of proposals depends on data, which the meta device lacks."""


def _parameters(network: nn.Module, stages: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The arguments of each stage of a network. Raises `ContractError` if no earlier stage returns one."""
    known = set(inspect.signature(network.forward).parameters)
    taken: dict[str, list[str]] = {}
    for name, handed in stages.items():
        stage = getattr(network, name, None)
        if not callable(stage):
            raise ContractError(f"DETECTOR: stages names {name!r}, which the network lacks")
        taken[name] = list(inspect.signature(stage).parameters)
        for missing in (given for given in taken[name] if given not in known):
            raise ContractError(f"DETECTOR: no stage before {name!r} hands on {missing!r}")
        known.update(handed)
    return taken
