"""`ftnoise report`: print a table from stored runs and write its files; trains nothing."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from ftnoise.cli.arguments import chosen, common, named
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.progress import line, log

if TYPE_CHECKING:
    from ftnoise.report import Results
    from ftnoise.store.folders import Store


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    named(parser)
    common(parser, "use the first N seeds (default: all stored)")
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write curves, hyper-parameters and the columns for TensorBoard",
    )


def run(arguments: argparse.Namespace) -> int:
    """Draws the table."""
    from ftnoise import report
    from ftnoise.store.folders import Store
    from ftnoise.store.lookup import runs_of

    experiment, preset = chosen(arguments)
    store = Store(arguments.runs)
    runs = runs_of(experiment, arguments.seeds, store)
    results = report.results(experiment, preset, runs)
    if not results.values:
        raise BadInput(
            f"Expected stored {preset.name} runs of {experiment.name} in {store.root}. "
            f"Received: none. Train them with ./reproduce.sh {arguments.experiment} "
            f"--preset {arguments.preset}{' --secret-key' if arguments.secret_key else ''}."
        )
    code = show(results, store)
    if arguments.tensorboard and not code:
        from ftnoise.report.tensorboard import tensorboard

        folder = store.reports / f"{experiment.name}.{preset.name}.tensorboard"
        tensorboard(results, runs, folder)
        line(f"Written to {folder}. Look at it with: .venv/bin/tensorboard --logdir '{folder}'")
    return code


def show(results: Results, store: Store, shown: Results | None = None) -> int:
    """Prints the table, or a part of it, and writes the whole report's files into the store.

    Returns the exit code.
    """
    import shutil

    from ftnoise import report

    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns
    print(report.terminal(shown or results, width, color), flush=True)
    try:
        paths = report.write(results, store.reports)
    except RunFailed as failure:
        log(f"error: The report is not written: {failure}")
        return failure.exit_code
    stem = paths[0].with_suffix("")
    suffixes = ", ".join(path.name.removeprefix(stem.name) for path in paths)
    line(f"Written to {stem}: {suffixes}")
    return 0
