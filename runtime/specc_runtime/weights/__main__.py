"""The runtime's half of `specc weights`: `python3 -m specc_runtime.weights import SOURCE TARGET`.

The table of keys is read from standard input, and messages go to standard output, both as JSON.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from specc_runtime.tensorfile import TensorFileError
from specc_runtime.weights import WeightsError
from specc_runtime.weights.transfer import export_weights, import_weights, table

WAYS = {"import": import_weights, "export": export_weights}


def main(way: str, source: str, target: str) -> None:
    """Convert weights from one file to another; exit with a message on an error."""
    try:
        done = WAYS[way](table(sys.stdin.read()), Path(source), Path(target))
    except (WeightsError, TensorFileError, OSError) as error:
        sys.exit(f"error: {error}")
    json.dump(asdict(done), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
