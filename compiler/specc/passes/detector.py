"""Check the detector against the graph, and write the literal that the runtime reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from specc.detector import COMPONENTS, Anchors, Component, Loss
from specc.documents import Label, did_you_mean
from specc.ir.context import report_fault
from specc.ir.scope import Scope
from specc.ir.tensors import UNKNOWN, Tensor, leaves
from specc.passes import regions
from specc.passes.class_prior import check_class_prior
from specc.passes.component import literal_of, read_component, settings
from specc.passes.heads import PerMap, compare_heads
from specc.values.dimensions import shape_text
from specc.values.expression import Call, ExpressionError, Name
from specc.values.numbers import is_whole
from specc.values.traced import plain

if TYPE_CHECKING:
    from specc.documents import Report, Span
    from specc.ir.graph import Graph
    from specc.ir.spec import Phrase
    from specc.values.dimensions import Shape

__all__ = ["FORMAT", "Detector", "check_detector"]

FORMAT = 1
SLOTS = ("anchors", "coder", "match", "loss", "select")
OUTPUTS = ("boxes", "classes", "centerness", "objectness")
FAR_OFF = 1.5
"""How many times a side of the image, or it the boxes' side, a map's cells may reach over."""


@dataclass(frozen=True, slots=True)
class Detector:
    """The detector's literal, and its boxes by map."""

    literal: dict[str, Any]
    per_map: PerMap

    @property
    def boxes(self) -> int:
        """Return the number of boxes of an image."""
        return sum(height * width * count for (height, width), count in self.per_map)


def check_detector(graph: Graph, report: Report) -> Detector | None:
    """Check the `detector:` section; nothing if there is none or it cannot be read."""
    checker = _Checker(graph, report)
    preprocess = checker.preprocess()
    return checker.detector(preprocess) if graph.spec.detector else None


class _Checker:
    def __init__(self, graph: Graph, report: Report) -> None:
        self.graph = graph
        self.report = report
        self.scope = Scope(graph.root)

    def preprocess(self) -> Component | None:
        phrase = self.graph.spec.preprocess
        return None if phrase is None else self.component(phrase, "preprocess")

    def detector(self, preprocess: Component | None) -> Detector | None:
        spec = self.graph.spec
        parts = {
            slot: self.component(spec.detector[slot], slot)
            for slot in (*SLOTS, *regions.SLOTS)
            if slot in spec.detector
        }
        maps = self.maps() if "maps" in spec.detector else None
        outputs = (*OUTPUTS, *regions.OUTPUTS)
        names = {key: self.output(key) for key in outputs if key in spec.detector}
        anchors, loss = parts.get("anchors"), parts.get("loss")
        read = self.check_keys(loss)
        classes = self.num_classes()
        self.check_parts(parts)
        second = regions.Regions(self.graph, self.report)
        second.check_loss(loss)
        per_map = self.lay(anchors, maps) if maps and isinstance(anchors, Anchors) else None
        if per_map is None:
            return None
        judged = {key: name for key, name in names.items() if key in read}
        compare_heads(self.graph, self.report, judged, per_map, classes)
        if isinstance(loss, Loss) and loss.needs_prior and "classes" in names:
            check_class_prior(self.graph, self.report, names["classes"], spec.detector["loss"].span)
        literal: dict[str, Any] = {"format": FORMAT, "name": spec.name, "num_classes": classes}
        literal["input"] = {"size": self.input_size()} | (
            settings(preprocess) if preprocess else {}
        )
        literal["outputs"] = {key: judged[key] for key in OUTPUTS if key in judged}
        literal["maps"] = [list(size) for size, _ in per_map]
        for slot in SLOTS:
            literal |= literal_of(slot, parts.get(slot))
        if second.is_there:
            literal["regions"] = second.literal(parts, names, maps or [], classes)
        return Detector(literal, per_map)

    def check_keys(self, loss: Component | None) -> tuple[str, ...]:
        """Report keys that are missing; warn of outputs that nobody reads; return those that are."""
        spec = self.graph.spec
        read = loss.outputs if isinstance(loss, Loss) else OUTPUTS[:1]
        for key in ("maps", *read, *SLOTS):
            if key not in spec.detector:
                span = cast("Span", spec.detector_span)
                help = f"add `{key}:` with {_choice(key, loss)}"
                self.report.add("E0202", f"`{key}` is missing", span, f"no `{key}`", help=help)
        for key in OUTPUTS:
            if loss is not None and key in spec.detector and key not in read:
                message = f"`{type(loss).__name__}` does not read `{key}`"
                help = "take it out, or choose a loss that reads it"
                self.report.add("W0607", message, spec.detector[key].span, "not read", help=help)
        return read

    def check_parts(self, parts: dict[str, Component | None]) -> None:
        """Report parts that are not made for what stands beside them."""
        anchors = parts.get("anchors")
        for slot, part in parts.items():
            if part is None:
                continue
            if part.needs_cells and isinstance(anchors, Anchors) and not anchors.with_cells:
                name, given = type(part).__name__, type(anchors).__name__
                message = f"`{name}` needs each anchor's cell, which `{given}` leaves out"
                help = "lay the anchors with `BoxPriors`, which tells the cells"
                self.misfit(
                    "E0507", message, help, {slot: "needs cells", "anchors": "without cells"}
                )
                continue
            for other, fitting in part.beside.items():
                if parts.get(other) is not None and type(parts[other]).__name__ not in fitting:
                    name, given = type(part).__name__, type(parts[other]).__name__
                    known = " or ".join(f"`{kind}`" for kind in fitting)
                    message = f"`{name}` goes with {known}, and not with `{given}`"
                    help = f"write `{other}: {fitting[0]}()`, or choose another `{slot}`"
                    self.misfit(
                        "E0508", message, help, {other: "not that", slot: "goes with another"}
                    )

    def misfit(self, code: str, message: str, help: str, labels: dict[str, str]) -> None:
        """Report parts that do not go together, with a label for each; the first is to change."""
        phrases = self.graph.spec.detector
        (span, label), *also = [(phrases[slot].span, text) for slot, text in labels.items()]
        others = [Label(place, text) for place, text in also]
        self.report.add(code, message, span, label, help=help, also=others)

    def num_classes(self) -> int | None:
        """Return `num_classes`, by which the runtime builds the model for a data set's classes."""
        root = self.graph.root
        param = root.spec.params.get("num_classes")
        count = root.params.get("num_classes")
        if count is UNKNOWN:
            return None
        if not is_whole(count):
            label = "no `num_classes`" if param is None else "not a whole number"
            help = "add `num_classes: 21` to `params`, and give the heads as many columns"
        elif "num_classes" not in root.used and not self.graph.failed:
            label, help = "not used", "give the heads `num_classes` columns"
        elif "num_classes" in root.pinned:
            label, help = "decides the structure", "use it for numbers of channels only"
        else:
            return cast("int", plain(count))
        message = "a detector is built for any number of classes, by its parameter `num_classes`"
        span = cast("Span", self.graph.spec.detector_span if param is None else param.span)
        self.report.add("E0506", message, span, label, help=help)
        return None

    def input_size(self) -> list[Any]:
        """Return height and width of the first input; a size without a number is its name."""
        shape = next(leaves(list(self.graph.root.inputs.values()))).shape or ()
        return [side if isinstance(side, int) else str(side) for side in shape[2:]]

    def component(self, phrase: Phrase, slot: str) -> Component | None:
        return read_component(phrase, slot, self.scope, self.report)

    def maps(self) -> list[Tensor] | None:
        """Return the maps that the anchors lie on, or nothing where they are not all known."""
        phrase = self.graph.spec.detector["maps"]
        try:
            value = self.scope.evaluate(phrase.expression)
        except ExpressionError as error:
            report_fault(error, phrase, self.report)
            return None
        maps = list(leaves(value))
        if any(tensor.shape is None for tensor in maps):
            return None
        flat = next((tensor for tensor in maps if len(tensor.shape or ()) != 4), None)
        if flat is not None:
            message = f"boxes lie on maps (N, C, H, W); `{flat.origin}` is none"
            help = "list the maps that the heads read"
            also = [Label(self.graph[flat.origin].span, f"gives {shape_text(flat.shape or ())}")]
            self.report.add("E0406", message, phrase.span, "not maps", help=help, also=also)
        return maps if flat is None else None

    def output(self, key: str) -> str:
        """Return the name of the output that a key names."""
        phrase = self.graph.spec.detector[key]
        name = phrase.expression.id if isinstance(phrase.expression, Name) else ""
        outputs = self.graph.outputs()
        if name not in outputs:
            known = ", ".join(f"`{output}`" for output in outputs)
            help = did_you_mean(name, outputs, f"there is {known}")
            message = f"the model has no output `{name}`"
            self.report.add("E0504", message, phrase.span, "unknown output", help=help)
        return name

    def lay(self, anchors: Anchors, maps: list[Tensor]) -> PerMap | None:
        """Lay the anchors over the maps; each list has to speak of each map."""
        phrase = self.graph.spec.detector["anchors"]
        settings = anchors.settings()
        wrong = {
            name: len(settings[name]) - beyond
            for name, beyond in anchors.per_map.items()
            if len(settings[name]) - beyond != len(maps)
        }
        for name, length in wrong.items():
            message = f"`{name}` speaks of {_counted(length)}, but the heads read {len(maps)}"
            beyond = anchors.per_map[name]
            help = f"give `{name}` {_counted(len(maps) + beyond, 'item')}"
            note = f"`{name}` has one more than there are maps" if beyond else None
            also = [Label(self.graph.spec.detector["maps"].span, _counted(len(maps)))]
            label = f"for {_counted(length)}"
            span = _argument(phrase, name)
            self.report.add("E0501", message, span, label, help=help, note=note, also=also)
        if wrong:
            return None
        per_map: PerMap = []
        for tensor, count in zip(maps, anchors.per_cell(), strict=True):
            _, _, height, width = cast("Shape", tensor.shape)
            if not (isinstance(height, int) and isinstance(width, int)):
                self.warn_of_any_size()
                return None
            per_map.append(((height, width), count))
        self.warn_of_order(anchors, per_map)
        self.warn_of_strides(anchors, per_map)
        return per_map

    def warn_of_order(self, anchors: Anchors, per_map: PerMap) -> None:
        """Warn that a map has smaller boxes than a finer one: one of two lists runs the other way."""
        maps = [
            (height * width, side, f"{height}x{width}")
            for ((height, width), _), side in zip(per_map, anchors.sides(), strict=False)
            if side
        ]
        for (cells, side, name), (others, other, coarser) in pairwise(sorted(maps, reverse=True)):
            if cells > others and side > other:
                message = f"the {coarser} map has smaller boxes than the {name} map"
                phrase, of_maps = (self.graph.spec.detector[key] for key in ("anchors", "maps"))
                help = "list the boxes in the order of `maps`, larger ones for a map of fewer cells"
                label = f"sides of about {other:.0f} and {side:.0f}"
                also = [Label(of_maps.span, "the order of the maps")]
                self.report.add("W0609", message, phrase.span, label, help=help, also=also)
                return

    def warn_of_strides(self, anchors: Anchors, per_map: PerMap) -> None:
        """Warn of a map whose boxes reach far beyond the image, or leave much of it without any.

        While there are errors, the maps may be wrong and not the strides.
        """
        image = self.input_size()
        is_known = not self.report.errors and len(image) == 2
        strides = anchors.settings().get("strides", ()) if is_known else ()
        for (cells, _), stride in zip(per_map, strides, strict=False):
            for count, side in zip(cells, image, strict=True):
                if is_whole(side) and not side / FAR_OFF <= stride * count <= side * FAR_OFF:
                    reach = f"{count} cells {stride:g} pixels apart reach over {stride * count:g}"
                    message = f"the stride of the {cells[0]}x{cells[1]} map does not fit: {reach}"
                    also = [Label(self.graph.spec.detector["maps"].span, "the order of the maps")]
                    span = _argument(self.graph.spec.detector["anchors"], "strides")
                    help = f"write {side / count:.0f} for this map, on images of {side} pixels"
                    self.report.add("W0610", message, span, "one a map", help=help, also=also)
                    return

    def warn_of_any_size(self) -> None:
        """Warn that boxes cannot be laid over an image of any size."""
        inputs = self.graph.spec.root.inputs
        message = "the size of the images is not known, so the emitted file has no `DETECTOR`"
        help = "write numbers for height and width, or parameters: `[N, 3, height, width]`"
        self.report.add("W0604", message, self.graph[inputs[0].name].span, "any size", help=help)


def _argument(phrase: Phrase, name: str) -> Span:
    """Return where a call gives an argument, or the whole call if it does not by name."""
    call = cast("Call", phrase.expression)
    at = next((value.at for key, value, _ in call.keywords if key == name), call.at)
    return phrase.at(at)


def _counted(number: int, what: str = "map") -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _choice(key: str, loss: Component | None) -> str:
    """Say what may be written for a key of `detector:` beside a loss."""
    if key == "maps":
        return "the name of the row that lists the maps"
    known = [name for name, declared in COMPONENTS.items() if declared.slot == key]
    fitting = loss.beside.get(key, known) if loss is not None else known
    *most, last = [f"`{name}(...)`" for name in fitting] or ["the name of an output"]
    return f"{', '.join(most)} or {last}" if most else last
