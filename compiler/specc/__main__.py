"""Run `python -m specc`."""

import sys

from specc.cli import main

sys.exit(main())
