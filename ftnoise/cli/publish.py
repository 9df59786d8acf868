"""`ftnoise publish`: copy a table's finished runs and report into a folder of their own."""

from __future__ import annotations

import argparse

from ftnoise.cli.arguments import chosen, common, folder, named
from ftnoise.core.checks import count


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    named(parser)
    parser.add_argument("--to", type=folder, required=True, metavar="DIR", help="the folder")
    parser.add_argument(
        "--weights",
        type=int,
        metavar="N",
        help="copy the weights of the first N seeds, of others the measures alone (default: all)",
    )
    common(parser, "copy the first N seeds (default: all stored)")


def run(arguments: argparse.Namespace) -> int:
    """Copies the runs, writes the report, and prints the paths of its files."""
    from ftnoise import report
    from ftnoise.engine.publish import publish
    from ftnoise.store.folders import Store
    from ftnoise.store.lookup import runs_of

    experiment, preset = chosen(arguments)
    store, target = Store(arguments.runs), Store(arguments.to)
    if arguments.weights is not None:
        count(least=0, weights=arguments.weights)
    publish(experiment, arguments.seeds, store, target, arguments.weights)
    results = report.results(experiment, preset, runs_of(experiment, arguments.seeds, target))
    paths = report.write(results, target.root)
    print("\n".join(map(str, paths)))
    return 0
