"""Many runs: train what a table still lacks, and draw it from what is stored.

Two processes on one folder share the work: each trains what nobody else is training, and waits
for the rest at the end.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftnoise.errors import BadInput, FtnoiseError, RunFailed
from ftnoise.plan import Standing, Task, check_seeds
from ftnoise.presets import Preset
from ftnoise.progress import Progress, duration
from ftnoise.spec import Experiment, Run, canonical, digest, run_id, seedless, spec_id

if TYPE_CHECKING:
    from ftnoise.report import Results
    from ftnoise.store import RunFolder, Store


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

    def standing(self, task: Task) -> Standing:
        """How far a task is."""
        return standing(task, self.folder(task), self.experiment)

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
        if self.standing(task).complete:
            return True
        with self.folder(task).locked() as mine:
            # Another process may have finished it before the lock was had.
            if mine and not (standing := self.standing(task)).complete:
                self.perform(standing, [self.standing(other) for other in later])
            return mine

    def perform(self, standing: Standing, later: list[Standing]) -> None:
        """The rest of a run, with its line of outcome; after a failure the others go on."""
        from ftnoise.runner import FolderWorkspace, perform

        task = standing.task
        folder = self.folder(task)
        began = time.monotonic()
        marks: list[tuple[float, int]] = []
        ahead: list[Standing] | None = later

        def report(done: int, total: int, text: str) -> None:
            # Speed counts from the first word: what a checkpoint brought back took no time.
            marks[1:] = [(time.monotonic(), done)]
            self.progress.update(self.position(task, ahead, marks, total, text))

        def begin_measure() -> None:
            nonlocal ahead
            marks.clear()
            ahead = None

        try:
            folder.clean()
            workspace = FolderWorkspace(folder, report, xla=self.xla)
            data, asked = self.data(task.run), self.experiment.measures()
            perform(task.run, data, folder, asked, workspace, begin_measure)
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
        self.planned, self.spent = self.planned + standing.seconds, self.spent + seconds
        self.progress.say(f"{task.name}: {self.outcome(task)} ({duration(seconds)})")

    def position(
        self,
        task: Task,
        later: list[Standing] | None,
        marks: list[tuple[float, int]],
        total: int,
        text: str,
    ) -> str:
        """`fmnist_dnn trades: epoch 3 of 100, 12 min left; 2 h 10 min for all`.

        `marks` are (time, steps done) at the first and at this progress of the task. `later` is
        None for a measure, of which nothing is known but its own speed.
        """
        (since, start), (now, done) = marks[0], marks[-1]
        position = f"{task.name}: {text}, {100 * done // total} %"
        if later is None and done <= start:
            return position
        speed = (now - since) / (done - start) if done > start else task.seconds / total
        left = (total - done) * speed
        ratio = self.spent / self.planned if self.planned else speed * total / task.seconds
        others = sum(other.seconds for other in later or ())
        every = f"; {duration(left + ratio * others)} for all" if others else ""
        return f"{position}, {duration(left)} left{every}"

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
                title = column.title[0].lower() + column.title[1:]
                parts.append(f"{title} {value:.{column.digits}f}")
        return ", ".join(parts)


def standing(task: Task, folder: RunFolder, experiment: Experiment) -> Standing:
    """How far a task is, by what its run's folder holds."""
    from ftnoise.runner import epochs_done, missing

    if folder.finished() is None:
        return Standing(task, epochs=epochs_done(folder))
    return Standing(task, trained=True, complete=not missing(folder, experiment.measures()))


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

    @property
    def environments(self) -> list[dict[str, Any]]:
        """Where it was trained; more than one if it went on in another environment."""
        return [*self.spec.get("earlier_environments", []), self.spec["environment"]]


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
    by_form: dict[str, list[tuple[int, RunFolder, dict[str, Any]]]] = {}
    for folder, spec in store.finished():
        form = spec["run"]
        by_form.setdefault(seedless(form), []).append((form.get("seed", 0), folder, spec))
    found: list[Stored] = []
    for row in experiment.rows:
        first = preset.apply(row.run)
        hits = by_form.get(seedless(canonical(first)), [])
        for seed, folder, spec in sorted(hits, key=lambda hit: hit[0]):
            if seeds is None or seed < seeds:
                task = Task(row, dataclasses.replace(first, seed=seed))
                found.append(Stored(task, folder, spec))
    votes: dict[Any, Counter[str]] = {}
    for run in found:
        weight = len(found) if run.folder.id in preferred else 1
        votes.setdefault(run.dataset, Counter())[run.content] += weight
    common = {
        dataset: max(sorted(count), key=count.__getitem__) for dataset, count in votes.items()
    }
    return [run for run in found if run.content == common[run.dataset]]


def foreseen(
    experiment: Experiment, preset: Preset, todo: list[Task], store: Store
) -> list[Standing]:
    """How far each task is, as far as that can be told without its data; see `Engine.standing`."""
    from ftnoise.runner import epochs_done

    finished = {run.task.run: run.folder for run in stored(experiment, preset, None, store)}
    begun = {digest(spec["run"]): folder for folder, spec in store.begun()}
    standings = []
    for task in todo:
        if folder := finished.get(task.run):
            standings.append(standing(task, folder, experiment))
        elif folder := begun.get(digest(canonical(task.run))):
            standings.append(Standing(task, epochs=epochs_done(folder)))
        else:
            standings.append(Standing(task))
    return standings


def results(
    experiment: Experiment,
    preset: Preset,
    seeds: int | None,
    store: Store,
    preferred: Collection[str] = (),
) -> Results:
    """What is stored of a table, ready to be drawn; see `stored` for the arguments."""
    from ftnoise.report import Reading, Results

    runs = stored(experiment, preset, seeds, store, preferred)
    values: dict[str, dict[str, list[float]]] = {}
    readings: dict[str, dict[str, list[Reading]]] = {}
    for run in runs:
        for column in experiment.columns:
            scalars = run.folder.read_measure(spec_id(column.measure))
            if scalars is not None:
                cells = values.setdefault(run.task.row.name, {}).setdefault(column.name, [])
                cells += [scalars[column.name]] if column.name in scalars else []
        for measure in map(spec_id, experiment.pictured()):
            arrays, info = (
                read(measure)
                for read in (run.folder.read_measure_arrays, run.folder.read_measure_info)
            )
            if arrays is not None and info is not None:
                found = readings.setdefault(run.task.row.name, {}).setdefault(measure, [])
                found.append(Reading(run.task.run.seed, arrays, info))
    return Results(experiment, preset.name, values, tuple(notes(preset, runs)), readings)


def notes(preset: Preset, runs: list[Stored]) -> list[str]:
    """What a reader needs to know of the runs: preset, data, machine, versions."""
    lines = []
    if preset.name != "paper":
        full = "" if preset.whole else " The paper's numbers are of its full protocol."
        lines.append(f"Preset {preset.name}: {preset.summary}.{full}")
    if preset.secret_key:
        lines.append("What is measured on the training examples is exact: no epsilon covers it.")
    for label, values in (
        ("Data", {f"{run.task.run.data.slug} from {run.spec['data']['source']}" for run in runs}),
        ("Machine", {_machine(where) for run in runs for where in run.environments}),
    ):
        if values:
            lines.append(f"{label}: {'; '.join(sorted(values))}.")
    return lines


def _machine(environment: dict[str, Any]) -> str:
    from ftnoise.runner import arithmetic

    return f"{arithmetic(environment)}, TensorFlow {environment['tensorflow']}"


def write(found: Results, folder: Path) -> list[Path]:
    """Writes a report's files into `folder` and returns their paths."""
    from ftnoise import report
    from ftnoise.files import write_bytes

    return report.write(found, folder, write_bytes)


def publish(
    experiment: Experiment, preset: Preset, seeds: int | None, store: Store, target: Store
) -> list[Path]:
    """Copies a table's finished runs (spec, weights, measures) and its report into `target`.

    The copy is a store itself: whoever has it can redraw the table and use the weights. Its
    environment.json has the environment of each run, or the list of them where there were several.
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
    environments = {
        run.folder.id: run.environments if len(run.environments) > 1 else run.environments[0]
        for run in runs
    }
    write_json(target.root / "environment.json", environments)
    return write(results(experiment, preset, seeds, target), target.root)
