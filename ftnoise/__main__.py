"""`python -m ftnoise`, and the command `ftnoise`."""

import gc
import os
import sys
from typing import NoReturn

from ftnoise.cli.main import main


def run() -> NoReturn:
    """Runs the command line and ends the process with its exit code."""
    # Imports make a million objects that stay: with the usual 700 the collector takes a tenth of
    # the time of a short command.
    gc.set_threshold(100_000)
    code = main()
    if code > 128:
        # Stopped by a signal: what libraries do at the end of a process is neither needed nor quiet
        # in the middle of their work, such as the start of worker processes.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
