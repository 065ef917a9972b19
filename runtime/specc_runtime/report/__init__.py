"""A run in one page: `report.html`, which needs nothing but itself to be looked at."""

from specc_runtime.report.write import write_report

__all__ = ["write_report"]
