"""`ftnoise list`: the experiments, and what each costs."""

from __future__ import annotations

import argparse

from ftnoise.cli.cost import Costs
from ftnoise.store.folders import Store, default_root
from ftnoise.user import catalog


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("--plain", action="store_true", help="only the names, one a line")


def run(arguments: argparse.Namespace) -> int:
    """Prints the list."""
    if arguments.plain:
        print("\n".join(catalog.names()))
        return 0
    costs = Costs(Store(default_root()))
    print(f"Experiments, with the time to train them {costs.where}:\n")
    for name in catalog.names():
        found = catalog.experiment(name)
        print(f"  {name:19} {found.title}\n{'':22}{costs.listed(found)}")
    print("\nFor example: ./reproduce.sh table5 --preset quick")
    return 0
