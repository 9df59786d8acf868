"""`ftnoise docs`: build the manual into build/docs; all further arguments go to sphinx-build."""

from __future__ import annotations

import argparse
import subprocess
import sys

from ftnoise.cli.arguments import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("sphinx", nargs="*", help="arguments of sphinx-build")


def run(arguments: argparse.Namespace) -> int:
    """Runs sphinx-build, to which a warning is an error; returns its exit code."""
    source, built = ROOT / "docs", ROOT / "build" / "docs"
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-d",
        built.parent / "doctrees",
    ]
    code = subprocess.run(
        [*command, *arguments.sphinx, source, built], cwd=ROOT, check=False
    ).returncode
    if code == 0:
        print(f"The manual is in {built / 'index.html'}")
    return code
