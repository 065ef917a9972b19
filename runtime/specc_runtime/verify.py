"""What shapes PyTorch itself finds in an emitted module, to hold against the compiler's own."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn


def leaf_shapes(
    network_class: type[nn.Module], size: tuple[int, int]
) -> dict[str, list[list[int]]]:
    """Output shapes of every module without children, by its path, one for each time it is called.

    Runs on the meta device: no memory and no arithmetic. The input is one picture of `size`,
    (height, width). A network that reuses a layer has several shapes for it.
    """
    shapes: defaultdict[str, list[list[int]]] = defaultdict(list)
    with torch.device("meta"):
        network = network_class().eval()
    for path, module in cast(Iterable[tuple[str, nn.Module]], network.named_modules()):
        if not list(module.children()):
            module.register_forward_hook(_recorder(shapes[path]))
    network(torch.empty(1, 3, *size, device="meta"))
    return dict(shapes)


def _recorder(found: list[list[int]]) -> Any:
    def record(_module: nn.Module, _args: object, output: Tensor) -> None:
        found.append(list(output.shape))

    return record
