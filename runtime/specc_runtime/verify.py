"""The shapes that PyTorch finds in an emitted module, to compare with the compiler's."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

Shape = list[int | None]
"""The sizes of a tensor; `None` where they depend on its values."""


class VerifyError(Exception):
    """A network does not run on fake tensors."""


def output_shapes(
    network_class: type[nn.Module], inputs: Sequence[Sequence[int]]
) -> dict[str, list[list[Shape]]]:
    """Shapes of the outputs of every module, by its path: for each call a list of tensors.

    Runs on fake tensors of the shapes `inputs`, which need no memory and no arithmetic.
    A layer that the network reuses has several calls; the network itself is at `""`.

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
