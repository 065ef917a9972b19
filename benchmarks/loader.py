"""How fast training images are read and augmented, against torchvision's preset for SSD.

    python benchmarks/loader.py --data BCCD_Dataset/BCCD --out benchmarks/results/loader.json

Both start from the same JPEG files and end at batches of the network's size. Theirs is the `ssd`
preset of torchvision's reference training (`transforms.v2`, as its `DetectionPresetTrain` composes
it, on PIL images and on tensors), then the resize and the normalisation of its models. Ours is the
loader without worker processes. What is counted is processor time on one core, which other work on
the machine disturbs less than it does the clock.

`loaded` is what the loader's processes do: the device distorts colours and normalises. `finished` has
our side do that too, on the same core. `cached` keeps decoded images in memory.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import torch
from pairs import alternate, report, summary

from specc_runtime.bench import preset
from specc_runtime.data import Dataset, Loader, open_dataset, photometric

SIZE = 300
BATCH = 32


def our_batches(dataset: Dataset, epoch: int, *, finished: bool) -> Iterator[torch.Tensor]:
    """Read an epoch with the loader."""
    loader = Loader(
        dataset,
        size=(SIZE, SIZE),
        batch=BATCH,
        seed=0,
        epoch=epoch,
        train=True,
        workers=0,
        max_boxes=max(1, dataset.most_boxes),
    )
    mean = torch.tensor(preset.MEAN).view(3, 1, 1)
    for batch in loader:
        if finished:
            yield photometric(batch.images, 0, epoch, batch.indices).sub_(mean)
        else:
            yield batch.images


def their_batches(
    dataset: Dataset, backend: preset.Backend, batches: int = 2
) -> Iterator[torch.Tensor]:
    """Read some batches as the references do, up to what torchvision's SSD300 computes with."""
    endless = preset.batches(dataset, (SIZE, SIZE), BATCH, workers=0, backend=backend)
    return itertools.islice(endless, batches)


def per_second(batches: Callable[[], Iterator[torch.Tensor]]) -> float:
    """Return the images of an epoch through the processor's seconds."""
    start = time.process_time()
    images = sum(len(batch) for batch in batches())
    return images / (time.process_time() - start)


def ours(dataset: Dataset, *, finished: bool) -> float:
    """Measure our side in another epoch each time."""
    ours.epoch += 1
    return per_second(partial(our_batches, dataset, ours.epoch, finished=finished))


ours.epoch = 0


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a data set of photographs")
    parser.add_argument("--split", default="train")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    torch.manual_seed(0)
    dataset = open_dataset(options.data, options.split)
    cached = open_dataset(options.data, options.split, cache_bytes=2**31)
    compared = {
        "loaded": partial(ours, dataset, finished=False),
        "finished": partial(ours, dataset, finished=True),
        "cached": partial(ours, cached, finished=False),
    }
    theirs = {
        backend: partial(per_second, partial(their_batches, dataset, backend))
        for backend in ("pil", "tensor")
    }
    figures: dict[str, object] = {
        "images": len(dataset),
        "image_size": [dataset.annotations[0].height, dataset.annotations[0].width],
        "size": SIZE,
        "batch": BATCH,
    }
    for against, measure in itertools.product(theirs, compared):
        runs = alternate(compared[measure], theirs[against], options.pairs)
        figures[f"{measure}_against_{against}"] = {
            "images_per_second_and_core": summary([first for first, _ in runs]),
            "torchvision_images_per_second_and_core": summary([second for _, second in runs]),
            "ratio": summary([first / second for first, second in runs]),
        }
    report(figures, options.out)


if __name__ == "__main__":
    main()
