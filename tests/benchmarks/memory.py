"""How much memory a Fashion-MNIST run takes at its peak.

    python -m tests.benchmarks.memory [--rows natural]

The rows whose names match are trained one after the other through the command line, in one
process, for one epoch on all 60,000 images, and measured. Target: a peak resident set of less than
2 GiB. Finds the data like any other run (`FTNOISE_DATA`, the cache, ...).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time

from tests.benchmarks.alternating import ROOT

TARGET_GIB = 2.0
RUN = """
import sys
from ftnoise.cli import main as cli
from ftnoise.core.preset import PRESETS, Preset
PRESETS["epoch"] = Preset(name="epoch", summary="one epoch on everything", epochs=None)
sys.exit(cli.main(sys.argv[1:]))
"""


def main() -> bool:
    """Measures one process. Whether the target is reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="natural", help="which rows (default: natural)")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as runs:
        words = ["table5", "--preset", "epoch", "--rows", rows, "--runs", runs]
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", RUN, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
        seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"table5, rows {rows!r}, one epoch of 60,000 images, {seconds:.0f} s")
    print(f"  peak resident set {peak:6.2f} GiB   target < {TARGET_GIB} GiB")
    return peak < TARGET_GIB


if __name__ == "__main__":
    sys.exit(not main())
