"""`ftnoise status`: how far an experiment is: stored, running, failed and missing runs."""

from __future__ import annotations

import argparse
import time
from calendar import timegm
from collections import Counter
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
    parser.add_argument("--rows", metavar="PATTERN", help="only rows that contain or match it")


def run(arguments: argparse.Namespace) -> int:
    """Prints the counts for each group of rows, the failures, and how to go on."""
    from ftnoise.engine import plan
    from ftnoise.engine.executor import foreseen
    from ftnoise.store.folders import Store

    experiment, preset = chosen(arguments, arguments.rows)
    tasks = plan.tasks(experiment, arguments.seeds or experiment.seeds, arguments.rows)
    statuses = foreseen(experiment, tasks, Store(arguments.runs))
    grouped = len(experiment.grids) > 0
    counts: dict[str, Counter[str]] = {}
    for status in statuses:
        group = status.task.row.name.split()[0] if grouped else experiment.name
        counts.setdefault(group, Counter())[state(status)] += 1
    width = max(map(len, counts))
    print(f"{experiment.name}, preset {preset.name}: {experiment.title}.\n")
    print(" " * width, *(f"{name:>9}" for name in (*STATES, "all")))
    for group, count in counts.items():
        print(f"{group:{width}}", *(f"{count[name]:9,}" for name in STATES), f"{count.total():9,}")
    failed = [status for status in statuses if state(status) == "failed"]
    for status in failed[:LISTED]:
        print(f"\n{status.task.name}: {status.failure}", end="")
    if len(failed) > LISTED:
        print(f"\nand {len(failed) - LISTED:,} more failures", end="")
    left = sum(count.total() - count["stored"] for count in counts.values())
    if left:
        sample = f" --sample {100 * arguments.sample:g}%" if arguments.sample else ""
        names = f" --preset {preset.name}" if preset.name != "paper" else ""
        print(f"{chr(10) * bool(failed)}\n{time_left(statuses, left)}", end="")
        print(f"./reproduce.sh {arguments.experiment}{names}{sample} does what is left.")
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
    ends = sorted(
        timegm(time.strptime(s.finished, "%Y-%m-%dT%H:%M:%SZ")) for s in statuses if s.finished
    )
    recent = ends[-RECENT:]
    if len(recent) < 3 or recent[-1] == recent[0]:
        return ""
    pace = (recent[-1] - recent[0]) / (len(recent) - 1)
    return f"About {duration(pace * left)} left, at the pace of the last {len(recent)} runs. "
