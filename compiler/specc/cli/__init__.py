"""The `specc` command."""

from specc.cli.main import main

__all__ = ["main"]
