"""`ftnoise EXPERIMENT`: train what is missing of the table, then draw it."""

from __future__ import annotations

import argparse
import os
import shutil
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ftnoise.cli.arguments import MOST_WORKERS, chosen, common, folder, presets_help
from ftnoise.cli.cost import Costs
from ftnoise.cli.report import show
from ftnoise.core import stopping
from ftnoise.core.checks import expect
from ftnoise.core.progress import RESUMES, line, log
from ftnoise.store.folders import Store, default_root
from ftnoise.user.reproduce import published

if TYPE_CHECKING:
    from ftnoise.core.experiment import Experiment
    from ftnoise.core.preset import Preset
    from ftnoise.engine.plan import Status

LONG = 60  # minutes of a table for which a GPU matters
NAMED = 20  # runs in the announcement; a dry run lists all


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    common(parser, "train with N seeds (default: what the table needs)")
    add = parser.add_argument
    add(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="FIELD=VALUE",
        help="change a field of the rows that have it, such as training.penalty.weight=1e-3; the "
        "value is a Python literal, and the report is marked as changed (repeatable)",
    )
    add(
        "--data-dir",
        type=folder,
        default=os.environ.get("FTNOISE_DATA") or None,
        metavar="DIR",
        help="a folder with data sets, searched first (default: the variable FTNOISE_DATA)",
    )
    add("--offline", action="store_true", help="never use the network")
    add(
        "--rows",
        metavar="PATTERN[,PATTERN,...]",
        help="only rows whose name contains or matches a pattern, such as natural,*trades",
    )
    add(
        "--workers",
        type=int,
        metavar="N",
        help="use N processes of one thread each (default: this process with all cores)",
    )
    add(
        "--cluster",
        metavar="ADDRESS",
        help="use the workers of a dask scheduler, tls://HOST:PORT or on this machine",
    )
    add(
        "--shard",
        type=part,
        metavar="I/N",
        help="only part I of N, from 1, such as 3/10: for N commands that share a runs folder",
    )
    add(
        "--keep-weights",
        action="store_true",
        help="keep trained weights of grids, too, whose measures alone are stored otherwise",
    )
    add("--dry-run", action="store_true", help="show what would be trained")
    add("--fail-fast", action="store_true", help="stop at the first failed run")
    add("--xla", action="store_true", help="compile training steps with XLA (for some GPUs)")


def describe(parser: argparse.ArgumentParser, experiment: Experiment) -> None:
    """Describes the experiment in the help, and hides the options that do not apply to it."""
    paragraphs = [f"{experiment.title}. Source: {experiment.source}."]
    if experiment.grids:
        grids = [f"{grid.name} ({grid.about})" for grid in experiment.grids]
        paragraphs.append(f"Grids: {', '.join(grids)}.")
    else:
        paragraphs.append(f"Rows: {', '.join(row.name for row in experiment.rows)}.")
    costs = Costs(Store(default_root()))
    if cost := costs.listed(experiment):
        paragraphs.append(f"{costs.where.capitalize()}: {cost}.")
    width = shutil.get_terminal_size((80, 24)).columns - 2
    parser.description = "\n".join(textwrap.fill(text, width) for text in paragraphs)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    runs = [row.run for row in experiment.rows]
    absent = {
        "--sample": not experiment.grids,
        "--keep-weights": not experiment.grids,
        "--secret-key": not any(run.training.noisy for run in runs),
        "--data-seeds": not any(run.data.random for run in runs),
    }
    for action in parser._actions:
        if any(absent.get(option) for option in action.option_strings):
            action.help = argparse.SUPPRESS
        if "--preset" in action.option_strings:
            action.help = presets_help(experiment.all_presets)


def part(text: str) -> tuple[int, int]:
    """The type of an argument such as `3/10`."""
    first, _, second = text.partition("/")
    try:
        number, of = int(first), int(second)
    except ValueError:
        number, of = 0, 0
    if not 1 <= number <= of:
        raise argparse.ArgumentTypeError(f"expected I/N with I in 1 to N. Received: {text!r}")
    return number, of


def run(arguments: argparse.Namespace) -> int:
    """Trains and measures what is missing, then draws the table."""
    from ftnoise import report
    from ftnoise.core.data import Sources
    from ftnoise.engine import plan
    from ftnoise.engine.executor import Engine, foreseen, safe_scheduler
    from ftnoise.store.lookup import runs_of

    if (workers := arguments.workers) is not None:
        expect(1 <= workers <= MOST_WORKERS, f"--workers in 1 to {MOST_WORKERS:,}", workers=workers)
    if arguments.cluster is not None:
        expect(workers is None, "--workers or --cluster, not both", workers=workers)
        safe_scheduler(arguments.cluster)
    experiment, preset = chosen(arguments, arguments.rows)
    if arguments.settings:
        from ftnoise.cli.overrides import changed

        experiment, preset = changed(experiment, preset, arguments.settings, arguments.rows)
    seeds = arguments.seeds or experiment.seeds
    tasks = plan.tasks(experiment, seeds, arguments.rows)
    if arguments.shard:
        tasks = plan.shard(experiment, tasks, *arguments.shard)
    store = Store(arguments.runs)
    references = published(experiment)
    keep_weights = experiment.keeps_weights or arguments.keep_weights
    if arguments.dry_run:
        statuses = foreseen(experiment, tasks, store, references, keep_weights=keep_weights)
        print(*announcement(experiment, preset, statuses, Costs(store)), sep="\n")
        for status in statuses:
            print(f"  {status.task.name:40} {status}")
        return 0
    with stopping.heeded(RESUMES):
        sources = Sources.from_environment(arguments.data_dir, arguments.offline)
        store.prepare()
        engine = Engine(
            experiment,
            tasks,
            store,
            sources,
            references=references,
            xla=arguments.xla,
            fail_fast=arguments.fail_fast,
            workers=workers,
            cluster=arguments.cluster,
            keep_weights=keep_weights,
        )
        if adopted := engine.adopt():
            line(f"Copied instead of trained: {', '.join(adopted)}.")
        statuses, costs = [engine.status(task) for task in tasks], Costs(store)
        for text in announcement(experiment, preset, statuses, costs):
            line(text)
        began = time.monotonic()
        failures = engine.run()
        seconds = time.monotonic() - began
        own = {engine.folder(task).id for task in tasks}
        runs = runs_of(experiment, seeds, store, own)
        results = shown = report.results(experiment, preset, runs)
        if (part := experiment.only(arguments.rows)) is not experiment:
            own_rows = [one for one in runs if one.row in part.rows]
            shown = report.results(part, preset, own_rows)
        code = show(results, store, shown)
    if not failures and preset.name in experiment.minutes and whole(arguments, statuses):
        costs.remember(experiment, preset, seconds)
    if failures:
        log(f"error: {len(failures)} of {len(tasks)} runs failed.")
    return max([code, *(failure.exit_code for failure in failures)])


def whole(arguments: argparse.Namespace, statuses: list[Status]) -> bool:
    """Whether this command alone makes all of the table, as its cost was measured."""
    changes = ("rows", "settings", "seeds", "sample", "shard", "cluster")
    changed = any(getattr(arguments, name) for name in changes) or arguments.data_seeds > 1
    return not changed and not any(status.trained or status.position for status in statuses)


def announcement(
    experiment: Experiment, preset: Preset, statuses: list[Status], costs: Costs
) -> list[str]:
    """Lines about what is stored, what will be trained or measured, and how to stop."""
    training = [status for status in statuses if not status.trained]
    measuring = [status for status in statuses if status.trained and not status.complete]
    stored = len(statuses) - len(training) - len(measuring)
    runs = "1 run" if len(statuses) == 1 else f"{len(statuses)} runs"
    counts = f"{stored} stored, {len(training)} to train"
    counts += f", {len(measuring)} to measure" if measuring else ""
    lines = [f"{experiment.name}, preset {preset.name}: {experiment.title}.", f"{runs}: {counts}."]
    for verb, left in (("train", training), ("measure", measuring)):
        if left:
            names = [f"{s.task.name} ({s})" if s.position else s.task.name for s in left[:NAMED]]
            names += [f"and {len(left) - NAMED} more"] if len(left) > NAMED else []
            lines.append(f"To {verb}: {', '.join(names)}.")
    if training or measuring:
        cost = costs.of(experiment).get(preset.name, "")
        cost = f"The whole table takes about {cost} {costs.where}. " if cost else ""
        lines.append(f"{cost}Ctrl-C keeps finished work; the same command resumes.")
    long = preset.name == "paper" and experiment.minutes.get("paper", 0) >= LONG
    if training and long and not Path("/dev/nvidia0").exists():
        lines.append("This machine has no GPU: --preset quick shows the trend in minutes.")
    return lines
