"""What the scripts that make pages have in common: write the page, or only compare it."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def write_or_check(page: Path, make: Callable[[], str], doc: str | None) -> int:
    """Write a page, or with `--check` say that it is stale; the exit code."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it is stale")
    made = make()
    if not parser.parse_args().check:
        page.write_text(made, encoding="utf-8")
    elif not page.is_file() or page.read_text(encoding="utf-8") != made:
        print(f"docs/{page.name} is stale: run `make goldens`", file=sys.stderr)
        return 1
    return 0
