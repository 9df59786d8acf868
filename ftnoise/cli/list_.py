"""`ftnoise list`: the experiments, and what each costs."""

from __future__ import annotations

import argparse

from ftnoise.core.progress import duration
from ftnoise.user import catalog


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("--plain", action="store_true", help="only the names, one a line")


def run(arguments: argparse.Namespace) -> int:
    """Prints the list."""
    if arguments.plain:
        print("\n".join(catalog.names()))
        return 0
    print("Experiments, with the time to train them on two cores:\n")
    for name in catalog.names():
        found = catalog.experiment(name)
        costs = [f"{name} {duration(60 * minutes)}" for name, minutes in found.minutes.items()]
        print(f"  {name:16} {found.title}\n{'':19}{', '.join(costs)}")
    print("\nFor example: ./reproduce.sh table5 --preset quick")
    return 0
