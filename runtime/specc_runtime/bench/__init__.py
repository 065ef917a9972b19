"""How fast a detector trains, finds and is fed, and how torchvision's does beside it."""

from specc_runtime.bench.measure import MODES, BenchError, Job, measure
from specc_runtime.bench.table import table

__all__ = ["MODES", "BenchError", "Job", "measure", "table"]
