"""Charts as SVG text, for a page.

Colours and letters come from the page's style sheet by class: `line-0` to `line-9`, `grid`, `bar`, `cell`, `dark`.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

MOST_POINTS = 400
"""Points drawn per line: more than a chart has pixels only make the file large."""

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 12, 44

Points = Sequence[tuple[float, float]]


def lines(
    series: Mapping[str, Points],
    across: str,
    *,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> str:
    """A chart of lines with a legend; values that are not finite are left out.

    Args:
        series: points (x, y) by name, in the order of the legend.
        across: label of the x axis.
        x_range: ends of the axis; by default those of the points.
        y_range: likewise; by default from 0.
    """
    known = {name: _thinned(points) for name, points in series.items()}
    known = {name: points for name, points in known.items() if len(points)}
    if not known:
        return '<p class="none">nothing recorded</p>'
    every = np.concatenate(list(known.values()))
    x_ticks = ticks(*(x_range or (every[:, 0].min(), every[:, 0].max())))
    y_ticks = ticks(*(y_range or (min(0.0, every[:, 1].min()), every[:, 1].max())))
    drawn = [_axes(x_ticks, y_ticks, across)]
    for number, points in enumerate(known.values()):
        x, y = _place(points[:, 0], x_ticks, 0), _place(points[:, 1], y_ticks, 1)
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        drawn.append(f'<polyline class="line-{number % 10}" points="{path}"/>')
        if len(points) == 1:
            drawn.append(
                f'<circle class="line-{number % 10}" cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="3"/>'
            )
    legend = "".join(
        f'<span><i class="line-{number % 10}"></i>{escape(name)}</span>'
        for number, name in enumerate(known)
    )
    return f'{_frame("".join(drawn), WIDTH, HEIGHT)}<p class="legend">{legend}</p>'


def bars(values: Mapping[str, float], across: str) -> str:
    """Vertical bars with their names below."""
    if not values:
        return '<p class="none">nothing recorded</p>'
    y_ticks = ticks(0.0, max(1.0, *values.values()))
    room = (WIDTH - LEFT - RIGHT) / len(values)
    drawn = [_axes(np.array([]), y_ticks, across)]
    foot = HEIGHT - BOTTOM
    for number, (name, value) in enumerate(values.items()):
        top = float(_place(np.array([value]), y_ticks, 1)[0])
        left, middle = LEFT + room * (number + 0.1), LEFT + room * (number + 0.5)
        drawn.append(
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{room * 0.8:.1f}" '
            f'height="{foot - top:.1f}"/>'
        )
        drawn.append(_text(name, middle, foot + 16, "middle"))
    return _frame("".join(drawn), WIDTH, HEIGHT)


def heat_map(counts: np.ndarray, names: Sequence[str]) -> str:
    """Counts [N, N] as squares, darker with their share of the row, with names on both sides."""
    cell = 36 if len(names) <= 12 else 26
    margin = 12 + 7 * min(24, max(map(len, names)))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    drawn: list[str] = []
    for number, name in enumerate(names):
        foot = margin + (number + 0.5) * cell + 4
        drawn.append(_text(_short(name), margin - 6, foot, "end"))
        turn = f'transform="rotate(-90 {foot:.1f} {margin - 6})"'
        drawn.append(_text(_short(name), foot, margin - 6, "start", turn))
    for (row, column), count in np.ndenumerate(counts):
        x, y, share = margin + column * cell, margin + row * cell, shares[row, column]
        drawn.append(
            f'<rect class="cell" x="{x}" y="{y}" width="{cell}" height="{cell}" '
            f'fill-opacity="{share:.3f}"/>'
        )
        if count:
            ink = 'class="dark"' if share > 0.5 else ""
            drawn.append(_text(str(count), x + cell / 2, y + cell / 2 + 4, "middle", ink))
    side = margin + len(names) * cell + 4
    return _frame("".join(drawn), side, side)


def ticks(low: float, high: float) -> np.ndarray:
    """Four to eight round numbers that span [low, high]."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    unit = next(unit * power for unit in (1, 2, 5, 10) if span / (unit * power) <= 6)
    first, last = math.floor(low / unit), math.ceil(high / unit)
    return np.arange(first, max(last, first + 1) + 1) * unit


def _axes(x_ticks: np.ndarray, y_ticks: np.ndarray, across: str) -> str:
    drawn: list[str] = []
    for tick, y in zip(y_ticks, _place(y_ticks, y_ticks, 1), strict=True):
        place = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        drawn.append(f'<line class="grid" {place}/>')
        drawn.append(_text(f"{tick:.4g}", LEFT - 6, y + 4, "end"))
    for tick, x in zip(x_ticks, _place(x_ticks, x_ticks, 0), strict=True):
        drawn.append(_text(f"{tick:.6g}", x, HEIGHT - BOTTOM + 16, "middle"))
    drawn.append(_text(across, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "middle"))
    return "".join(drawn)


def _text(text: str, x: float, y: float, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _place(values: np.ndarray, along: np.ndarray, axis: int) -> np.ndarray:
    """Pixel positions of values on the axis, 0 for x or 1 for y, that these ticks span."""
    if not len(values):
        return values
    share = (values - along[0]) / (along[-1] - along[0])
    if axis == 0:
        return LEFT + share * (WIDTH - LEFT - RIGHT)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _thinned(points: Points) -> np.ndarray:
    """The finite points [N, 2], evenly thinned if there are too many; first and last are kept."""
    found = np.array(points, dtype=np.float64).reshape(-1, 2)
    found = found[np.isfinite(found).all(axis=1)]
    if len(found) <= MOST_POINTS:
        return found
    return found[np.linspace(0, len(found) - 1, MOST_POINTS).round().astype(int)]


def _frame(drawn: str, width: float, height: float) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">{drawn}</svg>'


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
