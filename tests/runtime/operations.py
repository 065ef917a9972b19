"""What a computation asks of the device, and where the host would have to wait for it."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Operations whose result's shape or value the host must learn before it can go on.
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "item", "equal", "is_nonzero")


class Operations(TorchDispatchMode):
    """Writes down the name of each operation; an index by booleans is written `nonzero`."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        indices = args[1] if name in ("index", "index_put", "index_put_") else ()
        by_mask = any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in indices)
        self.names.append("nonzero" if by_mask else name)
        return func(*args, **(kwargs or {}))

    @property
    def waits(self):
        return [name for name in self.names if name in WAITS]
