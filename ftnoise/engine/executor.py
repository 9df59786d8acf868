"""Many runs: units of work for what an experiment lacks, done here or by worker processes.

Several commands on one folder share the work: each takes the runs that no other is working on, and
waits for the rest at the end. Worker processes are those of dask.distributed's embedded cluster on
the loopback interface. The truth is the store, so a worker or the scheduler may die: a unit checks
the store first and resumes from its checkpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import resource_tracker

from ftnoise.core import stopping
from ftnoise.core.data import Sources
from ftnoise.core.errors import FtnoiseError, RunFailed, first_line
from ftnoise.core.experiment import Experiment, run_id
from ftnoise.core.interfaces import DataSet
from ftnoise.core.progress import Progress, duration, line, log
from ftnoise.core.spec import canonical, digest, spec_id
from ftnoise.engine import runner
from ftnoise.engine.plan import Status, Task
from ftnoise.engine.resuming import position
from ftnoise.engine.runner import Unit
from ftnoise.store.folders import RunFolder, Store

SHOWN = 5  # numbers of a run when it is finished; the table has all

CLUSTER = {
    # A unit may hold the interpreter lock for long, and must not count as dead.
    "distributed.scheduler.worker-ttl": "1 h",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,
    # A unit that kills its worker again is not tried a third time.
    "distributed.scheduler.allowed-failures": 1,
    "distributed.admin.tick.limit": "1 h",
    "distributed.comm.timeouts.connect": "60 s",
}


@dataclass(eq=False)
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

    experiment: Experiment
    tasks: list[Task]
    store: Store
    sources: Sources
    references: Sequence[Store] = ()
    xla: bool = False
    fail_fast: bool = False
    workers: int | None = None
    progress: Progress = field(default_factory=Progress, init=False)

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
                    log(f"{task.name} is not copied. {failure}")
                    continue
                names.append(task.name)
                break
        return names

    def run(self) -> list[FtnoiseError]:
        """Does what is missing; returns the failures.

        First all trainings, and the measures that need no other run; then the rest.
        """
        failures: dict[str, FtnoiseError] = {}  # by the run's id
        for needs_others in (False, True):
            units = [one for one in self._units(needs_others) if one[1].id not in failures]
            began = time.monotonic()
            outcomes = by_workers(units, self.workers) if self.workers else here(self, units)
            for done, (task, outcome) in enumerate(outcomes, start=1):
                seconds = time.monotonic() - began
                rest = duration(seconds / done * (len(units) - done))
                left = f"; {done} of {len(units)} runs, {rest} left" if done < len(units) else ""
                if isinstance(outcome, FtnoiseError):
                    failures[self.folder(task).id] = outcome
                    line(f"{task.name}: failed. {outcome}{left}")
                    if self.fail_fast:
                        return [outcome]
                else:
                    line(f"{task.name}: {self._result(task)}{left}")
        return list(failures.values())

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
            value = column.of(folder.read_measure(spec_id(column.measure)) or {})
            if value is not None:
                title = column.title[0].lower() + column.title[1:]
                parts.append(f"{title} {value:.{column.digits}f}")
        return ", ".join(parts) or "trained"


Outcomes = Iterator[tuple[Task, FtnoiseError | str]]


def here(engine: Engine, units: list[tuple[Task, Unit]]) -> Outcomes:
    """Does units one after the other in this process; gives each with its run's id or failure."""
    pending, finished = units, 0
    while pending:
        busy = []
        for task, unit in pending:
            place = f"; run {finished + 1} of {len(units)}" if len(units) > 1 else ""
            outcome: FtnoiseError | str | None
            try:
                outcome = runner.perform(unit, _reporter(engine.progress, task.name, place))
            except FtnoiseError as failure:
                outcome = failure
            if outcome is None:
                busy.append((task, unit))
            else:
                finished += 1
                yield task, outcome
        if len(busy) == len(pending):
            task, unit = busy[0]
            engine.store.run(unit.id).wait(task.name)
        pending = busy


def _reporter(progress: Progress, name: str, place: str) -> Callable[[int, int, str], None]:
    """Shows `fmnist_dnn trades: epoch 3 of 100, 3 %, 12 min left; run 2 of 8`."""
    began, first, last, whole = 0.0, 0, 0, 0

    def report(done: int, steps: int, text: str) -> None:
        nonlocal began, first, last, whole
        now = time.monotonic()
        if done < last or steps != whole:  # a new part of the work, or the first
            began, first = now, done
        last, whole = done, steps
        left = ""
        if done > first:
            left = f", {duration((now - began) / (done - first) * (steps - done))} left"
        progress.update(f"{name}: {text}, {100 * done // steps} %{left}{place}")

    return report


def by_workers(units: list[tuple[Task, Unit]], workers: int) -> Outcomes:
    """Does units in `workers` processes of one thread; a killed worker's unit is tried again."""
    if not units:
        return
    import dask
    from distributed import Client, LocalCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # It removes what a stopped process leaves; its start would unblock Ctrl-C further down.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    with stopping.deferred():
        resource_tracker.ensure_running()
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(CLUSTER))
        with stopping.deferred():  # dask cannot be stopped while it starts
            cluster = LocalCluster(
                n_workers=min(workers, len(units)),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                # No dashboard, and a free port: the default one is the same for all commands.
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                # Dask's limit would restart workers over and over without a message.
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
            client = stack.enter_context(Client(stack.enter_context(cluster)))
        tasks = {client.submit(work, unit, key=unit.id, pure=False): task for task, unit in units}
        for future in as_completed(tasks):
            outcome = future.result() if future.status == "finished" else future.exception()
            if not isinstance(outcome, FtnoiseError | str):
                outcome = RunFailed(first_line(outcome))
            yield tasks[future], outcome


def work(unit: Unit) -> str:
    """Does a unit in a worker with one thread, and returns its run's id.

    It waits where another process works on the run.
    """
    import tensorflow as tf

    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != 1:
        # A RuntimeError in a process that has computed with more, whose bits would differ.
        threading.set_intra_op_parallelism_threads(1)
        threading.set_inter_op_parallelism_threads(1)
    while (id := runner.perform(unit)) is None:
        Store(unit.root).run(unit.id).wait(unit.id)
    return id


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
    found = {digest(spec["run"]): folder for folder, spec in store.begun()}
    for place in (*references, store):
        found |= {digest(spec["run"]): folder for folder, spec in place.finished()}
    forms = [digest(canonical(task.run)) for task in tasks]
    return [
        status(task, found[form], experiment) if form in found else Status(task)
        for task, form in zip(tasks, forms, strict=True)
    ]
