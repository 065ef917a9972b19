"""Draw small specs that are right: chains, sums, joins, modules, repeats, loops, conditions."""

from __future__ import annotations

from hypothesis import strategies as st

WIDTHS = st.sampled_from([2, 4, 6])
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
    head = ["specc: 1", "name: drawn", "inputs: {images: [N, 4, 16, 16]}", "params: {classes: 3}"]
    indented = [f"  {line}" for row in rows for line in row.split("\n")]
    return "\n".join([*head, "layers:", *indented, f"outputs: {{{outputs}}}", MODULES])


@st.composite
def _row(draw: st.DrawFn, name: str, names: list[str]) -> list[str]:
    """Draw a row that takes any of the values before it."""
    taken = draw(st.sampled_from(names))
    width = draw(WIDTHS)
    match draw(st.sampled_from(["plain", "block", "repeat", "join", "branches", "tap"])):
        case "plain":
            return [f"{name}: {draw(PLAIN_ROWS)}({taken})"]
        case "block":
            norm = draw(st.booleans())
            return [f"{name}: Block({width}, norm={norm})({taken})"]
        case "repeat":
            count = draw(st.integers(1, 4))
            return [f"{name}:\n  repeat: {count}\n  op: Block({width})({taken})"]
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
