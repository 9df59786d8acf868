"""`ftnoise status`: how far an experiment is: stored, running, failed and missing runs."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from ftnoise.cli.arguments import chosen, common, named
from ftnoise.core.progress import duration

if TYPE_CHECKING:
    from ftnoise.engine.plan import Status

LISTED = 10  # failures; a pattern of rows shows others
RECENT = 50  # finished runs from which the time left is estimated
STATES = ("stored", "running", "failed", "missing")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    named(parser)
    common(parser, "count N seeds (default: what the table needs)")
    parser.add_argument(
        "--rows", metavar="PATTERN[,PATTERN,...]", help="only rows that contain or match one"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints counts for each group of rows, positions of running trainings, failures, a command."""
    from ftnoise.engine import plan
    from ftnoise.engine.executor import foreseen
    from ftnoise.store.folders import Store
    from ftnoise.user.reproduce import published

    experiment, preset = chosen(arguments, arguments.rows)
    tasks = plan.tasks(experiment, arguments.seeds or experiment.seeds, arguments.rows)
    store = Store(arguments.runs)
    statuses = foreseen(
        experiment,
        tasks,
        store,
        published(experiment),
        read=False,
        keep_weights=experiment.keeps_weights,
    )
    counts: dict[str, Counter[str]] = {}
    for status in statuses:
        group = status.task.row.name.split()[0] if experiment.grids else experiment.name
        counts.setdefault(group, Counter())[state(status)] += 1
    width = max(map(len, counts))
    print(f"{experiment.name}, preset {preset.name}: {experiment.title}.\n")
    print(" " * width, *(f"{name:>9}" for name in (*STATES, "all")))
    for group, count in counts.items():
        print(f"{group:{width}}", *(f"{count[name]:9,}" for name in STATES), f"{count.total():9,}")
    running = [one for one in statuses if state(one) == "running"]
    lines = [f"{one.task.name}: running, {one.position}" for one in running if one.position]
    failed = [status for status in statuses if state(status) == "failed"]
    lines += [f"{status.task.name}: {status.failure}" for status in failed[:LISTED]]
    if len(failed) > LISTED:
        lines.append(f"and {len(failed) - LISTED:,} more failures")
    if left := sum(not status.complete for status in statuses):
        command = shlex.join(["./reproduce.sh", *arguments.words])
        lines += [""] if lines else []
        lines.append(f"{time_left(statuses, left)}{command} does what is left.")
    if lines:
        print("", *lines, sep="\n")
    return 0


def state(status: Status) -> str:
    """One of `STATES`; what was begun and is neither running nor failed is missing."""
    if status.complete:
        return "stored"
    if status.running:
        return "running"
    return "failed" if status.failure else "missing"


def time_left(statuses: list[Status], left: int) -> str:
    """An estimate from the pace of the last runs that were finished; "" if there are too few."""
    ends = [datetime.fromisoformat(one.finished) for one in statuses if one.finished]
    recent = sorted(ends)[-RECENT:]
    if len(recent) < 3 or recent[-1] == recent[0]:
        return ""
    pace = (recent[-1] - recent[0]).total_seconds() / (len(recent) - 1)
    return f"About {duration(pace * left)} left, at the pace of the last {len(recent)} runs. "
