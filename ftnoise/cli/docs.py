"""`ftnoise docs`: build the manual into build/docs."""

from __future__ import annotations

import argparse
import subprocess
import sys

from ftnoise.cli.arguments import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments: there are none."""


def run(arguments: argparse.Namespace) -> int:
    """Runs Sphinx, with warnings as errors; returns its exit code."""
    built = ROOT / "build" / "docs"
    options = ["-W", "--keep-going", "-q", "-d", f"{built}.doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(built)]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == 0:
        print(f"The manual is in {built / 'index.html'}")
    return code
