"""Draws depend on their position alone, and positions do not overlap."""

import numpy as np

from specc_runtime.data.draws import Purpose, generator, permutation


def test_same_position_same_numbers() -> None:
    a, b = (generator(Purpose.GEOMETRY, 1, 2, 3).random(1000) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_every_part_of_the_position_matters() -> None:
    positions = [
        (Purpose.GEOMETRY, 1, 2, 3),
        (Purpose.ORDER, 1, 2, 3),
        (Purpose.GEOMETRY, 2, 2, 3),
        (Purpose.GEOMETRY, 1, 3, 3),
        (Purpose.GEOMETRY, 1, 2, 4),
    ]
    draws = np.array([generator(*position).random(1000) for position in positions])
    assert len(np.unique(draws)) == draws.size
    assert np.abs(np.corrcoef(draws) - np.eye(5)).max() < 0.12


def test_permutation_is_one() -> None:
    order = permutation(0, 5, 97)
    assert sorted(order.tolist()) == list(range(97))
    assert order.tolist() != permutation(0, 6, 97).tolist()


def test_numbers_never_change() -> None:
    """A change here would make every old run impossible to repeat."""
    assert permutation(0, 0, 8).tolist() == PERMUTATION
    np.testing.assert_array_equal(generator(Purpose.GEOMETRY, 1, 2, 3).random(2), NUMBERS)


PERMUTATION = [0, 2, 1, 5, 4, 3, 6, 7]
NUMBERS = [0.7392729637493114, 0.1727219477163251]
