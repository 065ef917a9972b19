"""Write docs/zoo.md, and draw every spec, from the specs themselves; `--check` compares the page only."""

import argparse
import subprocess
import sys
from pathlib import Path

import specc

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/zoo.md"

INTRO = """\
# The zoo

Written by `docs/make_zoo.py` from `specs/`: change those, then run `make goldens`.

Each spec holds the figures that were published for it, and `specc check-shapes` compares them. What
its emitted module computes was compared with the code named below, in float64, from weights carried
over tensor by tensor: the tests are in `tests/zoo`.

`specc zoo copy NAME` brings a spec and the files that it uses to you, and `use: {X: zoo/NAME}` uses
one from where it is installed."""

CHECKED_AGAINST = {
    "efficientdet": "effdet",
    "efficientnet": "torchvision; efficientnet-pytorch and timm for the variants `tf_`",
    "faster_rcnn_light": "torchvision's parts around its features",
    "faster_rcnn_mobilenet_v3_large_fpn": "torchvision",
    "faster_rcnn_resnet50_fpn": "torchvision",
    "faster_rcnn_resnet50_fpn_v2": "torchvision",
    "fast_rcnn_vgg16": "torchvision's parts, put together as its paper says",
    "faster_rcnn_vgg16": "torchvision's parts, put together as its paper says",
    "fcos_resnet50_fpn": "torchvision",
    "fpn_resnet": "torchvision",
    "mobilenet_v3": "torchvision",
    "rcnn_vgg16": "torchvision's parts, put together as its paper says",
    "resnet": "torchvision",
    "retinanet_light": "nothing: it is this project's own",
    "retinanet_resnet50_fpn": "torchvision",
    "sppnet_vgg16": "torchvision's parts, put together as its paper says",
    "ssd300_efficientnet_b4": "efficientnet-pytorch, and torchvision's extras and heads",
    "ssd300_vgg": "torchvision",
    "ssd512_vgg": "Caffe's table, laid out with torchvision's layers",
    "ssd_light": "nothing: it is this project's own",
    "ssdlite320_mobilenet_v3": "torchvision",
    "vgg16": "torchvision",
    "yolov1": "Darknet's table, run by an interpreter in the tests",
    "yolov2": "Darknet's table, run by an interpreter in the tests",
    "yolov3": "Darknet's table, run by an interpreter in the tests",
    "yolov3_tiny": "Darknet's table, run by an interpreter in the tests",
}


def main() -> int:
    """Write the page and the drawings, or say that the page is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it is stale")
    specs = sorted((ROOT / "specs").glob("*.yaml"))
    made = "\n\n".join([INTRO, *map(entry, specs)]) + "\n"
    if not parser.parse_args().check:
        PAGE.write_text(made, encoding="utf-8")
        for spec in specs:
            draw(spec)
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != made:
        print(f"docs/{PAGE.name} is stale: run `make goldens`", file=sys.stderr)
        return 1
    return 0


def entry(path: Path) -> str:
    """One spec: what it is, where it is, and the figures of its variants."""
    spec = specc.compile(path).spec
    lines = [
        f"## {spec.name}",
        "",
        " ".join(f"{said}." for said in (spec.title, spec.cite) if said),
        "",
        f"[Spec](../specs/{path.name}), [emitted module](../generated/{path.stem}.py),",
        f"[drawing](images/{path.stem}.svg). Checked against {CHECKED_AGAINST[path.stem]}.",
        "",
        "| variant | input | parameters | multiply-adds | boxes |",
        "|---|---|---:|---:|---:|",
        *(row(path, variant) for variant in ("", *spec.variants)),
    ]
    return "\n".join(lines)


def row(path: Path, variant: str) -> str:
    """A variant's line in the table; the first is what the file says without one."""
    model = specc.compile(f"{path}{':' * bool(variant)}{variant}")
    image = next(iter(model.shapes.values()))
    name = f"`{variant}`" if variant else ""
    counted = [model.parameters, model.macs, model.boxes]
    cells = [name, "x".join(map(str, image[1:])), *(f"{n:,}" if n else "" for n in counted)]
    return f"| {' | '.join(cells)} |"


def draw(path: Path) -> None:
    """Draw a spec into docs/images."""
    picture = ROOT / f"docs/images/{path.stem}.svg"
    subprocess.run(["specc", "viz", str(path), "-o", str(picture)], check=True, capture_output=True)


if __name__ == "__main__":
    raise SystemExit(main())
