"""Weights in files: our own, and those of other projects by a table of keys."""

from specc_runtime.weights.own import (
    Weights,
    WeightsError,
    load,
    load_fitting,
    read,
    save,
)

__all__ = ["Weights", "WeightsError", "load", "load_fitting", "read", "save"]
