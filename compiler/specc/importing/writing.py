"""Rows -> the text of a spec, with a module for each kind of convolution and of block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.importing.blocks import Block, Row
from specc.importing.layers import ACTIVATIONS, Conv

if TYPE_CHECKING:
    from specc.importing.blocks import Table
    from specc.importing.detectors import Detector
    from specc.importing.layers import Shape

__all__ = ["spec_text"]

PARTS = ("loc", "objectness", "conf")
PREPROCESS = (
    "preprocess: Preprocess(channels='RGB', scale=1, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0),"
    " resize='stretch')"
)
INITIAL = {  # what `make_convolutional_layer` and `make_connected_layer` draw
    "Conv2d": "{weight: kaiming_normal_(), bias: zeros_()}",
    "Linear": "{weight: kaiming_uniform_(a=sqrt(2)), bias: zeros_()}",
}


def spec_text(name: str, title: str, image: Shape, table: Table, detector: Detector | None) -> str:
    """Return a spec; all that is written into it are numbers and names made here."""
    modules = _Modules(table.rows)
    rows = [line for row in table.rows for line in _row(row, modules)]
    outputs = {name: name for name in PARTS} if detector else table.outputs
    listed = ", ".join(f"{output}: {row}" for output, row in outputs.items())
    channels, height, width = image
    written = [*modules.lines(), *(detector.modules() if detector else [])]
    parts = [
        f"specc: 1\nname: {name}\ntitle: {title}",
        *([f"params: {{num_classes: {detector.classes}}}"] if detector else []),
        f"inputs: {{images: [N, {channels}, {height}, {width}]}}",
        *([PREPROCESS] if channels == 3 else []),
        *(["let:", *detector.let()] if detector else []),
        *_init(table.rows),
        "\nlayers:",
        *rows,
        *(detector.rows(list(table.outputs.values())) if detector else []),
        *([f"outputs: {{{listed}}}"] if listed else []),
        *(["\nmodules:", *written[1:]] if written else []),
        *(_detector(detector) if detector else []),
        '\nweights:\n  darknet: {map: {"{p}": "{p}"}}           # .weights: no keys, but this order',
    ]
    return "\n".join(parts) + "\n"


def _init(rows: list[Row]) -> list[str]:
    """Return how the layers begin, for the kinds that are there."""
    calls = [row.what.partition("(")[0] if isinstance(row.what, str) else "Conv2d" for row in rows]
    said = [f"  {kind}: {values}" for kind, values in INITIAL.items() if kind in calls]
    return ["init:", *said] if said else []


def _detector(detector: Detector) -> list[str]:
    maps, *others = detector.components()
    outputs = ["  boxes: loc", "  classes: conf", "  objectness: objectness"]
    return ["\ndetector:", maps, *outputs, *others]


def _row(row: Row, modules: _Modules) -> list[str]:
    call = row.what if isinstance(row.what, str) else modules.call(row.what)
    taken = f"({', '.join(row.inputs)})" if row.inputs else ""
    if row.repeat > 1:
        return [f"  {row.name}:", f"    repeat: {row.repeat}", f"    op: {call}{taken}"]
    shape = list(map(str, row.shape))
    if isinstance(row.what, Conv):
        shape[0] = _filters(row.what)
    arrow = f" -> [{', '.join(shape)}]" if shape else ""
    return [f"  {row.name}: {call}{taken}{arrow}"]


class _Modules:
    """The modules that rows call: what their instances differ in is a parameter."""

    def __init__(self, rows: list[Row]) -> None:
        self.blocks: dict[object, list[Block]] = {}
        self.convs: dict[tuple[bool, str], list[Conv]] = {}
        for row in rows:
            if isinstance(row.what, Block):
                self.blocks.setdefault(row.what.form, []).append(row.what)
            inside = row.what.convs if isinstance(row.what, Block) else (row.what,)
            for conv in inside:
                if isinstance(conv, Conv):
                    self.convs.setdefault((conv.norm, conv.activation), []).append(conv)
        self.convs.pop((False, "linear"), None)

    def call(self, what: Conv | Block) -> str:
        """Return the call of a convolution or of a block."""
        if isinstance(what, Conv):
            return self.convolution(what, _filters(what))
        widths = self.widths(what)
        given = [str(c.filters) for c, width in zip(what.convs, widths, strict=True) if not width]
        return f"{self.block_name(what)}({', '.join(given)})"

    def convolution(self, conv: Conv, width: str) -> str:
        """Return the call of a convolution whose width is an expression."""
        alike = self.convs.get((conv.norm, conv.activation))
        written = f"{width}, {conv.kernel}"
        written += f", stride={conv.stride}" if conv.stride != 1 else ""
        if alike is None:
            written += f", padding={conv.padding}" if conv.padding else ""
            written += f", groups={conv.groups}" if conv.groups != 1 else ""
            return f"Conv2d(_, {written})"
        written += "" if _half(alike) else f", padding={conv.padding}"
        written += f", groups={conv.groups}" if conv.groups != 1 else ""
        return f"{_conv_name(conv)}({written})"

    def block_name(self, block: Block) -> str:
        """Return `Residual` or `Pair`, and a number for the second kind and so on."""
        alike = [form for form, blocks in self.blocks.items() if blocks[0].adds == block.adds]
        place = alike.index(block.form)
        return f"{'Residual' if block.adds else 'Pair'}{place + 1 if place else ''}"

    def widths(self, block: Block) -> list[str]:
        """Return each convolution's width by that of the block, or nothing if it has to be told."""
        if not block.adds:
            return [""] * len(block.convs)
        alike = self.blocks[block.form]
        return [
            _share({(other.convs[place].filters, other.convs[-1].filters) for other in alike})
            for place in range(len(block.convs))
        ]

    def lines(self) -> list[str]:
        """Return the modules, each behind an empty line."""
        written = [line for alike in self.convs.values() for line in _conv_module(alike)]
        return written + [line for alike in self.blocks.values() for line in self._block(alike[0])]

    def _block(self, block: Block) -> list[str]:
        widths = self.widths(block)
        told = [f"width{place}" for place, width in enumerate(widths, 1) if not width]
        rows = [
            f"      conv{place}: {self.convolution(conv, width or f'width{place}')}"
            for place, (conv, width) in enumerate(zip(block.convs, widths, strict=True), 1)
        ]
        params = ", ".join(f"{name}: int" for name in told)
        return [
            "",
            f"  {self.block_name(block)}:",
            f"    doc: {'Convolutions beside a shortcut' if block.adds else 'Two convolutions'}.",
            *([f"    params: {{{params}}}"] if told else []),
            *(["    inputs: {x: [N, c, H, W]}"] if block.adds else []),
            "    layers:",
            *rows,
            *([f"      add: Add()(x, conv{len(rows)})"] if block.adds else []),
            *([f"      act: {block.activation}"] if block.activation else []),
        ]


def _conv_module(alike: list[Conv]) -> list[str]:
    first = alike[0]
    params = ["out: int", "kernel: int"]
    params += ["stride: 1"] if any(conv.stride != 1 for conv in alike) else []
    params += [] if _half(alike) else ["padding: 0"]
    params += ["groups: 1"] if any(conv.groups != 1 for conv in alike) else []
    keywords = "".join(
        f", {name}={name}" for name in ("stride", "groups") if f"{name}: 1" in params
    )
    keywords += ", padding=kernel // 2" if _half(alike) else ", padding=padding"
    keywords += ", bias=False" if first.norm else ""
    activation = ACTIVATIONS[first.activation]
    norm = ["      bn: BatchNorm2d(_, momentum=0.01)"] if first.norm else []
    parts = ["A convolution", *(["its norm"] if norm else []), activation.partition("(")[0]]
    return [
        "",
        f"  {_conv_name(first)}:",
        f"    doc: {' and '.join(', '.join(filter(None, parts)).rsplit(', ', 1))}.",
        f"    params: {{{', '.join(params)}}}",
        "    layers:",
        f"      conv: Conv2d(_, out, kernel{keywords})",
        *norm,
        *([f"      act: {activation}"] if activation else []),
    ]


def _conv_name(conv: Conv) -> str:
    activation = ACTIVATIONS[conv.activation].partition("(")[0].removesuffix("ReLU")
    suffix = "ReLU" if conv.activation == "relu" else activation
    return f"Conv{'BN' if conv.norm else ''}{suffix}"


def _filters(conv: Conv) -> str:
    """Return a convolution's width, for any number of classes if it predicts boxes."""
    return f"{conv.boxes} * (5 + num_classes)" if conv.boxes else str(conv.filters)


def _half(alike: list[Conv]) -> bool:
    """Whether all have half their kernel as padding."""
    return all(conv.padding == conv.kernel // 2 for conv in alike)


def _share(pairs: set[tuple[int, int]]) -> str:
    """Return the expression in `c` that gives every width from the channels, if there is one."""
    if all(width == channels for width, channels in pairs):
        return "c"
    parts = {channels // width for width, channels in pairs if channels % width == 0}
    if len(parts) == 1 and all(channels % width == 0 for width, channels in pairs):
        return f"c // {parts.pop()}"
    return ""
