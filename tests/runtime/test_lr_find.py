"""The range test: rates, smoothing, where it ends, and what it suggests."""

import json
import math

import pytest
import torch

from specc_runtime import model
from specc_runtime.lr_find import MEMORY, RangeTest, range_test

from .training import RECIPE, TINY, batches


def measured(smoothed, *, diverged=False, first=1e-5) -> RangeTest:
    rates = tuple(first * 2.0**i for i in range(len(smoothed)))
    return RangeTest(rates, tuple(smoothed), tuple(smoothed), diverged)


@pytest.fixture(scope="module")
def found() -> RangeTest:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    detector = model.load(TINY).build(3)
    given = (batch for epoch in range(100) for batch in batches(epoch, 0))
    return range_test(detector, given, RECIPE, low=1e-4, high=1e5, steps=80)


def test_rates_rise_by_one_factor_until_the_loss_diverges(found):
    assert found.rates[0] == 1e-4 and found.diverged and len(found.rates) < 80
    steps = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert steps == pytest.approx([1e9 ** (1 / 79)] * len(steps))


def test_the_loss_is_smoothed_without_bias(found):
    for step in (0, 1, 10):
        weights = [MEMORY ** (step - i) for i in range(step + 1)]
        mean = sum(w * x for w, x in zip(weights, found.losses, strict=False)) / sum(weights)
        assert found.smoothed[step] == pytest.approx(mean)


def test_what_it_suggests_lowers_the_loss_and_the_rates_beyond_do_not(found):
    least = min(range(len(found.smoothed)), key=found.smoothed.__getitem__)
    assert found.suggestion == pytest.approx(found.rates[least] / 10)
    assert found.smoothed[least] < 0.9 * found.smoothed[0]
    assert found.smoothed[-1] > 4 * found.smoothed[least]


def test_the_last_step_may_not_be_finite():
    test = RangeTest((1e-3, 1e-2), (1.0, math.inf), (1.0, math.inf), diverged=True)
    assert json.loads(json.dumps(test.as_json(), allow_nan=False))["losses"] == [1.0, None]
    assert "inf" in test.table()


def test_a_loss_that_only_rises_or_only_falls_suggests_nothing():
    rising = measured([1.0 + i for i in range(30)], diverged=True)
    assert rising.suggestion is None and "begin with a lower rate" in rising.table()
    falling = measured([30.0 - i for i in range(30)])
    assert falling.suggestion is None and "go on to a greater rate" in falling.table()


def test_a_least_loss_in_the_outer_tenth_of_the_steps_suggests_nothing():
    for least, trouble in ((2, "lower rate"), (3, ""), (26, ""), (27, "greater rate")):
        found = measured([abs(step - least) for step in range(30)])
        assert trouble in found.trouble and bool(found.trouble) is bool(trouble)


def test_a_loss_that_falls_until_it_explodes_has_a_suggestion():
    found = measured([30.0 - i for i in range(29)] + [1e9], diverged=True)
    assert found.suggestion == pytest.approx(found.rates[28] / 10)


def test_the_table_shows_the_least_and_the_last(found):
    lines = found.table(rows=5).splitlines()
    assert sum(line.endswith("least") for line in lines) == 1
    assert lines[-1] == found.verdict and lines[-1].startswith("lr=")
    assert f"{found.rates[-1]:.2e}" in lines[-3]


def test_the_page_has_a_chart_with_finite_points(found):
    page = found.as_html()
    assert page.count("<polyline") == 2 and found.verdict in page
    assert "nan" not in page and "inf" not in page.split("<body>")[1].lower()
