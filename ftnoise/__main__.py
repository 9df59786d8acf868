"""`python -m ftnoise`, and the command `ftnoise`."""

import gc
import os
import signal
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Runs the command line and ends the process with its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Before and after the command, Ctrl-C ends the process without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Imports make a million objects that stay: with the usual 700 the collector takes a tenth of
    # the time of a short command.
    gc.set_threshold(100_000)
    from ftnoise.cli.main import main

    code = main()
    if code > 128:
        # Stopped by a signal: what libraries do at the end of a process is neither needed nor quiet
        # in the middle of their work, such as the start of worker processes.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
