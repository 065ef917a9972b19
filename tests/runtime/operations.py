"""What a computation asks of the device, and where the host would have to wait for it."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Operations whose result's shape or value the host must learn before it can go on.
WAITS = (
    "_local_scalar_dense",
    "_unique2",
    "bincount",
    "equal",
    "is_nonzero",
    "item",
    "masked_select",
    "nms",
    "nonzero",
    "unique",
)


def name(func, args) -> str:
    """What an operation is called; an index by booleans is `nonzero`."""
    called = func.overloadpacket.__name__
    indices = args[1] if called in ("index", "index_put", "index_put_") else ()
    by_mask = any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in indices)
    return "nonzero" if by_mask else called


class Operations(TorchDispatchMode):
    """Writes down the name of each operation."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(name(func, args))
        return func(*args, **(kwargs or {}))

    @property
    def waits(self):
        return [name for name in self.names if name in WAITS]
