"""What shapes PyTorch itself finds in an emitted module, to hold against the compiler's own."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

Shape = list[int | None]
"""The sides of a tensor; `None` where only the values decide."""


class VerifyError(Exception):
    """A network does not run on fake tensors."""


def output_shapes(
    network_class: type[nn.Module], inputs: Sequence[Sequence[int]]
) -> dict[str, list[list[Shape]]]:
    """Shapes of what every module returns, by its path: a list of tensors for each of its calls.

    Runs on fake tensors of the shapes `inputs`, without memory for values and without arithmetic.
    A network that reuses a layer has several calls of it; the network itself is at `""`.

    Raises `VerifyError`, which names the innermost module that does not run.
    """
    shapes: defaultdict[str, list[list[Shape]]] = defaultdict(list)
    running: list[str] = []

    def enter(path: str) -> Any:
        def hook(_module: nn.Module, _args: object) -> None:
            running.append(path)

        return hook

    def leave(path: str) -> Any:
        def hook(_module: nn.Module, _args: object, result: object) -> None:
            running.pop()
            shapes[path].append([_shape(tensor) for tensor in _tensors(result)])

        return hook

    with FakeTensorMode(shape_env=ShapeEnv()), torch.no_grad():
        try:
            network = network_class().eval()
            for path, module in cast(Iterable[tuple[str, nn.Module]], network.named_modules()):
                module.register_forward_pre_hook(enter(path))
                module.register_forward_hook(leave(path))
            network(*(torch.empty(*sides) for sides in inputs))
        except Exception as error:
            where = "".join(running[-1:]) or network_class.__name__
            reason = str(error).strip().partition("\n")[0]
            message = f"`{where}` does not run on fake tensors: {type(error).__name__}: {reason}"
            raise VerifyError(message) from error
    return dict(shapes)


def _tensors(result: object) -> Iterator[Tensor]:
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, (list, tuple)):
        for item in cast(Sequence[object], result):
            yield from _tensors(item)


def _shape(tensor: Tensor) -> Shape:
    return [side if type(side) is int else None for side in tensor.shape]
