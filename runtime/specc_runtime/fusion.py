"""Where a compiler is to stop fusing."""

import torch
from torch import Tensor


@torch.no_grad()
def stored(values: Tensor) -> Tensor:
    """The same values, computed once, whoever reads them; without a gradient.

    torch.compile computes what it takes for cheap anew for each reader, be it a look-up in a table. What
    a view by strides is of has to lie in memory, so it is computed before. Nothing is copied.
    """
    return values.as_strided(values.shape, values.stride())
