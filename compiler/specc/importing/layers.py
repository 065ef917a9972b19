"""Sections of a `.cfg` -> layers with calls, inputs and the shapes that Darknet gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from specc.documents import Report
    from specc.importing.cfg import Section

__all__ = ["ACTIVATIONS", "HEADS", "Conv", "Layer", "Shape", "read_layers"]

ACTIVATIONS = {
    "linear": "",
    "leaky": "LeakyReLU(0.1, inplace=True)",
    "relu": "ReLU(inplace=True)",
    "logistic": "Sigmoid()",
    "tanh": "Tanh()",
    "elu": "ELU(inplace=True)",
    "swish": "SiLU(inplace=True)",
    "mish": "Mish(inplace=True)",
}
_CALLS = {name: name for name in ACTIVATIONS}
HEADS = {"yolo", "region", "detection"}
_SPECIAL = {
    "convolutional": ("binary", "xnor", "flipped", "antialiasing", "share_index"),
    "connected": ("batch_normalize",),
    "reorg": ("reverse", "flatten", "extra"),
}
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Conv:
    """A `[convolutional]` section: its numbers, whether it has a norm, and its activation.

    `boxes` is how many boxes it predicts, where a head reads it.
    """

    filters: int
    kernel: int
    stride: int
    padding: int
    groups: int
    norm: bool
    activation: str
    boxes: int = 0


@dataclass
class Layer:
    """A layer as Darknet numbers it.

    Attributes:
        word: what its row is called before its number.
        sources: the layers that it takes, -1 for the image; one alone if it has no call.
        calls: the ops of its rows, one after another; none if it only passes on what it takes.
        conv: of a convolution, instead of calls.
        shape: of what it gives, without the batch; empty where that follows the number of classes.
    """

    index: int
    section: Section
    word: str
    sources: list[int]
    shape: Shape
    calls: tuple[str, ...] = ()
    conv: Conv | None = None


def read_layers(sections: list[Section], shape: Shape, report: Report) -> list[Layer]:
    """Return the layers behind `[net]`, which gives an image of this shape."""
    reader = _Reader(shape, report)
    for section in sections:
        reader.read(section)
    return reader.layers


class _Reader:
    """The layers read so far."""

    def __init__(self, shape: Shape, report: Report) -> None:
        self.image = shape
        self.report = report
        self.layers: list[Layer] = []

    def read(self, section: Section) -> None:
        """Add a section's layer; one that cannot be read passes on what arrives."""
        make = _MAKERS.get(section.kind)
        if make is None:
            message = f"[{section.kind}] has no counterpart here"
            help = f"known are {', '.join(sorted(_MAKERS))}"
            self.report.add("E0802", message, section.span, "unknown section", help=help)
        for name in _SPECIAL.get(section.kind, ()):
            section.whole(name, 0, least=0, most=0)
        made = make(self, section) if make else None
        layer = made or self.layer(section, section.kind, ())
        for place in layer.sources:
            kind = self.layers[place].section.kind if place >= 0 else ""
            if kind in HEADS:
                message = f"layer {place} is a [{kind}], which gives boxes"
                self.misfit(section, message, "put a [route] to the layer before it in between")
        self.layers.append(layer)

    def layer(
        self,
        section: Section,
        word: str,
        calls: tuple[str, ...],
        shape: Shape | None = None,
        sources: list[int] | None = None,
    ) -> Layer:
        """Return a layer that takes the one before and keeps its shape, unless told otherwise."""
        index = len(self.layers)
        calls = tuple(call for call in calls if call)
        sources = [index - 1] if sources is None else sources
        return Layer(index, section, word, sources, shape or self.arriving, calls)

    @property
    def arriving(self) -> Shape:
        """The shape that the layer before gives."""
        return self.layers[-1].shape if self.layers else self.image

    def is_map(self, section: Section) -> bool:
        """Whether a map arrives; anything else is reported."""
        if len(self.arriving) == 3:
            return True
        message = f"[{section.kind}] needs a map, and the layer before gives a row of numbers"
        self.misfit(section, message, "move it before [connected]")
        return False

    def misfit(self, section: Section, message: str, help: str) -> None:
        """Report a layer that does not fit what it takes."""
        self.report.add("E0804", message, section.span, "does not fit", help=help)

    def windows(self, section: Section, kernel: int, stride: int, padding: int) -> tuple[int, int]:
        """Return how many windows fit along both sides, `padding` being of both ends together."""
        rows, columns = ((side + padding - kernel) // stride + 1 for side in self.arriving[1:])
        if rows < 1 or columns < 1:
            shown = "x".join(map(str, self.arriving))
            message = f"the map is gone: {shown} is smaller than the window of {kernel}"
            self.report.add("E0402", message, section.span, help="use a larger input")
        return max(rows, 1), max(columns, 1)

    def taken(self, section: Section, option: str) -> list[int]:
        """Return the layers that an option names, by their number or counted back from here."""
        index = len(self.layers)
        numbers = section.wholes(option)
        if option not in section.options:
            section.refuse(option, f"`{option}` is missing", f"write which layers: `{option}=-1`")
        places = [number if number >= 0 else index + number for number in numbers]
        for number, place in zip(numbers, places, strict=True):
            if not 0 <= place < index:
                message = f"[{section.kind}]: there is no layer {number} before layer {index}"
                span = section.options[option].span
                help = f"name one from 0 to {index - 1}, or count back with -1"
                self.report.add("E0804", message, span, "unknown layer", help=help)
        return places if all(0 <= place < index for place in places) else []


def _convolutional(reader: _Reader, section: Section) -> Layer | None:
    if not reader.is_map(section):
        return None
    kernel = section.whole("size", 1)
    padding = section.whole("padding", 0, least=0)
    conv = Conv(
        filters=section.whole("filters", 1),
        kernel=kernel,
        stride=section.whole("stride", 1),
        padding=kernel // 2 if section.whole("pad", 0, least=0) else padding,
        groups=section.whole("groups", 1),
        norm=bool(section.whole("batch_normalize", 0, least=0, most=1)),
        activation=section.word("activation", "logistic", _CALLS),
    )
    section.whole("dilation", 1, most=1)
    for channels in (reader.arriving[0], conv.filters):
        if channels % conv.groups:
            message = f"{conv.groups} groups do not divide {channels} channels"
            section.refuse("groups", message, "write a divisor of both ends' channels")
    size = reader.windows(section, kernel, conv.stride, 2 * conv.padding)
    layer = reader.layer(section, "conv", (), (conv.filters, *size))
    layer.conv = conv
    return layer


def _local(reader: _Reader, section: Section) -> Layer | None:
    if not reader.is_map(section):
        return None
    kernel, stride = section.whole("size", 1), section.whole("stride", 1)
    only = "as many zeros as keep the size, or none, are what Darknet reckons with"
    padding = section.whole("pad", 0, least=0, most=kernel // 2, only=only)
    if padding and 2 * padding != kernel - 1:
        section.refuse("pad", only, "write size=3, pad=1")
    filters = section.whole("filters", 1)
    size = reader.windows(section, kernel, stride, 2 * padding)
    call = f"LocallyConnected2d(_, {filters}, {kernel}{_beyond(stride=stride, padding=padding)})"
    calls = (call, ACTIVATIONS[section.word("activation", "logistic", _CALLS)])
    return reader.layer(section, "local", calls, (filters, *size))


def _maxpool(reader: _Reader, section: Section) -> Layer | None:
    if not reader.is_map(section):
        return None
    stride = section.whole("stride", 1)
    size = section.whole("size", stride)
    padding = section.whole("padding", size - 1, least=0)
    sides = reader.arriving[1:]
    rows, columns = reader.windows(section, size, stride, padding)
    if padding % 2 == 0 and padding // 2 <= size // 2:
        how = _beyond(padding=padding // 2)
    elif (size, padding) == (2, 1) and stride == 2:
        how = ", ceil_mode=True" if any(side % 2 for side in sides) else ""
    elif (size, padding) == (2, 1):
        how = ", padding='tf_same'"
    else:
        message = f"windows of {size} with {padding} places of padding have no counterpart here"
        section.refuse("padding", message, "write an even number of places")
        return None
    call = f"MaxPool2d({size}, stride={stride}{how})"
    return reader.layer(section, "pool", (call,), (reader.arriving[0], rows, columns))


def _avgpool(reader: _Reader, section: Section) -> Layer | None:
    if not reader.is_map(section):
        return None
    return reader.layer(section, "pool", ("AdaptiveAvgPool2d(1)",), (reader.arriving[0], 1, 1))


def _connected(reader: _Reader, section: Section) -> Layer:
    outputs = section.whole("output", 1)
    activation = ACTIVATIONS[section.word("activation", "logistic", _CALLS)]
    calls = (_flat(reader), f"Linear(_, {outputs})", activation)
    return reader.layer(section, "full", calls, (outputs,))


def _softmax(reader: _Reader, section: Section) -> Layer:
    section.whole("groups", 1, most=1)
    numbers = 1
    for side in reader.arriving:
        numbers *= side
    return reader.layer(section, "softmax", (_flat(reader), "Softmax(dim=1)"), (numbers,))


def _dropout(reader: _Reader, section: Section) -> Layer:
    share = section.real("probability", 0.5)
    if not 0 <= share <= 1:
        section.refuse("probability", f"{share} is no share", "write a number from 0 to 1")
    return reader.layer(section, "drop", (f"Dropout({share})",))


def _shortcut(reader: _Reader, section: Section) -> Layer | None:
    places = reader.taken(section, "from")
    activation = ACTIVATIONS[section.word("activation", "linear", _CALLS)]
    shapes = {reader.layers[place].shape for place in places} | {reader.arriving}
    if len(shapes) > 1:
        shown = " and ".join("x".join(map(str, shape)) for shape in sorted(shapes))
        reader.misfit(section, f"these shapes differ: {shown}", "take a layer of the same shape")
    sources = [*places, len(reader.layers) - 1]
    return reader.layer(section, "add", ("Add()", activation), sources=sources) if places else None


def _route(reader: _Reader, section: Section) -> Layer | None:
    places = reader.taken(section, "layers")
    groups = section.whole("groups", 1)
    part = section.whole("group_id", 0, least=0, most=groups - 1)
    if not places:
        return None
    first, *others = (reader.layers[place].shape for place in places)
    if any(shape[1:] != first[1:] for shape in others):
        shown = " and ".join("x".join(map(str, shape)) for shape in (first, *others))
        reader.misfit(section, f"only channels may differ: {shown}", "take layers of one size")
    if groups > 1:
        return _part(reader, section, groups, part, places)
    channels = sum(reader.layers[place].shape[0] for place in places)
    calls = ("Cat(dim=1)",) if others else ()
    return reader.layer(section, "cat", calls, (channels, *first[1:]), places)


def _part(
    reader: _Reader, section: Section, groups: int, part: int, places: list[int]
) -> Layer | None:
    """Return the layer that takes one of the equal groups of another's channels."""
    channels, *sides = reader.layers[places[0]].shape
    if len(places) > 1:
        section.refuse("groups", "groups of several layers", "write a [route] for each layer")
        return None
    if channels % groups:
        message = f"{groups} groups do not divide {channels} channels"
        section.refuse("groups", message, "write a divisor of the channels")
    length = max(channels // groups, 1)
    call = f"Narrow(1, {part * length}, {length})"
    return reader.layer(section, "part", (call,), (length, *sides), places)


def _upsample(reader: _Reader, section: Section) -> Layer | None:
    if not reader.is_map(section):
        return None
    factor = section.whole("stride", 2)
    section.whole("scale", 1, most=1)
    channels, rows, columns = reader.arriving
    call = f"Upsample(scale_factor={factor}, mode='nearest')"
    return reader.layer(section, "up", (call,), (channels, rows * factor, columns * factor))


def _reorg(reader: _Reader, section: Section) -> Layer | None:
    if not reader.is_map(section):
        return None
    stride = section.whole("stride", 1)
    channels, rows, columns = reader.arriving
    if channels % stride**2 or rows % stride or columns % stride:
        shown = f"{channels}x{rows}x{columns}"
        message = f"{shown} does not divide into squares of {stride} by {stride}"
        reader.misfit(section, message, "use another input size or stride")
    shape = (channels * stride**2, max(rows // stride, 1), max(columns // stride, 1))
    return reader.layer(section, "reorg", (f"Reorg({stride})",), shape)


def _passed(reader: _Reader, section: Section) -> Layer:
    """Return a layer that is no row: boxes and losses are the detector's."""
    return reader.layer(section, section.kind, ())


def _flat(reader: _Reader) -> str:
    return "Flatten()" if len(reader.arriving) == 3 else ""


def _beyond(*, stride: int = 1, padding: int = 0) -> str:
    """Return the keywords that differ from torch's defaults."""
    written = f", stride={stride}" if stride != 1 else ""
    return written + (f", padding={padding}" if padding else "")


_MAKERS: dict[str, Callable[[_Reader, Section], Layer | None]] = {
    "avgpool": _avgpool,
    "connected": _connected,
    "convolutional": _convolutional,
    "cost": _passed,
    "detection": _passed,
    "dropout": _dropout,
    "local": _local,
    "maxpool": _maxpool,
    "region": _passed,
    "reorg": _reorg,
    "route": _route,
    "shortcut": _shortcut,
    "softmax": _softmax,
    "upsample": _upsample,
    "yolo": _passed,
}
