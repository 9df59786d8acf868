"""The words of the command line that several commands share, and a parser with one-line errors."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn

from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raises `BadInput`; `main` prints it."""
        raise BadInput(f"{message} (see {self.prog} --help)")


def folder(text: str) -> Path:
    """A folder's name, which is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("expected a folder. Received: ''")
    return Path(text)


def common(command: argparse.ArgumentParser, root: Path, seeds_help: str) -> None:
    """Which runs: preset, seeds, and where they are stored."""
    summaries = "; ".join(f"{preset.name}: {preset.summary}" for preset in PRESETS.values())
    command.add_argument(
        "--preset", choices=list(PRESETS), default="paper", help=f"{summaries} (default: paper)"
    )
    command.add_argument(
        "--secret-key",
        action="store_true",
        help="noise in gradients takes its key from the operating system: for a private release",
    )
    command.add_argument("--seeds", type=int, metavar="N", help=seeds_help)
    command.add_argument(
        "--data-seeds",
        type=int,
        default=1,
        metavar="N",
        help="so many draws of the data, where they are drawn (table3)",
    )
    command.add_argument(
        "--runs", type=folder, default=root / "runs", metavar="DIR", help="where runs are stored"
    )


def training(command: argparse.ArgumentParser) -> None:
    """Where data come from, and what of the runs is trained, how."""
    command.add_argument(
        "--data-dir",
        type=folder,
        default=os.environ.get("FTNOISE_DATA") or None,
        metavar="DIR",
        help="a folder with data sets, looked into first (or the variable FTNOISE_DATA)",
    )
    command.add_argument("--offline", action="store_true", help="never touch the network")
    command.add_argument("--rows", metavar="PATTERN", help="only rows whose name matches")
    command.add_argument("--dry-run", action="store_true", help="say what would be trained")
    command.add_argument("--fail-fast", action="store_true", help="stop at the first failed run")
    command.add_argument(
        "--xla", action="store_true", help="compile training steps with XLA (for some GPUs)"
    )
