"""A run on one self-contained page: `report.html`."""

from specc_runtime.report.write import write_report

__all__ = ["write_report"]
