"""Picking out the few that matter, against `nonzero` and `topk`."""

import pytest
import torch

from specc_runtime.sparse import top_above, true_at


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 1001])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_equals_nonzero(count, share):
    torch.manual_seed(count)
    flags = torch.rand(count) < share
    assert torch.equal(true_at(flags), flags.nonzero().squeeze(1))


@pytest.mark.parametrize("share", [0.0, 0.03, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("most", [1, 10, 10_000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_greatest_above_are_those_of_a_sorted_row(share, most, dtype):
    torch.manual_seed(most)
    values = torch.rand(5, 301, dtype=dtype)
    values[3] *= 1 - share  # nothing there is above
    values[4, 0] = 1.0
    top, at = top_above(values, 1 - share, most)
    rows = [row[row > 1 - share].sort(descending=True).values[:most] for row in values]
    assert top.shape == at.shape == (5, max(1, *map(len, rows)))
    for row, expected, found, where in zip(values, rows, top, at, strict=True):
        real = found > 0
        assert torch.equal(found[real].sort(descending=True).values, expected)
        assert torch.equal(row[where[real]], found[real])
        assert len(where[real].unique()) == len(expected)
