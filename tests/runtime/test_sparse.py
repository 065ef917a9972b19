"""Picking out the few that matter, against `nonzero`."""

import pytest
import torch

from specc_runtime.sparse import true_at


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 1001])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_equals_nonzero(count, share):
    torch.manual_seed(count)
    flags = torch.rand(count) < share
    assert torch.equal(true_at(flags), flags.nonzero().squeeze(1))
