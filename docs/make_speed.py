"""Write docs/speed.md from benchmarks/results; `--check` compares only."""

import json
from pathlib import Path
from typing import Any

from made_page import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/speed.md"
RESULTS = ROOT / "benchmarks/results"

Figures = dict[str, Any]

INTRO = """\
# How fast

Written by `docs/make_speed.py` from `benchmarks/results`: run `make bench`, then `make goldens`.

Each figure is a ratio of two times that were measured in turns on one machine, and so is the median of the
pairs' ratios, with the interval that holds it with 95 %. All are of a CPU: nothing has run on a GPU yet."""

COMPILER = """\
## The compiler

Whole processes, against `python -c "import torch"`: less is faster. `chain` is a network of that many
rows, convolutions and ReLUs in turn, each with the size that is expected of it."""

RUNTIME = """\
## The runtime

Against torchvision, which takes that many times as long. `train_loop` is SSD300's whole training in bfloat16,
reading by two processes included, against torchvision's reference loop: convolutions, which are the same on
both sides, are most of it, and 32 is the batch of SSD's paper; `match_loss` what SSD300 makes of a batch of 32
predictions in training; `postprocess` what detectors make of theirs in use, where in `crowded` dozens of
boxes lie on each object, as they do in what a trained detector says, and SSD's selection gains nothing;
`loader` is images a second and core against the reference's `ssd` preset (`transforms.v2`), from JPEG files
to batches."""

NETWORKS = """\
## The emitted networks

Against the networks of torchvision, efficientnet-pytorch (`tf_`) and effdet with the same weights, on one thread:
how many times as long those take."""


def page() -> str:
    """The whole page."""
    return "\n\n".join([INTRO, *compiler(), *runtime(), *networks()]) + "\n"


def compiler() -> list[str]:
    """What commands cost."""
    found = read("compile")
    rows = [
        ("`specc build specs/ssd300_vgg.yaml`", found["build"]),
        ("`specc check-shapes specs/ssd300_vgg.yaml`", found["check_shapes"]),
        ("`specc build specs/efficientdet.yaml:d7`", found["build_efficientdet_d7"]),
        *((f"chain of {rows}", cost) for rows, cost in chains(found)),
    ]
    head = ["| what | ratio | memory |", "|---|---:|---:|"]
    lines = [f"| {what} | {told(cost['ratio'])} | {cost['megabytes']} MB |" for what, cost in rows]
    return [COMPILER, "\n".join([*head, *lines])]


def chains(found: Figures) -> list[tuple[str, Figures]]:
    """Lengths of chains, and their cost."""
    return [(rows, cost) for rows, cost in found["chain"].items() if isinstance(cost, dict)]


def runtime() -> list[str]:
    """What the runtime's parts gain."""
    rows = [*ratios("train_loop")]
    for setting, found in compared("match_loss"):
        rows += [
            ("match_loss", f"{setting}, {way.replace('_', ' and ')}", found[way]["ratio"])
            for way in ("forward", "forward_backward")
        ]
    rows += [*ratios("postprocess"), *ratios("loader")]
    head = ["| benchmark | setting | ratio |", "|---|---|---:|"]
    lines = [f"| {name} | {setting} | {told(ratio)} |" for name, setting, ratio in rows]
    return [RUNTIME, "\n".join([*head, *lines])]


def ratios(name: str) -> list[tuple[str, str, Figures]]:
    """A benchmark's name with each of its settings and their ratios."""
    return [(name, at.replace("_", " "), found["ratio"]) for at, found in compared(name)]


def compared(name: str) -> list[tuple[str, Figures]]:
    """The settings in which a benchmark measured, and what it found."""
    return [
        (setting, found)
        for setting, found in read(name).items()
        if isinstance(found, dict) and ("ratio" in found or "forward" in found)
    ]


def networks() -> list[str]:
    """Each network, forward and with its gradient."""
    head = [
        "| network | input | forward | forward and backward | pairs |",
        "|---|---|---:|---:|---:|",
    ]
    lines = [
        f"| {name} | {found['batch']}x3x{found['side']}x{found['side']} "
        f"| {told(found['forward']['ratio'])} | {told(found['forward_backward']['ratio'])} "
        f"| {found['forward']['ratio']['runs']} |"
        for name, found in sorted(read("zoo")["networks"].items())
    ]
    return [NETWORKS, "\n".join([*head, *lines])]


def read(name: str) -> Figures:
    """What a benchmark wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def told(ratio: Figures) -> str:
    """A ratio and its interval."""
    low, high = ratio["interval_95"]
    return f"{ratio['median']:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    raise SystemExit(write_or_check(PAGE, page, __doc__))
