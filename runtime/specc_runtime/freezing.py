"""Parts of a network that are not trained."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn


class FreezeError(Exception):
    """A pattern matches nothing, or nothing is left to train; the message says which."""


def freeze(network: nn.Module, patterns: Sequence[str]) -> list[nn.Module]:
    """Freeze the parameters that patterns match, such as `backbone`, `backbone.stages.[01]` or `*.bias`.

    A pattern that matches a module matches everything in it. Returns the modules matched, which must stay
    in evaluation mode, so that the running statistics of their norms are frozen too. Raises
    `FreezeError`.
    """
    modules: dict[str, nn.Module] = dict(network.named_modules())  # pyright: ignore[reportUnknownArgumentType]
    parameters = dict(network.named_parameters())
    for pattern in patterns:
        if not any(_named(name, [pattern]) for name in (*modules, *parameters)):
            parts = ", ".join(name for name, _ in network.named_children())
            raise FreezeError(f"freeze: nothing is called `{pattern}`; the network has {parts}")
    for name, parameter in parameters.items():
        if _named(name, patterns):
            parameter.requires_grad_(False)
    if not any(p.requires_grad for p in parameters.values()):
        raise FreezeError("freeze: nothing is left to train")
    return [module for name, module in modules.items() if _named(name, patterns)]


def _named(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, p) or fnmatchcase(name, f"{p}.*") for p in patterns)
