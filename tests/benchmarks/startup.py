"""How long the command line takes to answer what needs no training.

    python -m tests.benchmarks.startup [--repetitions 10]

Whole processes, from start to end. Target: help, the list and a wrong word take at most 0.3 s;
they import neither TensorFlow nor NumPy. `python -c pass` is what any Python takes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.benchmarks.alternating import alternating, command, show

TARGET_SECONDS = 0.3


def main() -> bool:
    """Measures each answer. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=10)
    repetitions = parser.parse_args().repetitions
    answers = {
        "--help": command(["--help"]),
        "table5 --help": command(["table5", "--help"]),
        "list": command([]),
        "a wrong word": command(["tabel5"], code=2),
        "a wrong option": command(["table5", "--preset", "fast"], code=2),
    }
    python = [sys.executable, "-c", "pass"]
    seconds = alternating(
        {"python -c pass": lambda: subprocess.run(python, check=True), **answers}, repetitions
    )
    seconds["target"] = [TARGET_SECONDS]
    return show(seconds, {f"{name} / target": (name, "target", 1) for name in answers})


if __name__ == "__main__":
    sys.exit(not main())
