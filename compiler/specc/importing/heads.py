"""`[yolo]`, `[region]` and `[detection]` sections -> what the detector says of the boxes."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from specc.importing.detectors import CellBoxes, GridBoxes, Sides, number
from specc.importing.layers import HEADS

if TYPE_CHECKING:
    from specc.documents import Report
    from specc.importing.cfg import Section
    from specc.importing.detectors import Detector
    from specc.importing.layers import Layer, Shape

__all__ = ["read_heads"]


class Said(NamedTuple):
    """What one section says: width and height of its boxes, how many classes, and the loss."""

    boxes: list[Sides]
    classes: int
    loss: str


def read_heads(layers: list[Layer], image: Shape, report: Report) -> Detector | None:
    """Return what the sections say, and tell the layers before them how many boxes they predict.

    Nothing if there are none, or if no detector says what they say: `left` then says why.
    """
    heads = [layer for layer in layers if layer.section.kind in HEADS]
    if [head.section.kind for head in heads] == ["detection"]:
        return _grid(heads[0], layers, image, report)
    read = [_READERS[head.section.kind](head.section) for head in heads]
    said = [one for one in read if one is not None]
    if not said or len(said) < len(read):
        return None
    kinds = [head.section.kind for head in heads]
    for head, one in zip(heads, said, strict=True):
        if (head.section.kind, *one[1:]) != (kinds[0], *said[0][1:]):
            head.section.left.append("of another kind, or with other numbers, than the first")
            return None
    for head, one in zip(heads, said, strict=True):
        _predict(head, layers, one, report)
    unit = "pixels" if kinds[0] == "yolo" else "cells"
    return CellBoxes([one.boxes for one in said], unit, said[0].classes, said[0].loss)


def _yolo(section: Section) -> Said | None:
    boxes = _boxes(section)
    mask = section.wholes("mask") or list(range(len(boxes)))
    if not all(0 <= place < len(boxes) for place in mask):
        message = f"`mask` names boxes other than 0 to {len(boxes) - 1}"
        section.refuse("mask", message, "write the numbers of some of `anchors`")
        mask = []
    ignore = _share(section, "ignore_thresh")
    section.expect("truth_thresh", 1.0, 1.0)
    return Said(
        [boxes[place] for place in mask], section.whole("classes", 20), f"YOLOLoss(ignore={ignore})"
    )


def _region(section: Section) -> Said | None:
    boxes = _boxes(section)
    ignore = _share(section, "thresh")
    objects = number(section.real("object_scale", 1.0))
    classes = section.whole("classes", 20)
    for name, default in (("rescore", 0.0), ("bias_match", 0.0)):
        section.expect(name, 1.0, default)
    for name in ("noobject_scale", "class_scale", "coord_scale"):
        section.expect(name, 1.0, 1.0)
    is_known = section.expect("coords", 4.0, 4.0) and section.expect("softmax", 1.0, 0.0)
    if "tree" in section.options:
        section.left.append("a tree of classes has no counterpart here")
        is_known = False
    if not is_known:
        return None
    return Said(boxes, classes, f"YOLOv2Loss(ignore={ignore}, objects={objects})")


def _detection(section: Section) -> Said | None:
    section.left.append("beside another of these sections")
    return None


_READERS = {"detection": _detection, "region": _region, "yolo": _yolo}


def _grid(head: Layer, layers: list[Layer], image: Shape, report: Report) -> GridBoxes | None:
    """Return what a `[detection]` says, and tell the layer before it how many numbers it gives."""
    section = head.section
    side, boxes = section.whole("side", 7, most=64), section.whole("num", 1, most=64)
    classes = section.whole("classes", 1)
    scale = number(section.real("coord_scale", 1.0))
    empty = number(section.real("noobject_scale", 1.0))
    loss = f"YOLOv1Loss(box_weight={scale}, empty_weight={empty})"
    section.expect("rescore", 1.0, 0.0)
    for name in ("object_scale", "class_scale"):
        section.expect(name, 1.0, 1.0)
    for name in ("forced", "reorg"):
        section.expect(name, 0.0, 0.0)
    numbers = (("coords", 4.0, 1.0), ("sqrt", 1.0, 0.0), ("softmax", 0.0, 0.0))
    is_known = [section.expect(*one) for one in numbers]
    grid = GridBoxes(side, boxes, classes, (image[1], image[2]), loss)
    wanted = side**2 * (classes + 5 * boxes)
    layer = layers[head.index - 1] if head.index else None
    given = prod(layer.shape if layer else image)
    if given != wanted:
        message = (
            f"[detection] reads {wanted} numbers, for each of {side}x{side} cells {classes} classes "
            f"and {boxes} boxes of 5; {given} arrive"
        )
        help = f"put a [connected] with `output={wanted}` before it"
        report.add("E0804", message, section.span, "does not fit", help=help)
    elif layer is None or layer.calls[-1:] != (f"Linear(_, {wanted})",):
        section.left.append("behind no [connected] with a linear activation")
    elif all(is_known):
        layer.calls = (*layer.calls[:-1], f"Linear(_, {grid.columns})")
        layer.shape = ()
        return grid
    return None


def _boxes(section: Section) -> list[Sides]:
    """Return width and height of each of `anchors`."""
    numbers = section.reals("anchors")
    if not numbers or len(numbers) % 2 or min(numbers) <= 0:
        section.refuse("anchors", "`anchors` are no widths and heights", "write pairs above 0")
        return []
    boxes = list(zip(numbers[::2], numbers[1::2], strict=True))
    only = f"`anchors` has {len(boxes)} pairs"
    section.whole("num", len(boxes), least=len(boxes), most=len(boxes), only=only)
    return boxes


def _share(section: Section, name: str) -> str:
    """Return a number from 0 to 1, by default a half."""
    share = section.real(name, 0.5)
    if not 0 <= share <= 1:
        section.refuse(name, f"`{name}` is {share}", "write a number from 0 to 1")
    return number(share)


def _predict(head: Layer, layers: list[Layer], said: Said, report: Report) -> None:
    """Tell the convolution before a head how many boxes it predicts, or report that it cannot."""
    layer = layers[head.index - 1] if head.index else None
    while layer is not None and not layer.conv and not layer.calls and layer.sources[0] >= 0:
        layer = layers[layer.sources[0]]
    wanted = len(said.boxes) * (5 + said.classes)
    if layer and layer.conv and (layer.conv.filters, layer.conv.norm) == (wanted, False):
        layer.conv = replace(layer.conv, boxes=len(said.boxes))
    elif said.boxes:
        message = (
            f"[{head.section.kind}] reads {wanted} channels, for each of {len(said.boxes)} boxes "
            f"4 numbers, whether there is an object, and {said.classes} classes"
        )
        help = f"put a [convolutional] with `filters={wanted}` and no norm before it"
        report.add("E0804", message, head.section.span, "does not fit", help=help)
