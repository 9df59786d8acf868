"""`python -m ftnoise`."""

import gc
import sys

from ftnoise.cli.main import main

if __name__ == "__main__":
    # Imports make a million objects that stay: with the usual 700 the collector takes a tenth of
    # the time of a short command.
    gc.set_threshold(100_000)
    sys.exit(main())
