"""Charts are well-formed, put points where their values are, and let no name out of its place."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from specc_runtime.report import svg

HOSTILE = "<script>alert('x')</script> & \"friends\""


def parsed(chart):
    """The chart's elements; raises unless it is well-formed."""
    return ET.fromstring(f"<div>{chart}</div>")


def polylines(chart):
    found = [e.attrib["points"] for e in parsed(chart).iter("polyline")]
    return [[tuple(map(float, p.split(","))) for p in points.split()] for points in found]


def test_points_lie_where_their_values_are():
    [line] = polylines(svg.lines({"a": [(0, 0), (50, 0.5), (100, 1)]}, "step"))
    (x0, y0), (x1, y1), (x2, y2) = line
    assert x0 == svg.LEFT and x2 == svg.WIDTH - svg.RIGHT
    assert y0 == svg.HEIGHT - svg.BOTTOM and y2 == svg.TOP
    assert (x1, y1) == pytest.approx(((x0 + x2) / 2, (y0 + y2) / 2))


def test_the_range_given_is_the_axis():
    points = [(0.5, 0.5)]
    chart = svg.lines({"a": points}, "recall", x_range=(0, 1), y_range=(0, 1))
    circle = next(parsed(chart).iter("circle"))
    middle = (svg.LEFT + svg.WIDTH - svg.RIGHT) / 2
    assert float(circle.attrib["cx"]) == pytest.approx(middle, abs=0.1)


def test_what_is_not_finite_is_left_out_and_nothing_is_said_to_be_nothing():
    assert len(polylines(svg.lines({"a": [(0, 1), (1, float("nan")), (2, 3)]}, "x"))[0]) == 2
    for empty in ({}, {"a": []}, {"a": [(0, float("inf"))]}):
        assert "nothing recorded" in svg.lines(empty, "x")


def test_long_lines_are_thinned_but_keep_their_ends():
    [line] = polylines(svg.lines({"a": [(n, n) for n in range(10_000)]}, "x"))
    assert len(line) == svg.MOST_POINTS and line[-1][1] == svg.TOP


@pytest.mark.parametrize("draw", ["lines", "bars", "heat_map"])
def test_names_are_text(draw):
    chart = {
        "lines": lambda: svg.lines({HOSTILE: [(0, 1), (1, 2)]}, HOSTILE),
        "bars": lambda: svg.bars({HOSTILE: 3}, HOSTILE),
        "heat_map": lambda: svg.heat_map(np.eye(2, dtype=int), [HOSTILE, "b"]),
    }[draw]()
    assert "script" not in {element.tag for element in parsed(chart).iter()}
    assert not re.search(r"<(?!/?(svg|g|line|polyline|rect|circle|text|p|span|i)\b)", chart)


def test_bars_are_as_high_as_their_values():
    rects = list(parsed(svg.bars({"a": 5, "b": 10}, "x")).iter("rect"))
    low, high = (float(rect.attrib["height"]) for rect in rects)
    assert high == pytest.approx(2 * low, abs=0.2) and high > 0


def test_squares_are_as_dark_as_their_share_of_the_row():
    chart = parsed(svg.heat_map(np.array([[3, 1], [0, 0]]), ["a", "b"]))
    assert [float(r.attrib["fill-opacity"]) for r in chart.iter("rect")] == [0.75, 0.25, 0, 0]
    assert [t.text for t in chart.iter("text")] == ["a", "a", "b", "b", "3", "1"]
