"""Many runs: plan a table, train what is missing, and draw it from what is stored.

Two processes on one folder share the work: each trains what nobody else is training, and waits
for the rest at the end.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import sys
import time
import traceback
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.errors import BadInput, FtnoiseError, RunFailed
from ftnoise.presets import Preset
from ftnoise.progress import Progress, duration
from ftnoise.spec import Experiment, Row, Run, canonical, digest, run_id, spec_id

if TYPE_CHECKING:
    from ftnoise.report import Results
    from ftnoise.store import RunFolder, Store

# Seconds for importing TensorFlow once; for compiling, measuring and storing each run; for
# testing, logging and a checkpoint each epoch.
STARTUP_SECONDS = 4.0
RUN_SECONDS = 3.0
EPOCH_SECONDS = 0.15
# What `speed_probe` takes on the two-core machine of the reference runs.
REFERENCE_PROBE_SECONDS = 0.0122


@dataclass(frozen=True)
class Task:
    """One run of a table: a row under a preset, with one seed."""

    row: Row
    run: Run

    @property
    def name(self) -> str:
        """The row, and the seed unless it is the first."""
        return f"{self.row.name} (seed {self.run.seed})" if self.run.seed else self.row.name

    @property
    def seconds(self) -> float:
        """Expected duration on the machine of the reference runs."""
        training = (self.run.steps() or 0) * self.row.step_seconds
        return RUN_SECONDS + EPOCH_SECONDS * self.run.schedule.epochs + training


def tasks(experiment: Experiment, preset: Preset, seeds: int, rows: str | None) -> list[Task]:
    """The runs of a table: all rows with the first seed, then all with the second, ...

    Args:
        experiment: the table.
        preset: how much of the protocol.
        seeds: number of seeds, >= 1.
        rows: a pattern (`*trades`) or a part of a row's name; None takes all.

    Raises:
        BadInput: no row has that name.
    """
    check_seeds(seeds)
    chosen = [row for row in experiment.rows if rows is None or _matches(row.name, rows)]
    if not chosen:
        names = ", ".join(row.name for row in experiment.rows)
        raise BadInput(f"Expected --rows to match one of: {names}. Received: {rows!r}.")
    return [
        Task(row, dataclasses.replace(preset.apply(row.run), seed=seed))
        for seed in range(seeds)
        for row in chosen
    ]


def check_seeds(seeds: int | None) -> None:
    """Raises `BadInput` unless a number of seeds is at least 1 or left open."""
    if seeds is not None and seeds < 1:
        raise BadInput(f"Expected --seeds to be at least 1. Received: {seeds}.")


def _matches(name: str, pattern: str) -> bool:
    return pattern in name or fnmatch.fnmatchcase(name, pattern)


class Engine:
    """Trains what is missing of a list of tasks, and says what it does."""

    def __init__(
        self,
        experiment: Experiment,
        todo: list[Task],
        store: Store,
        sources: Any,
        *,
        xla: bool = False,
        fail_fast: bool = False,
    ) -> None:
        self.experiment, self.tasks, self.store, self.sources = experiment, todo, store, sources
        self.xla, self.fail_fast = xla, fail_fast
        self.progress = Progress()
        self.failures: list[FtnoiseError] = []
        self.loaded: tuple[Any, Any] = (None, None)
        self.planned = self.spent = 0.0

    @cached_property
    def digests(self) -> dict[Any, str]:
        """The content digest of each data set; this is where missing data are noticed."""
        return {data: data.digest(self.sources) for data in {t.run.data for t in self.tasks}}

    def folder(self, task: Task) -> RunFolder:
        """Where a task's run is stored."""
        return self.store.run(run_id(task.run, self.digests[task.run.data]))

    def complete(self, task: Task) -> bool:
        """Whether a task's run is trained and all its measures are there."""
        from ftnoise.runner import finished, missing

        folder = self.folder(task)
        return finished(folder) and not missing(folder, self.measures())

    def measures(self) -> list[Any]:
        """The table's measures, each once."""
        return list(dict.fromkeys(column.measure for column in self.experiment.columns))

    def run(self) -> list[FtnoiseError]:
        """Trains what is missing; returns the failures."""
        pending = self.tasks
        while pending:
            busy = []
            for n, task in enumerate(pending):
                try:
                    if not self.attend(task, pending[n + 1 :]):
                        busy.append(task)
                except FtnoiseError as failure:
                    self.fail(task, failure)
                if self.failures and self.fail_fast:
                    return self.failures
            if len(busy) == len(pending):
                self.progress.say(f"Waiting for {busy[0].name}, which another process trains.")
                self.folder(busy[0]).wait()
            pending = busy
        return self.failures

    def attend(self, task: Task, later: list[Task]) -> bool:
        """Trains a task unless it is complete; False if another process is at it."""
        if self.complete(task):
            return True
        with self.folder(task).locked() as mine:
            # Another process may have finished it before the lock was had.
            if mine and not self.complete(task):
                self.perform(task, [other for other in later if not self.complete(other)])
            return mine

    def perform(self, task: Task, later: list[Task]) -> None:
        """One run, with its line of outcome; a failure is kept and the others go on."""
        from ftnoise.runner import FolderWorkspace, perform

        folder = self.folder(task)
        began = time.monotonic()
        marks: list[tuple[float, int]] = []

        def report(done: int, total: int, text: str) -> None:
            # Speed counts from the first word: what a checkpoint brought back took no time.
            marks[1:] = [(time.monotonic(), done)]
            self.progress.update(self.position(task, later, marks, total, text))

        try:
            folder.clean()
            workspace = FolderWorkspace(folder, report, xla=self.xla)
            perform(task.run, self.data(task.run), folder, self.measures(), workspace)
        except FtnoiseError as failure:
            self.fail(task, failure)
            return
        except Exception as failure:  # a run may fail in any way; the others must go on
            folder.write_failure(traceback.format_exc())
            reason = str(failure).strip().splitlines() or [""]
            where = folder.path / "failure.log"
            text = f"{type(failure).__name__}: {reason[0][:200]} (details: {where})"
            self.fail(task, FtnoiseError(text))
            return
        seconds = time.monotonic() - began
        self.planned, self.spent = self.planned + task.seconds, self.spent + seconds
        self.progress.say(f"{task.name}: {self.outcome(task)} ({duration(seconds)})")

    def position(
        self, task: Task, later: list[Task], marks: list[tuple[float, int]], total: int, text: str
    ) -> str:
        """`fmnist_dnn trades: epoch 3 of 100, 12 min left; 2 h 10 min for all`.

        `marks` are (time, steps done) at the first and at this progress of the task.
        """
        (since, start), (now, done) = marks[0], marks[-1]
        speed = (now - since) / (done - start) if done > start else task.seconds / total
        left = (total - done) * speed
        ratio = self.spent / self.planned if self.planned else speed * total / task.seconds
        rest = left + ratio * sum(other.seconds for other in later)
        every = f"; {duration(rest)} for all" if later else ""
        return f"{task.name}: {text}, {100 * done // total} %, {duration(left)} left{every}"

    def data(self, run: Run) -> Any:
        """The run's data, kept for the next run on the same."""
        wanted = (run.data, run.train_examples, run.test_examples)
        if self.loaded[0] != wanted:
            self.loaded = (None, None)
            data = run.data.load(self.sources)
            if data.digest != self.digests[run.data]:
                raise RunFailed(
                    f"The data set {run.data.slug} has changed since this command began."
                )
            self.loaded = (wanted, data.take(run.train_examples, run.test_examples))
        return self.loaded[1]

    def fail(self, task: Task, failure: FtnoiseError) -> None:
        """Says that a run failed, and remembers it."""
        self.progress.say(f"{task.name}: failed. {failure}")
        self.failures.append(failure)

    def outcome(self, task: Task) -> str:
        """The table's numbers of a run, in one line."""
        folder = self.folder(task)
        parts = []
        for column in self.experiment.columns:
            value = (folder.read_measure(spec_id(column.measure)) or {}).get(column.name)
            if value is not None:
                parts.append(f"{column.title.lower()} {value:.{column.digits}f}")
        return ", ".join(parts)


def estimate(todo: list[Task]) -> float:
    """Seconds that training `todo` will take on this machine, judged by a short probe."""
    if not todo:
        return 0.0
    speed = speed_probe() / REFERENCE_PROBE_SECONDS
    return STARTUP_SECONDS + speed * sum(task.seconds for task in todo)


def speed_probe() -> float:
    """Seconds for a matrix product of 1,024 x 1,024 float32, the best of ten."""
    import numpy as np

    matrix = np.ones((1024, 1024), np.float32)
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - began)
    return best


@dataclass(frozen=True)
class Stored:
    """A finished run of a table, found in the store."""

    task: Task
    folder: RunFolder
    spec: dict[str, Any]

    @property
    def dataset(self) -> tuple[Any, int | None, int | None]:
        """Which data it asks for: runs that ask for the same have to get the same."""
        run = self.task.run
        return run.data, run.train_examples, run.test_examples

    @property
    def content(self) -> str:
        """The digest of the data that it got."""
        return self.spec["data"]["digest"]


def stored(
    experiment: Experiment,
    preset: Preset,
    seeds: int | None,
    store: Store,
    preferred: Collection[str] = (),
) -> list[Stored]:
    """The finished runs of a table, row by row and seed by seed.

    All runs on the same data set are on the same content of it: where the store holds several,
    that of the preferred runs, or the one with most runs.

    Args:
        experiment: the table.
        preset: how much of the protocol.
        seeds: number of seeds, or None for all that are there.
        store: where to look.
        preferred: ids of runs.
    """
    check_seeds(seeds)
    by_form: dict[str, list[tuple[RunFolder, dict[str, Any]]]] = {}
    for folder, spec in store.finished():
        by_form.setdefault(digest(spec["run"]), []).append((folder, spec))
    found: list[Stored] = []
    for row in experiment.rows:
        for task in _seeds(row, preset, seeds):
            hits = by_form.get(digest(canonical(task.run)), [])
            if not hits and seeds is None:
                break
            found += [Stored(task, folder, spec) for folder, spec in hits]
    votes: dict[Any, Counter[str]] = {}
    for run in found:
        weight = len(found) if run.folder.id in preferred else 1
        votes.setdefault(run.dataset, Counter())[run.content] += weight
    common = {
        dataset: max(sorted(count), key=count.__getitem__) for dataset, count in votes.items()
    }
    return [run for run in found if run.content == common[run.dataset]]


def _seeds(row: Row, preset: Preset, seeds: int | None) -> Iterator[Task]:
    run = preset.apply(row.run)
    for seed in range(seeds if seeds is not None else sys.maxsize):
        yield Task(row, dataclasses.replace(run, seed=seed))


def results(
    experiment: Experiment,
    preset: Preset,
    seeds: int | None,
    store: Store,
    preferred: Collection[str] = (),
) -> Results:
    """What is stored of a table, ready to be drawn; see `stored` for the arguments."""
    from ftnoise.report import Results

    runs = stored(experiment, preset, seeds, store, preferred)
    values: dict[str, dict[str, list[float]]] = {}
    for run in runs:
        for column in experiment.columns:
            scalars = run.folder.read_measure(spec_id(column.measure)) or {}
            if column.name in scalars:
                cells = values.setdefault(run.task.row.name, {})
                cells.setdefault(column.name, []).append(scalars[column.name])
    return Results(experiment, preset.name, values, tuple(notes(preset, runs)))


def notes(preset: Preset, runs: list[Stored]) -> list[str]:
    """What a reader needs to know of the runs: preset, data, machine, versions."""
    lines = []
    if preset.name != "paper":
        lines.append(
            f"Preset {preset.name}: {preset.summary}. The paper's numbers are of its full protocol."
        )
    for label, values in (
        ("Data", {f"{run.task.run.data.slug} from {run.spec['data']['source']}" for run in runs}),
        ("Machine", {_machine(run.spec["environment"]) for run in runs}),
    ):
        if values:
            lines.append(f"{label}: {'; '.join(sorted(values))}.")
    return lines


def _machine(environment: dict[str, Any]) -> str:
    gpus = environment["gpus"]
    where = ", ".join(gpus) if gpus else f"{environment['processor']}"
    return f"{where}, {environment['threads']} threads, TensorFlow {environment['tensorflow']}"


def write(found: Results, folder: Path) -> list[Path]:
    """Writes a report's files into `folder` and returns their paths."""
    from ftnoise import report
    from ftnoise.files import write_bytes

    return report.write(found, folder, write_bytes)


def publish(
    experiment: Experiment, preset: Preset, seeds: int | None, store: Store, target: Store
) -> list[Path]:
    """Copies a table's finished runs (spec, weights, measures) and its report into `target`.

    The copy is a store itself: whoever has it can redraw the table and use the weights.
    """
    from ftnoise.files import write_json

    runs = stored(experiment, preset, seeds, store)
    if not runs:
        raise BadInput(
            f"Expected finished {preset.name} runs of {experiment.name} in {store.root}. "
            "Received: none."
        )
    target.prepare()
    for run in runs:
        run.folder.copy_to(target)
    environments = {run.folder.id: run.spec["environment"] for run in runs}
    write_json(target.root / "environment.json", environments)
    return write(results(experiment, preset, seeds, target), target.root)
