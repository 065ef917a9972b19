"""`python3 -m specc_runtime COMMAND ...`: the runtime without the compiler's command."""

import sys

from specc_runtime.cli import main

sys.exit(main(sys.argv[1:]))
