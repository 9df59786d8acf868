"""`ftnoise report`: a table from stored runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

from ftnoise.cli.arguments import chosen, common, named
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.progress import tell

if TYPE_CHECKING:
    from ftnoise.core.experiment import Experiment
    from ftnoise.core.preset import Preset
    from ftnoise.store.folders import Store

HELP = "print a table from stored runs and write its files; trains nothing"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    named(parser)
    common(parser, "use the first N seeds (default: all stored)")


def run(arguments: argparse.Namespace) -> int:
    """Draws the table."""
    from ftnoise.store.folders import Store

    experiment, preset = chosen(arguments)
    store = Store(arguments.runs)
    code = draw(experiment, preset, arguments.seeds, store)
    if code is None:
        raise BadInput(
            f"Expected stored {preset.name} runs of {experiment.name} in {store.root}. "
            f"Received: none. Train them with ./reproduce.sh {arguments.experiment} "
            f"--preset {arguments.preset}{' --secret-key' if arguments.secret_key else ''}."
        )
    return code


def draw(
    experiment: Experiment,
    preset: Preset,
    seeds: int | None,
    store: Store,
    preferred: Collection[str] = (),
) -> int | None:
    """Prints the table and writes the report's files.

    Args:
        experiment: as `chosen` gives it.
        preset: as `chosen` gives it.
        seeds: number of seeds, or None for all that are stored.
        store: where the runs are, and where the report goes.
        preferred: ids of runs whose data are preferred where the store has several versions.

    Returns:
        The exit code, or None where nothing is stored.
    """
    import shutil

    from ftnoise import report
    from ftnoise.store.lookup import runs_of

    runs = runs_of(experiment, seeds, store, preferred)
    results = report.results(experiment, preset, runs)
    if not results.values:
        return None
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns
    print(report.terminal(results, width, color), flush=True)
    try:
        paths = report.write(results, store.reports)
    except RunFailed as failure:
        tell(f"error: The report is not written: {failure}")
        return failure.exit_code
    stem = paths[0].with_suffix("")
    suffixes = ", ".join(path.name.removeprefix(stem.name) for path in paths)
    print(f"Written to {stem}: {suffixes}", file=sys.stderr)
    return 0
