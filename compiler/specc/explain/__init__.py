"""The pages that explain diagnostics, one Markdown file for each code.

A page says what the finding means and why it matters, then shows an example that fails, the exact
output, and the example mended. The tests run all of them.
"""

from importlib.resources import files

from specc.documents import CODES

__all__ = ["CODES", "page"]


def page(code: str) -> str:
    """Return the Markdown page of a code, such as `E0306`."""
    return files(__name__).joinpath(f"{code}.md").read_text(encoding="utf-8")
