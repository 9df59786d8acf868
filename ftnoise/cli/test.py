"""`ftnoise test`: run the tests; all further arguments go to pytest."""

from __future__ import annotations

import argparse
import subprocess
import sys

from ftnoise.cli.arguments import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("pytest", nargs="*", help="arguments of pytest")


def run(arguments: argparse.Namespace) -> int:
    """Runs pytest in up to four processes; returns its exit code."""
    processes = ["--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal"]
    command = [sys.executable, "-m", "pytest", *processes]
    return subprocess.run([*command, *arguments.pytest], cwd=ROOT, check=False).returncode
