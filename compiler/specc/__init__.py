"""specc: compile a detection network's table, written as YAML, into a checked PyTorch module.

>>> import specc
>>> model = specc.compile("specs/ssd300_vgg.yaml", num_classes=21)
>>> model.shapes["vgg.22"]
('N', 512, 38, 38)
>>> module = specc.load("specs/ssd300_vgg.yaml", num_classes=4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from torch import nn

    from specc.driver import Model

__all__ = ["__version__", "compile", "load"]

__version__ = "0.1.0"


def compile(path: str | os.PathLike[str], *, variant: str | None = None, **params: object) -> Model:
    """Compile a spec; what is wrong in it is in the result's `diagnostics`.

    Args:
        path: a YAML file, or `file.yaml:variant`.
        variant: the name of a variant.
        **params: values for the root's parameters.

    Raises:
        specc.documents.Findings: the file cannot be read as a spec.
    """
    from specc.driver import compile_spec

    return compile_spec(path, variant=variant, params=params)


def load(
    path: str | os.PathLike[str], *, variant: str | None = None, **params: object
) -> nn.Module:
    """Compile a spec and return its module, built with the given parameters.

    The emitted source is executed as a module of its own; its import brings torch.

    Raises:
        specc.documents.Findings: the spec has errors.
    """
    from specc.loading import load_module

    return load_module(compile(path, variant=variant, **params))
