"""The `batch` of a recipe that says `auto`: as many images as a step has memory for.

On a GPU this is measured by training steps that leave a tenth of the memory free. On a CPU, where
larger batches gain little, it is the largest power of two up to 32 whose saved activations take
at most a quarter of the memory. On either an epoch keeps at least eight steps. Of several
ranks, the one with the least room decides for all. The learning rate is not changed.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from specc_runtime.data import Batch, Dataset
from specc_runtime.detector import Detector
from specc_runtime.device import choose, peak_memory
from specc_runtime.distributed import all_gather, world_size
from specc_runtime.model import Emitted
from specc_runtime.recipe import AUTO, Recipe
from specc_runtime.step import OutOfMemory, Stepper

LEAST_STEPS = 8
"""Steps that an epoch keeps."""
MOST_ON_CPU = 32
SHARE_OF_CPU, SHARE_OF_GPU = 0.25, 0.9
"""Fraction of the memory that a batch may take."""


def settled(recipe: Recipe, emitted: Emitted, dataset: Dataset) -> Recipe:
    """The recipe with `auto` replaced by a number if its `batch` says so.

    Raises `specc_runtime.step.OutOfMemory` if not even one image fits.
    """
    if recipe.batch != AUTO:
        return recipe
    detector = emitted.build(len(dataset.classes)).to(choose())
    room = recipe.max_boxes or max(1, dataset.most_boxes)
    share = decide(detector, recipe, len(dataset) // world_size(), room)
    return replace(recipe, batch=share * world_size())


def decide(detector: Detector, recipe: Recipe, images: int, max_boxes: int) -> int:
    """Images per step and rank, to train on `images` images with up to `max_boxes` objects each.

    This changes the detector's weights. Raises `specc_runtime.step.OutOfMemory` if not even one image
    fits.
    """
    most = max(1, images // LEAST_STEPS)
    if detector.anchors.device.type == "cpu":
        memory = min(all_gather(host_memory())) // world_size()
        room = int(SHARE_OF_CPU * memory / bytes_per_image(detector, recipe, max_boxes))
        return 1 << (max(1, min(most, MOST_ON_CPU, room)).bit_length() - 1)
    found = largest_fitting(_Trial(detector, recipe, max_boxes), most)
    if not found:
        raise OutOfMemory("out of memory with one image at a time: choose a smaller input")
    return found


def largest_fitting(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, to within an eighth; 0 if 1 does not fit.

    The number is doubled until it does not fit, then the gap is halved. If a number fits, all smaller
    ones must.
    """
    if not fits(1):
        return 0
    good, bad = 1, most + 1
    while good * 2 < bad:
        if fits(good * 2):
            good *= 2
        else:
            bad = good * 2
    while bad - good > max(1, good // 8):
        middle = (good + bad) // 2
        if fits(middle):
            good = middle
        else:
            bad = middle
    return good


def bytes_per_image(detector: Detector, recipe: Recipe, max_boxes: int) -> int:
    """Bytes per image that a step of two images saves for its backward pass.

    Weights are not counted, and a storage that several ops save is counted once.
    """
    kept: dict[int, int] = {p.untyped_storage().data_ptr(): 0 for p in detector.parameters()}

    def count(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return value

    def unpack(value: Tensor) -> Tensor:
        return value

    made = _batch(detector, 2, max_boxes)
    detector.train()
    with torch.autograd.graph.saved_tensors_hooks(count, unpack):
        losses = detector.losses(
            made.images, made.boxes, made.labels, bf16=recipe.precision == "bf16"
        )
    del losses
    return max(1, sum(kept.values()) // 2)


def host_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or what its container allows."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    container = Path("/sys/fs/cgroup/memory.max")
    if container.exists() and (text := container.read_text().strip()).isdigit():
        limits.append(int(text))
    return min(limits)


class _Trial:
    """Whether a step with this many images fits into the memory of every rank's GPU."""

    def __init__(self, detector: Detector, recipe: Recipe, max_boxes: int) -> None:
        self._stepper = Stepper(detector, replace(recipe, compile="never"), say=lambda _: None)
        self._max_boxes = max_boxes

    def __call__(self, images: int) -> bool:
        stepper, device = self._stepper, self._stepper.device
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        free, _ = torch.cuda.mem_get_info(device)
        room = SHARE_OF_GPU * (free + torch.cuda.memory_reserved(device))
        parts = stepper.parts
        try:
            stepper(_batch(stepper.detector, images, self._max_boxes), 0, 0, 0.0)
        except (OutOfMemory, torch.OutOfMemoryError):
            fits = False
        else:
            fits = stepper.parts == parts and peak_memory(device) <= room
        stepper.parts = parts
        return all(all_gather(fits))


def _batch(detector: Detector, images: int, max_boxes: int) -> Batch:
    """Noise, with the most objects allowed: the memory of a step does not depend on the pictures."""
    height, width = detector.input.size
    centre = torch.tensor([width / 4, height / 4, width / 2, height / 2])
    return Batch(
        torch.randint(0, 256, (images, 3, height, width), dtype=torch.uint8),
        centre.expand(images, max_boxes, 4).contiguous(),
        torch.zeros(images, max_boxes, dtype=torch.long),
        torch.zeros(images, max_boxes, dtype=torch.bool),
        torch.tensor([[height, width]]).expand(images, 2).int(),
        torch.arange(images),
    )
