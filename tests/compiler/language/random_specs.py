"""Draw small specs that are right: chains, sums, joins, modules, repeats, loops, conditions."""

from __future__ import annotations

from hypothesis import strategies as st

WIDTHS = st.sampled_from([2, 4, 6])
KINDS = [
    "plain",
    "block",
    "repeat",
    "first",
    "join",
    "branches",
    "tap",
    "filled",
    "recurrence",
    "shared",
    "list",
]
FILLINGS = st.sampled_from(
    [
        "{weight: normal_(std=0.01), bias: zeros_()}",
        "{bias: constant_(-log((1 - prior) / prior))}",
        "{weight: xavier_uniform_(), bias: constant_(classes)}",
        "{weight: kaiming_normal_(nonlinearity='relu')}",
    ]
)
SPEAKING = ["Block", "Heads", "Pair", "Sides", "Squeeze", "Wide"]
"""Modules that may say how their convolutions begin."""
PLAIN_ROWS = st.sampled_from(
    [
        "ReLU()",
        "BatchNorm2d(_)",
        "MaxPool2d(3, stride=1, padding=1)",
        "Conv2d(_, 4, 3, padding=1)",
        "Dropout(0.1)",
        "Squeeze()",
        "Wide(2)",
    ]
)

MODULES = """
modules:
  Squeeze:
    doc: Weigh the channels.
    inputs: {x: [N, c, H, W]}
    layers:
      pool: AdaptiveAvgPool2d(1)
      gate: Conv2d(_, c, 1)
      weigh: Mul()(x, gate)
  Wide:
    params: {by: int}
    inputs: {x: [N, c, H, W]}
    let: {hidden: c * by}
    layers:
      - Conv2d(_, hidden, 3, padding=1)
      - middle: ReLU(inplace=True)
      - Conv2d(_, c, 1)
  Sides:
    layers:
      inner: Pair()
      left: Conv2d(_, 4, 1)(inner.right)
      right: Conv2d(_, 4, 1)
  Pair:
    layers:
      left: Conv2d(_, 4, 1)
      right: Conv2d(_, 4, 1)
  Holder:
    layers:
      sides: {for: {i: range(2)}, op: Sides()(x)}
      last: ReLU()(sides[1])
  Block:
    params: {out: int, stride: 1, norm: true}
    inputs: {x: [N, c, H, W]}
    layers:
      conv: Conv2d(_, out, 3, stride=stride, padding=1)
      norm_:
        if: norm
        op: BatchNorm2d(_)
      skip:
        if: stride != 1 or c != out
        op: Conv2d(_, out, 1, stride=stride)(x)
      total: Add()(norm_, skip)
  Heads:
    params: {out: int}
    inputs: [maps]
    layers:
      each:
        for: {m: maps}
        op: Conv2d(_, out, 1)(m)
      tables:
        for: {m: each}
        op: PerBox(out)(m)
      joined: Cat(dim=1)(tables)
"""


@st.composite
def specs(draw: st.DrawFn) -> str:
    """Draw the text of a spec."""
    rows: list[str] = []
    names = ["images"]
    for number in range(draw(st.integers(1, 6))):
        name = f"r{number}"
        rows += draw(_row(name, names))
        names.append(name)
    taps = draw(st.lists(st.sampled_from(names[1:]), min_size=1, max_size=3, unique=True))
    if draw(st.booleans()):
        rows.append(f"heads: Heads(classes)([{', '.join(taps)}])")
        taps = ["heads"]
    outputs = ", ".join(f"o{place}: {tap}" for place, tap in enumerate(taps))
    head = ["specc: 1", "name: drawn", "inputs: {images: [N, 4, 16, 16]}"]
    head.append("params: {classes: 3, prior: 0.01}")
    head += draw(st.sampled_from([[], [f"init: {{Conv2d: {draw(FILLINGS)}}}"]]))
    indented = [f"  {line}" for row in rows for line in row.split("\n")]
    parts = ["layers:", *indented, f"outputs: {{{outputs}}}", draw(_stages(rows))]
    return "\n".join([*head, *parts, draw(_modules())])


@st.composite
def _modules(draw: st.DrawFn) -> str:
    """Let some modules say how their convolutions begin."""
    text = MODULES
    for number, name in enumerate(draw(st.lists(st.sampled_from(SPEAKING), unique=True))):
        values = draw(st.sampled_from(["", "weight: xavier_uniform_(), "]))
        said = f"  {name}:\n    init: {{Conv2d: {{{values}bias: constant_({number})}}}}\n"
        text = text.replace(f"  {name}:\n", said)
    return text


@st.composite
def _stages(draw: st.DrawFn, rows: list[str]) -> str:
    """Split the rows anywhere, or not."""
    *others, last = [row.partition(":")[0] for row in rows]
    if not others or draw(st.booleans()):
        return ""
    ends = draw(st.lists(st.sampled_from(others), max_size=3, unique=True))
    ends = [*sorted(ends, key=others.index), last]
    return f"stages: {{{', '.join(f's{place}: {end}' for place, end in enumerate(ends))}}}"


@st.composite
def _row(draw: st.DrawFn, name: str, names: list[str]) -> list[str]:
    """Draw a row that takes any of the values before it."""
    taken = draw(st.sampled_from(names))
    width = draw(WIDTHS)
    match draw(st.sampled_from(KINDS)):
        case "plain":
            return [f"{name}: {draw(PLAIN_ROWS)}({taken})"]
        case "block":
            norm = draw(st.booleans())
            return [f"{name}: Block({width}, norm={norm})({taken})"]
        case "repeat":
            count = draw(st.integers(1, 4))
            return [f"{name}:\n  repeat: {count}\n  op: Block({width})({taken})"]
        case "first":
            count, stride = (
                draw(st.integers(1, 3)),
                draw(st.sampled_from(["", ", 1", ", stride=1"])),
            )
            first = draw(st.sampled_from(["{stride: 1, out: 6}", "{out: 4}", "{norm: false}"]))
            return [
                f"{name}:\n  repeat: {count}\n  first: {first}\n  op: Block({width}{stride})({taken})"
            ]
        case "filled":
            way = draw(st.sampled_from(["repeat: 3", "if: true", "repeat: 1"]))
            op = f"Conv2d(_, {width}, 3, padding=1)({taken})"
            return [f"{name}:\n  {way}\n  op: {op}\n  init: {draw(FILLINGS)}"]
        case "recurrence":
            left_out = draw(st.sampled_from(["i != 1", "i > 1", "i < 2", "i == 2", "True"]))
            op = f"Conv2d(_, {width}, 1)({name}_each[i - 1] if i else {taken})"
            each = f"{name}_each:\n  for: {{i: range(3)}}\n  if: {left_out}\n  op: {op}"
            if draw(st.booleans()):
                each += f"\n  init: {draw(FILLINGS)}"
            return [each, f"{name}: Cat(dim=1)({name}_each)"]
        case "shared":
            tap = draw(st.sampled_from(["[0].left", "[1].right", "[0]", "[1].inner.left"]))
            each = f"{name}_each:\n  for: {{m: '[{taken}, {taken}]'}}\n  shared: true\n"
            each += "  op: Sides()(m)"
            return [each, f"{name}: ReLU()({name}_each{tap})"]
        case "list":
            tap = draw(st.sampled_from(["[0].left", "[1].inner.right", "[1]", "[0].left"]))
            return [f"{name}_held: Holder()({taken})", f"{name}: ReLU()({name}_held.sides{tap})"]
        case "join":
            other = draw(st.sampled_from(names))
            return [f"{name}: Cat(dim=1)({taken}, {other})"]
        case "branches":
            each = f"{name}_each:\n  for: {{d: [1, 2, 3]}}\n  "
            each += f"op: Conv2d(_, {width}, 3, padding=d, dilation=d)({taken})"
            return [each, f"{name}: Cat(dim=1)({name}_each)"]
        case _:
            return [
                f"{name}_wide: Wide(3)({taken})",
                f"{name}: Conv2d(_, 4, 1)({name}_wide.middle)",
            ]
