"""Weight files: our own, and those of other projects, converted by a table of keys."""

from specc_runtime.weights.own import (
    Fit,
    Weights,
    WeightsError,
    load,
    load_fitting,
    read,
    save,
)

__all__ = ["Fit", "Weights", "WeightsError", "load", "load_fitting", "read", "save"]
