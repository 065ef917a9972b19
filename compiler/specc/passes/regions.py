"""Compare a detector's second stage with the first, and write its part of the literal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from specc.detector import AnchorGrid, RPNLoss
from specc.documents import Label, suggest
from specc.ir.tensors import Tensor, leaves
from specc.ops import OPS
from specc.passes.component import literal_of, settings
from specc.values.dimensions import shape_text
from specc.values.expression import Name

if TYPE_CHECKING:
    from specc.detector import Component
    from specc.documents import Report, Span
    from specc.ir.graph import Graph, Node
    from specc.values.dimensions import Shape

__all__ = ["OUTPUTS", "SLOTS", "Regions"]

SLOTS = ("regions.match", "regions.sample", "regions.coder", "regions.loss")
OUTPUTS = ("regions.boxes", "regions.classes")


class Regions:
    """The second stage, which judges what a row `Proposals` makes of the first."""

    def __init__(self, graph: Graph, report: Report) -> None:
        self.graph = graph
        self.report = report
        self.phrases = graph.spec.detector

    @property
    def is_there(self) -> bool:
        """Whether the detector has a second stage."""
        return "regions.proposals" in self.phrases

    def check_loss(self, loss: Component | None) -> None:
        """Report a first stage whose loss is that of a whole detector, or the other way round."""
        if loss is None or isinstance(loss, RPNLoss) == self.is_there:
            return
        name, span = type(loss).__name__, self.phrases["loss"].span
        if self.is_there:
            message = f"`{name}` judges classes, and the first of two stages has none"
            help = "write `loss: RPNLoss()`, and `objectness` for `classes`"
            self.fault(message, span, "for one stage", help)
        else:
            message = f"`{name}` is for the first of two stages, and there is one"
            self.fault(message, span, "for two stages", "add `regions`, or choose another loss")

    def literal(
        self,
        parts: dict[str, Component | None],
        names: dict[str, str],
        maps: list[Tensor],
        classes: int | None,
    ) -> dict[str, Any]:
        """Report where the stages do not go together; return what the runtime reads of the second."""
        made = self.proposals()
        if made is not None:
            self.check_stages(made)
            self.check_anchors(made, parts)
            self.check_inputs(made, names, maps)
            self.check_outputs(made, names, classes)
        phrase = self.phrases["regions.proposals"]
        literal: dict[str, Any] = {"proposals": cast("Name", phrase.expression).id} if made else {}
        literal["outputs"] = {key.rpartition(".")[2]: names[key] for key in OUTPUTS}
        for slot in SLOTS:
            literal |= literal_of(slot.rpartition(".")[2], parts.get(slot))
        return literal

    def proposals(self) -> Node | None:
        """Return the row of the root that makes the regions."""
        phrase = self.phrases["regions.proposals"]
        name = phrase.expression.id if isinstance(phrase.expression, Name) else ""
        rows = {row.name: row.value for row in self.graph.root.rows if row.name}
        value = rows.get(name)
        node = self.graph[value.origin] if isinstance(value, Tensor) else None
        if node is not None and node.shape is None:
            return None  # what failed has been reported
        if node is None or not isinstance(node.op, OPS["Proposals"]):
            near = None if name in rows else suggest(name, list(rows))
            help = f"did you mean `{near}`?" if near else "name the root's row `Proposals(...)`"
            self.fault("regions are what a row `Proposals` makes", phrase.span, "no such row", help)
            return None
        return node

    def check_stages(self, made: Node) -> None:
        """Report regions that no stage ends with, so that they could not be exchanged for others."""
        name = made.path
        if any(last == name for _, last, _ in self.graph.spec.stages[:-1]):
            return
        message = f"no stage ends with `{name}`, so training cannot exchange its regions for others"
        last = self.graph.root.rows[-1].key
        help = f"write `stages: {{propose: {name}, judge: {last}}}`"
        self.fault(message, self.phrases["regions.proposals"].span, "no stage ends here", help)

    def check_anchors(self, made: Node, parts: dict[str, Component | None]) -> None:
        """Report anchors and offsets that are not those that the proposals are made of."""
        anchors, coder = parts.get("anchors"), parts.get("coder")
        also = [Label(made.span, f"`{made.path}`")]
        laid = settings(cast("Any", made.op))
        wanted = {name: laid[name] for name in ("sizes", "ratios")}
        if anchors and (not isinstance(anchors, AnchorGrid) or settings(anchors) != wanted):
            message = "the first stage learns from other anchors than the proposals are made of"
            help = "write `AnchorGrid(sizes=sizes, ratios=ratios)` with what `Proposals` takes"
            self.fault(message, self.phrases["anchors"].span, "other anchors", help, also)
        if coder and settings(coder).get("weights") != [1.0] * 4:
            message = "the proposals read the first stage's offsets without weights"
            help = "write `coder: BoxCoder(weights=(1, 1, 1, 1))`"
            self.fault(message, self.phrases["coder"].span, "other offsets", help, also)

    def check_inputs(self, made: Node, names: dict[str, str], maps: list[Tensor]) -> None:
        """Report outputs and maps of the first stage that the proposals are not made of."""
        outputs = self.graph.outputs()
        objectness, deltas, _, *read = made.inputs
        for key, origin in (("objectness", objectness), ("boxes", deltas)):
            named = leaves(outputs.get(names.get(key, ""), []))
            given = [tensor.origin for tensor in named if tensor.shape is not None]
            if len(given) != 1 or self.graph[given[0]].shape != self.graph[origin].shape:
                continue  # no rows of anchors, which has been reported
            if given != [origin]:
                message = f"`{key}` names `{given[0]}`, but `{made.path}` reads `{origin}`"
                help = f"name the output that holds `{origin}`"
                self.fault(message, self.phrases[key].span, "not read", help)
        if [tensor.origin for tensor in maps] != read:
            message = f"`{made.path}` is made of other maps than the anchors lie on"
            help = "give `maps` and `Proposals` the same list"
            also = [Label(made.span, f"of {len(read)}")]
            self.fault(message, self.phrases["maps"].span, f"{len(maps)} maps", help, also)

    def check_outputs(self, made: Node, names: dict[str, str], classes: int | None) -> None:
        """Report outputs of the second stage that are not rows (N, regions, columns)."""
        outputs = self.graph.outputs()
        regions = cast("Shape", made.shape)[1]
        for key, each in (("regions.boxes", 4), ("regions.classes", 1)):
            tensors = list(leaves(outputs.get(names[key], [])))
            if classes is None or not tensors or any(t.shape is None for t in tensors):
                continue
            if len(tensors) == 1 and (tensors[0].shape or ())[1:] == (regions, each * classes):
                continue
            columns = f"{each} * num_classes" if each > 1 else "num_classes"
            given = " and ".join(shape_text(tensor.shape or (), batch=True) for tensor in tensors)
            message = f"`{key}` takes rows (N, {regions}, {each * classes}); this is {given}"
            help = f"end the second stage with `Linear(_, {columns})`"
            node = self.graph[tensors[0].origin]
            also = [Label(node.span, f"`{node.path}`")]
            self.report.add(
                "E0505", message, self.phrases[key].span, "not rows", help=help, also=also
            )

    def fault(
        self, message: str, span: Span, label: str, help: str, also: list[Label] | None = None
    ) -> None:
        """Report stages that do not go together."""
        self.report.add("E0509", message, span, label, help=help, also=also or ())
