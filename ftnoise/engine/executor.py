"""Many runs: units of work for what an experiment lacks, done here or by worker processes.

Several commands on one folder share the work: each takes the runs that no other is working on, and
waits for the rest at the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from ftnoise.core.data import Sources
from ftnoise.core.errors import FtnoiseError, RunFailed
from ftnoise.core.experiment import Experiment, run_id
from ftnoise.core.interfaces import DataSet
from ftnoise.core.progress import Progress, duration, tell
from ftnoise.core.spec import canonical, digest, spec_id
from ftnoise.engine import runner
from ftnoise.engine.plan import Status, Task
from ftnoise.engine.resuming import position
from ftnoise.engine.runner import Unit
from ftnoise.store.folders import RunFolder, Store

SHOWN = 5  # numbers of a run when it is finished; the table has all


class Engine:
    """Does what is missing of a list of tasks.

    Args:
        experiment: within the limits of its preset.
        tasks: see `plan.tasks`.
        store: where runs are kept.
        sources: where data come from.
        references: stores of published runs, which `adopt` copies.
        xla: see `Checkpointing.xla`.
        fail_fast: stop at the first failure.
        workers: number of worker processes of one thread each; None works in this process with
            all its threads. Last bits depend on the number of threads, not on that of workers.
    """

    def __init__(
        self,
        experiment: Experiment,
        tasks: list[Task],
        store: Store,
        sources: Sources,
        *,
        references: Sequence[Store] = (),
        xla: bool = False,
        fail_fast: bool = False,
        workers: int | None = None,
    ) -> None:
        self.experiment, self.tasks, self.store, self.sources = experiment, tasks, store, sources
        self.references = references
        self.xla, self.fail_fast, self.workers = xla, fail_fast, workers
        self.progress = Progress()
        self.failures: list[FtnoiseError] = []
        self._failed: set[str] = set()

    @cached_property
    def digests(self) -> dict[DataSet, str]:
        """The content digest of each data set; missing data are noticed here."""
        data = dict.fromkeys(task.run.data for task in self.tasks)
        return {one: one.digest(self.sources) for one in data}

    def folder(self, task: Task) -> RunFolder:
        """Where a task's run is stored."""
        return self.store.run(run_id(task.run, self.digests[task.run.data]))

    def status(self, task: Task) -> Status:
        """How far a task is."""
        return status(task, self.folder(task), self.experiment)

    def adopt(self) -> list[str]:
        """Copies published runs whose training has not begun here; returns the tasks' names."""
        names = []
        for task in self.tasks:
            folder = self.folder(task)
            for store in self.references if folder.spec() is None else ():
                if store.run(folder.id).finished() is None:
                    continue
                try:
                    store.run(folder.id).copy_to(self.store)
                except RunFailed as failure:  # such as another command that copies it just now
                    tell(f"{task.name} is not copied. {failure}")
                    continue
                names.append(task.name)
                break
        return names

    def run(self) -> list[FtnoiseError]:
        """Does what is missing; returns the failures.

        First all trainings, and the measures that need no other run; then the rest.
        """
        work = spread if self.workers else here
        for needs_others in (False, True):
            units = self._units(needs_others)
            began = time.monotonic()
            for done, (task, outcome) in enumerate(work(self, units), start=1):
                seconds = time.monotonic() - began
                rest = duration(seconds / done * (len(units) - done))
                left = f"; {done} of {len(units)} runs, {rest} left" if done < len(units) else ""
                if isinstance(outcome, FtnoiseError):
                    self.progress.say(f"{task.name}: failed. {outcome}{left}")
                    self.failures.append(outcome)
                    self._failed.add(self.folder(task).id)
                else:
                    self.progress.say(f"{task.name}: {self._result(task)}{left}")
                if self.failures and self.fail_fast:
                    return self.failures
        return self.failures

    def _units(self, needs_others: bool) -> list[tuple[Task, Unit]]:
        """The runs that lack their training or a measure, at first without those that need others.

        A unit has its stored measures too: if its weights are damaged, they are made again.
        """
        units = []
        for task in self.tasks:
            folder = self.folder(task)
            measures = tuple(
                measure
                for measure in task.measures(self.experiment)
                if needs_others or not measure.others(task.run)
            )
            if folder.id in self._failed:
                continue
            if folder.finished() is None or runner.missing(folder, measures):
                data = self.digests[task.run.data]
                unit = Unit(task.run, measures, self.store.root, self.sources, data, self.xla)
                units.append((task, unit))
        return units

    def _result(self, task: Task) -> str:
        """The first of the table's numbers of a run, in one line."""
        folder = self.folder(task)
        parts = []
        for column in self.experiment.columns[:SHOWN]:
            value = (folder.read_measure(spec_id(column.measure)) or {}).get(column.name)
            if value is not None:
                title = column.title[0].lower() + column.title[1:]
                parts.append(f"{title} {value:.{column.digits}f}")
        return ", ".join(parts) or "trained"


Outcomes = Iterator[tuple[Task, FtnoiseError | str]]


def here(engine: Engine, units: list[tuple[Task, Unit]]) -> Outcomes:
    """Does units one after the other in this process."""
    pending = units
    finished = 0
    began = time.monotonic()
    while pending:
        busy = []
        for task, unit in pending:
            report = _reporter(engine.progress, task.name, began, finished, len(units))
            try:
                id = runner.perform(unit, report)
            except FtnoiseError as failure:
                yield task, failure
            else:
                if id is None:
                    busy.append((task, unit))
                    continue
                yield task, id
            finished += 1
        if len(busy) == len(pending):
            task, unit = busy[0]
            engine.progress.say(f"Waiting for {task.name}, which another process works on.")
            engine.store.run(unit.id).wait()
        pending = busy


def _reporter(
    progress: Progress, name: str, began: float, finished: int, total: int
) -> Callable[[int, int, str], None]:
    """Shows `fmnist_dnn trades: epoch 3 of 100, 3 %, 12 min left; run 2 of 8, 1 h left`."""
    since: list[float] = []
    first = last = math.inf
    whole = 0

    def report(done: int, steps: int, text: str) -> None:
        nonlocal first, last, whole
        now = time.monotonic()
        if done < last or steps != whole:  # a new part of the work, or the first
            since[:], first = [now], done
        last, whole = done, steps
        line = f"{name}: {text}, {100 * done // steps} %"
        if done > first:
            left = (now - since[0]) / (done - first) * (steps - done)
            line += f", {duration(left)} left"
            if total > 1:
                share = finished + done / steps
                line += f"; run {finished + 1} of {total}"
                if finished:
                    line += f", {duration((now - began) / share * (total - share))} left for all"
        progress.update(line)

    return report


def spread(engine: Engine, units: list[tuple[Task, Unit]]) -> Outcomes:
    """Does units in worker processes of one thread; a killed worker's unit is tried again."""
    from ftnoise.engine import cluster

    yield from cluster.outcomes(units, min(engine.workers or 1, max(1, len(units))))


def status(task: Task, folder: RunFolder, experiment: Experiment) -> Status:
    """How far a task is, by its run's folder."""
    if folder.finished() is None:
        return Status(task, position=position(folder))
    complete = not runner.missing(folder, task.measures(experiment))
    return Status(task, trained=True, complete=complete)


def foreseen(
    experiment: Experiment, tasks: list[Task], store: Store, references: Sequence[Store] = ()
) -> list[Status]:
    """How far each task is, as far as that is known without its data; see `Engine.status`.

    Runs in `references` count as trained, since `Engine.adopt` copies them.
    """
    found: dict[str, RunFolder] = {}
    for place in (*references, store):
        found |= {digest(spec["run"]): folder for folder, spec in place.finished()}
    begun = {digest(spec["run"]): folder for folder, spec in store.begun()}
    statuses = []
    for task in tasks:
        form = digest(canonical(task.run))
        folder = found.get(form) or begun.get(form)
        statuses.append(status(task, folder, experiment) if folder else Status(task))
    return statuses
