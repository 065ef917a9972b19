"""`python3 -m specc_runtime COMMAND ...`: the runtime without the compiler's command."""

import sys

try:
    from specc_runtime.cli import main
except ModuleNotFoundError as error:
    if str(error.name).startswith("specc_runtime"):
        raise
    sys.exit(f"error: there is no {error.name} here; what the runtime needs is the extra `train`")

sys.exit(main(sys.argv[1:]))
