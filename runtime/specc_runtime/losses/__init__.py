"""Losses, one a file; `KINDS` is the registry by the `kind` that a spec names."""

from specc_runtime.losses.multibox import MultiBoxLoss

KINDS = {"MultiBoxLoss": MultiBoxLoss}

__all__ = ["KINDS", "MultiBoxLoss"]
