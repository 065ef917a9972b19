"""Detectors and commands at work on a device that is not the CPU: `test_other_device` judges what it prints.

Run as a process of its own, with a folder to write to and what is to be done: `commands`, `faults`, `same`
or `work`. What it prints ends with a line of JSON.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from specc.driver import compile_spec
from specc_runtime import api, batch_size, inference, model, session, tensorfile
from specc_runtime.bench import capacity, measure
from specc_runtime.data import synth
from specc_runtime.detector import Detector
from specc_runtime.step import Stepper, read

from .noise import batch
from .other_device import DEVICE, MixedDevices, Other
from .training import RECIPE, TINY

SPECS = Path(__file__).parents[2] / "specs"
BF16 = replace(RECIPE, precision="bf16", clip_norm=5.0)


class Case(NamedTuple):
    """A detector, made small, and how it is trained."""

    images: int
    optimizer: str
    params: dict[str, int]


DETECTORS = {
    "efficientdet": Case(4, "sgd", {"size": 128}),
    "faster_rcnn_light": Case(2, "sgd", {}),
    "fcos_resnet50_fpn": Case(2, "sgd", {"height": 128, "width": 128}),
    "retinanet_light": Case(2, "adamw", {}),
    "ssd300_vgg": Case(2, "sgd", {}),
    "yolov1": Case(1, "sgd", {}),
    "yolov2": Case(4, "sgd", {"size": 64}),
    "yolov3": Case(2, "sgd", {"size": 64}),
    "yolov3_tiny": Case(2, "adamw", {"size": 64}),
}
SAME = ("faster_rcnn_light", "retinanet_light", "yolov3_tiny")
"""Small ones, to be computed on both devices."""


def detector(spec: str) -> Detector:
    """The detector of a spec for three classes, its weights always the same."""
    torch.manual_seed(0)
    params = DETECTORS[spec].params
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "generated" / f"{spec}.py"
        file.parent.mkdir()
        file.write_text(compile_spec(SPECS / f"{spec}.yaml", params=params).source)
        return model.load(file).build(3)


def noted(action: Callable[[], Any]) -> tuple[Any, dict[str, int]]:
    """What comes of an action, and where the host waited in it."""
    Other.waits.clear()
    return action(), dict(Other.waits)


def work(spec: str) -> dict[str, Any]:
    """A step's losses, and where the host waits in it and in a detection, both in bfloat16."""
    case = DETECTORS[spec]
    recipe = replace(BF16, optimizer=case.optimizer, accumulate=min(2, case.images))
    stepper = Stepper(detector(spec).to(DEVICE), recipe, print)
    made = batch(stepper.detector, case.images)
    taken, step = noted(lambda: stepper(made, 0, 0, 1e-3))
    _, detection = noted(
        lambda: inference.detect(stepper.scored, made.images, made.sizes, bf16=True)
    )
    return {"losses": read([taken])[0], "step": step, "detection": detection}


def numbers(spec: str) -> dict[str, Any]:
    """Losses of two steps, and the sums of the boxes found afterwards, on both devices."""
    found = {}
    for device in (torch.device("cpu"), DEVICE):
        recipe = replace(RECIPE, clip_norm=5.0, accumulate=2, optimizer=DETECTORS[spec].optimizer)
        stepper = Stepper(detector(spec).to(device), recipe, print)
        made = batch(stepper.detector, 2)
        losses = read([stepper(made, 0, number, 1e-3) for number in range(2)])
        stepper.scored.select = replace(stepper.scored.select, score=0.0)
        objects = inference.detect(stepper.scored, made.images, made.sizes)
        boxes = [of.boxes.sum(dim=0).tolist() for of in objects]
        found[device.type] = {"losses": losses, "boxes": boxes}
    return found


def commands(folder: Path) -> dict[str, Any]:
    """A run, resumed once, and what the other commands make of its weights, on both devices."""
    data = folder / "data"
    synth.write(data, images=20, size=(64, 64))
    capacity.SIDES["other"] = capacity.SIDES["cpu"]
    recipe = replace(RECIPE, epochs=1, workers=0, checkpoint_every=2)
    found = {}
    for device in (torch.device("cpu"), DEVICE):
        for module in (api, batch_size, measure, session):
            module.choose = lambda device=device: device
        run = folder / device.type

        def train(run=run):
            api.train(TINY, data, run, recipe)
            return api.resume(run, ["epochs=2"])

        trained, waits = noted(train)
        tensors, _ = tensorfile.read(trained.last)
        pictures = [next((data / "JPEGImages").glob("test_*.jpg"))]
        found[device.type] = {
            "waits": waits,
            "train": {name: value.double().sum().item() for name, value in tensors.items()},
            "evaluate": api.evaluate(TINY, data, trained.last, workers=0),
            "predict": api.predict(TINY, pictures, run / "drawn", trained.last, score=0.01),
            "find_rate": api.find_rate(TINY, data, recipe, steps=3).losses,
            "bench": [
                api.bench(TINY, mode, recipe, data=data, steps=1).get("gflop_per_image")
                for mode in ("train", "infer", "eval")
            ],
        }
    return found


def faults() -> dict[str, Any]:
    """What is said of things that a GPU refuses, or that the host waits for."""
    x, host = torch.ones(3, device=DEVICE), torch.ones(3)
    found = {}
    for name, action in {
        "add": lambda: x + host,
        "number of the device": lambda: host + x.sum(),
        "stack": lambda: torch.stack([x.sum(), torch.tensor(1.0)]),
        "index": lambda: x[torch.tensor([0])],
        "where": lambda: torch.where(host > 0, x, 0.0),
        "number of the host": lambda: x * torch.tensor(2.0),
        "item": lambda: x.sum().item(),
        "if": lambda: bool(x.sum() > 0),
        "mask": lambda: x[x > 0],
        "list": lambda: torch.tensor([1.0], device=DEVICE),
        "to": lambda: host.to(DEVICE),
        "to, without waiting": lambda: host.to(DEVICE, non_blocking=True),
        "cpu": x.cpu,
    }.items():
        try:
            _, found[name] = noted(action)
        except MixedDevices as error:
            found[name] = str(error)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    jobs = {
        "commands": lambda: commands(Path(sys.argv[1])),
        "faults": faults,
        "same": lambda: {spec: numbers(spec) for spec in SAME},
        "work": lambda: {spec: work(spec) for spec in DETECTORS},
    }
    print(json.dumps({name: jobs[name]() for name in sys.argv[2:]}))
