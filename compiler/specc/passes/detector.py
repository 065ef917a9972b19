"""Check the detector against the graph, and write the literal that the runtime reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from specc.detector.components import COMPONENTS, Anchors, Component
from specc.documents import Label, suggest
from specc.ir.binding import bind
from specc.ir.context import Reported
from specc.ir.scope import Scope
from specc.ir.tensors import Tensor, leaves
from specc.schema.calls import check_call
from specc.values.dimensions import shape_text
from specc.values.expression import Call, ExpressionError, Name
from specc.values.traced import plain

if TYPE_CHECKING:
    from specc.documents import Report, Span
    from specc.ir.graph import Graph
    from specc.ir.spec import Phrase
    from specc.values.dimensions import Shape

__all__ = ["FORMAT", "Detector", "check_detector"]

FORMAT = 1
SLOTS = ("anchors", "coder", "match", "loss", "select")


@dataclass(frozen=True, slots=True)
class Detector:
    """The detector's literal, and its boxes by map."""

    literal: dict[str, Any]
    per_map: list[tuple[tuple[int, int], int]]

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
            for slot in SLOTS
            if slot in spec.detector
        }
        maps = self.maps()
        outputs = {key: self.output(key) for key in ("boxes", "classes") if key in spec.detector}
        anchors = parts.get("anchors")
        if (
            maps is None
            or not isinstance(anchors, Anchors)
            or any(p is None for p in parts.values())
        ):
            return None
        per_map = self.count(anchors, maps)
        if per_map is None:
            return None
        self.compare(per_map, outputs.get("boxes"))
        literal: dict[str, Any] = {"format": FORMAT, "name": spec.name}
        classes = self.graph.root.params.get("num_classes")
        if isinstance(classes, int):
            literal["num_classes"] = plain(classes)
        literal["input"] = {"size": self.size()} | (_settings(preprocess) if preprocess else {})
        literal["outputs"] = {key: name for key, (name, _) in outputs.items() if name}
        literal["maps"] = [list(size) for size, _ in per_map]
        for slot, part in parts.items():
            made = cast("Component", part)
            literal[slot] = {"kind": type(made).__name__} | _settings(made)
        return Detector(literal, per_map)

    def fault(self, error: ExpressionError, phrase: Phrase) -> None:
        if not isinstance(error, Reported):
            span = phrase.at(error.at)
            self.report.add(error.code, error.message, span, error.label, help=error.help)

    def size(self) -> list[Any]:
        shape = next(leaves(list(self.graph.root.inputs.values()))).shape or ()
        return [side if isinstance(side, int) else str(side) for side in shape[2:]]

    def component(self, phrase: Phrase, slot: str) -> Component | None:
        """Read a component's call and check its arguments, as an op's are."""
        call = phrase.expression
        if not isinstance(call, Call) or not isinstance(call.function, Name):
            help = f"write `{slot}: {_first(slot)}(...)`"
            self.report.add("E0204", f"`{slot}` is a call", phrase.span, "not a call", help=help)
            return None
        name = call.function.id
        known = [c for c, declared in COMPONENTS.items() if declared.slot == slot]
        if name not in known:
            near = suggest(name, known)
            help = f"did you mean `{near}`?" if near else f"there is {', '.join(known)}"
            message = f"there is no `{name}` for `{slot}`"
            self.report.add(
                "E0205", message, phrase.at(call.function.at), "unknown component", help=help
            )
            return None
        declared = COMPONENTS[name]
        try:
            bound = bind(call, list(declared.arguments), self.scope.evaluate, name)
        except ExpressionError as error:
            self.fault(error, phrase)
            return None
        problems = check_call(declared, bound.values)
        for problem in problems:
            span = phrase.at(bound.places.get(problem.argument or "", call.function.at))
            self.report.add(problem.code, problem.message, span, problem.label, help=problem.help)
        return None if problems else declared(**bound.values)

    def maps(self) -> list[Tensor] | None:
        phrase = self.graph.spec.detector.get("maps")
        if phrase is None:
            span = cast("Span", self.graph.spec.detector_span)
            help = "add `maps:` and the row that lists them"
            self.report.add("E0202", "`maps` is missing", span, "no `maps`", help=help)
            return None
        try:
            value = self.scope.evaluate(phrase.expression)
        except ExpressionError as error:
            self.fault(error, phrase)
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

    def output(self, key: str) -> tuple[str, Tensor | None]:
        phrase = self.graph.spec.detector[key]
        name = phrase.expression.id if isinstance(phrase.expression, Name) else ""
        outputs = self.graph.outputs()
        if name not in outputs:
            near = suggest(name, list(outputs))
            known = ", ".join(f"`{output}`" for output in outputs)
            help = f"did you mean `{near}`?" if near else f"there is {known}"
            message = f"the model has no output `{name}`"
            self.report.add("E0504", message, phrase.span, "unknown output", help=help)
            return "", None
        value = outputs[name]
        return name, next(leaves(value), None) if not isinstance(value, list) else None

    def count(
        self, anchors: Anchors, maps: list[Tensor]
    ) -> list[tuple[tuple[int, int], int]] | None:
        """Lay the anchors over the maps; each list has to speak of each map."""
        phrase = self.graph.spec.detector["anchors"]
        lengths: dict[str, int] = getattr(anchors, "lengths", dict[str, int])()
        wrong = {name: length for name, length in lengths.items() if length != len(maps)}
        for name, length in wrong.items():
            call = cast("Call", phrase.expression)
            at = next((value.at for key, value, _ in call.keywords if key == name), call.at)
            message = f"`{name}` speaks of {_counted(length)}, but the heads read {len(maps)}"
            items = len(maps) + (name == "sizes")
            help = f"give `{name}` {items} items"
            note = "`sizes` has one more than there are maps" if name == "sizes" else None
            also = [Label(self.graph.spec.detector["maps"].span, _counted(len(maps)))]
            label = f"for {_counted(length)}"
            self.report.add("E0501", message, phrase.at(at), label, help=help, note=note, also=also)
        if wrong:
            return None
        sizes: list[tuple[tuple[int, int], int]] = []
        for tensor, count in zip(maps, anchors.per_cell(), strict=True):
            _, _, height, width = cast("Shape", tensor.shape)
            if not (isinstance(height, int) and isinstance(width, int)):
                return None
            sizes.append(((height, width), count))
        return sizes

    def compare(
        self, per_map: list[tuple[tuple[int, int], int]], output: tuple[str, Tensor | None] | None
    ) -> None:
        """Compare the anchors with the rows of boxes that the heads give, map by map."""
        tensor = output[1] if output is not None else None
        if tensor is None or tensor.shape is None or len(tensor.shape) != 3:
            return
        laid = sum(height * width * count for (height, width), count in per_map)
        if tensor.shape[1] == laid:
            return
        node = self.graph[tensor.origin]
        given = [self.graph[source] for source in node.inputs]
        also: list[Label] = []
        for source, ((height, width), count) in zip(given, per_map, strict=False):
            rows = source.shape[1] if source.shape else None
            if rows != height * width * count:
                each = f"{count} a cell, {height * width * count} in all"
                text = f"{rows} rows, but the {height}x{width} map has {each}"
                also.append(Label(source.span, f"`{source.path}`: {text}"))
                break
        phrase = self.graph.spec.detector["anchors"]
        message = f"the heads give {tensor.shape[1]} boxes, the anchors {laid}"
        help = "give heads and anchors the same list of ratios"
        self.report.add("E0503", message, phrase.span, f"{laid} boxes", help=help, also=also)


def _counted(maps: int) -> str:
    return f"{maps} map" if maps == 1 else f"{maps} maps"


def _first(slot: str) -> str:
    return next(name for name, declared in COMPONENTS.items() if declared.slot == slot)


def _settings(component: Component) -> dict[str, Any]:
    """Return a component's arguments as data, numbers in the declared kind."""
    return {
        name: _data(value, component.arguments[name].schema)
        for name, value in component.settings().items()
    }


def _data(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_data(item, schema) for item in cast("list[Any]", value)]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return float(value) if "integer" not in str(schema) else int(value)
