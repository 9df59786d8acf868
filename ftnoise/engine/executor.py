"""Many runs: units of work for what an experiment lacks, done here or by worker processes.

Several commands on one folder share the work: each takes the runs that no other is working on, and
waits for the rest at the end. Worker processes are those of dask.distributed's embedded cluster on
the loopback interface. The truth is the store, so a worker or the scheduler may die: a unit checks
the store first and resumes from its checkpoint.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

from ftnoise.core import stopping
from ftnoise.core.checks import expect
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput, FtnoiseError, RunFailed, first_line
from ftnoise.core.experiment import Experiment, run_id
from ftnoise.core.interfaces import DataSet
from ftnoise.core.lazy import tf
from ftnoise.core.progress import Progress, duration, line, log, reporting
from ftnoise.core.spec import canonical, digest, spec_id
from ftnoise.engine import plan, runner
from ftnoise.engine.plan import Status, Task
from ftnoise.engine.resuming import position
from ftnoise.engine.runner import Unit
from ftnoise.store.folders import RunFolder, Store
from ftnoise.store.lookup import trained_on
from ftnoise.store.records import Content

if TYPE_CHECKING:
    from distributed import Client, Future

NAMED = 100  # runs: of more, only failures have a line of their own
ANSWER = "30 s"  # for a scheduler
POLL = 0.1  # seconds
LOOK = 5.0  # seconds between looks at what the workers do
WORKERLESS = 300.0  # seconds without any worker after which a cluster is given up
SHOWN = 5  # numbers of a run when it is finished; the table has all

ONE_AT_A_TIME = threading.Lock()  # Keras has one state for a process

CLUSTER = {
    # A unit may hold the interpreter lock for long, and must not count as dead.
    "distributed.scheduler.worker-ttl": "1 h",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,
    # A unit that kills its worker again is not tried a third time.
    "distributed.scheduler.allowed-failures": 1,
    "distributed.admin.tick.limit": "1 h",
    "distributed.comm.timeouts.connect": "60 s",
    # Dask's own threshold gives tensors' memory back in each step: a CIFAR-10 step took 5 % longer.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**32,
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
        cluster: address of a dask scheduler whose workers are used instead; see `safe_scheduler`.
        keep_weights: see `Unit.keep`.
    """

    experiment: Experiment
    tasks: list[Task]
    store: Store
    sources: Sources
    references: Sequence[Store] = ()
    xla: bool = False
    fail_fast: bool = False
    workers: int | None = None
    cluster: str | None = None
    keep_weights: bool = True
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
        folder, measures = self.folder(task), task.measures(self.experiment)
        spec = folder.finished(weights=self.keep_weights)
        complete = spec is not None and not runner.missing(folder, measures)
        return status(task, folder, spec, complete)

    def adopt(self) -> list[str]:
        """Copies published runs whose training has not begun here; returns the names of rows."""
        names = []
        for task in self.tasks:
            folder = self.folder(task)
            for store in self.references if folder.spec() is None else ():
                if store.run(folder.id).finished(weights=True) is None:
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

        First the trainings that need no other run, then those that start from the network of one,
        and last the measures that need others.
        """
        failures: dict[str, FtnoiseError] = {}  # by the run's id
        for stage in range(3):
            groups = self._groups(stage, failures)
            units = [one for group in groups for one in group]
            began = time.monotonic()
            distributed = units and (self.workers or self.cluster)
            outcomes = self._by_workers(groups) if distributed else here(self, units)
            for done, (task, outcome) in enumerate(outcomes, start=1):
                seconds = time.monotonic() - began
                rest = duration(seconds / done * (len(units) - done))
                left = f"; {done} of {len(units)} runs, {rest} left" if done < len(units) else ""
                if isinstance(outcome, FtnoiseError):
                    failures[self.folder(task).id] = outcome
                    log(f"{task.name}: failed. {outcome}{left}")
                    if self.fail_fast:
                        return [outcome]
                elif len(units) <= NAMED:
                    line(f"{task.name}: {self._result(task)}{left}")
                else:
                    self.progress.update(f"{task.name}{left}")
        return list(failures.values())

    def _groups(self, stage: int, failed: Collection[str]) -> list[Group]:
        """The runs that lack their training or a measure, as far as a stage of `run` goes.

        A unit has its stored measures too: if its weights are damaged, they are made again. Runs
        whose ids are among the failed are left out, as are untrained ones whose origins' ids are.
        """
        # Workers elsewhere have another working directory.
        root = self.store.root.resolve() if self.cluster else self.store.root
        found = []
        for group in plan.groups(self.tasks):
            units = []
            for task in group:
                origin = task.run.training.origin(task.run)
                if stage == 0 and origin:
                    continue
                folder = self.folder(task)
                measures = tuple(
                    measure
                    for measure in task.measures(self.experiment)
                    if stage == 2 or not measure.others(task.run)
                )
                data, keep = self.digests[task.run.data], self.keep_weights
                unit = Unit(task.run, measures, root, self.sources, data, self.xla, keep)
                if runner.done(unit, folder):
                    continue
                first = task.run
                if origin and folder.finished(weights=keep) is None:
                    first = origin
                if not {unit.id, replace(unit, run=first).id}.intersection(failed):
                    units.append((task, unit))
            if units:
                found.append(units)
        return found

    def _by_workers(self, groups: list[Group]) -> Outcomes:
        """Does units in worker processes, group by group."""
        workers = local_workers(min(self.workers or 1, len(groups)))
        with workers if self.cluster is None else cluster(self.cluster) as client:
            yield from by_workers(groups, client, self._show)

    def _show(self, groups: list[Group]) -> None:
        """Shows how far the trainings of groups are that workers do."""
        folders = {task.name: self.store.run(unit.id) for group in groups for task, unit in group}
        positions = {name: position(one) for name, one in folders.items() if one.running()}
        if shown := [f"{name}: {where}" for name, where in positions.items() if where]:
            self.progress.update("; ".join(shown))

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


Group = list[tuple[Task, Unit]]
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
                report = reporting(in_percent(task.name), place=place, progress=engine.progress)
                outcome = runner.perform(unit, report)
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


def in_percent(name: str) -> Callable[[int, int, str], str]:
    """The words of `fmnist_dnn trades: epoch 3 of 100, 3 %, 12 min left; run 2 of 8`."""
    return lambda done, steps, text: f"{name}: {text}, {100 * done // steps} %"


@contextlib.contextmanager
def local_workers(number: int) -> Iterator[Client]:
    """A cluster of processes of one thread on this machine."""
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # It removes what a stopped process leaves; its start would unblock Ctrl-C further down.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    with stopping.deferred():
        resource_tracker.ensure_running()
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(CLUSTER))
        with stopping.deferred():  # dask cannot be stopped while it starts
            try:
                cluster = LocalCluster(
                    n_workers=number,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    # No dashboard, and a free port: the default one is the same for all commands.
                    scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                    # Dask's limit would restart workers over and over without a message.
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
            except RuntimeError as failure:  # a process is killed during its start
                raise RunFailed(
                    f"Expected {number} worker processes to start ({first_line(failure)})."
                ) from failure
            client = stack.enter_context(Client(stack.enter_context(cluster)))
        yield client


@contextlib.contextmanager
def cluster(address: str) -> Iterator[Client]:
    """An existing cluster, whose workers see the same runs folder and have this package."""
    import dask
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(CLUSTER))
        try:
            client = stack.enter_context(Client(address, timeout=ANSWER))
        except (OSError, ValueError, TypeError) as failure:
            raise BadInput(
                f"Expected a dask scheduler at --cluster. Received: {address!r} "
                f"({first_line(failure)})."
            ) from failure
        yield client


def safe_scheduler(address: str) -> None:
    """Raises `BadInput` unless the scheduler is on this machine or speaks TLS with certificates.

    Whoever reaches any other one can run code on its workers.
    """
    scheme, _, rest = address.rpartition("://")
    host = rest.rpartition(":")[0].strip("[]")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    expect(
        scheme == "tls" or (scheme in ("", "tcp") and local),
        "--cluster to be tls://HOST:PORT, or on this machine",
        cluster=address,
    )


def by_workers(
    groups: list[Group], client: Client, show: Callable[[list[Group]], None] = lambda groups: None
) -> Outcomes:
    """Does groups of units in worker processes; a killed worker's group is tried again.

    If the group kills its worker again (as often as the scheduler allows), each of its units is
    tried alone. A unit that kills its worker alone has failed, and so has what is left when all
    workers have been gone for some minutes. `show` gets the groups that are being done.
    """
    from distributed import as_completed

    def submit(group: Group) -> Future:
        units = [unit for _, unit in group]
        # Commands on one cluster have keys of their own, and so have a group's units tried alone.
        key = f"{client.id}-{units[0].id}-{len(units)}"
        future = client.submit(work, units, key=key, pure=False)
        pending[future] = group
        return future

    def arriving() -> Iterator[Future]:
        """The futures as they are done, as long as there are workers or may be some later."""
        alive, looked = None, -math.inf  # when there were workers, and when that was seen
        while not completed.is_empty():
            if completed.has_ready():
                yield next(completed)
                continue
            time.sleep(POLL)
            stopping.check()
            if (now := time.monotonic()) - looked < LOOK:
                continue
            looked, busy = now, {}
            with contextlib.suppress(OSError):  # of a lost scheduler, whose futures are done soon
                busy = client.processing()
            if busy:
                alive = now
                keys = {key for some in busy.values() for key in some}
                show([group for future, group in pending.items() if future.key in keys])
            elif alive and now - alive > WORKERLESS:
                return

    def failed(group: Group, reason: str) -> Outcomes:
        for task, unit in group:
            folder = Store(unit.root).run(unit.id)
            if runner.done(unit, folder):  # before the worker was lost
                yield task, unit.id
                continue
            folder.write_failure(f"{reason}\n")
            yield task, RunFailed(reason)

    pending: dict[Future, Group] = {}
    completed = as_completed([submit(group) for group in groups])
    for future in arriving():
        group = pending.pop(future)
        if future.status == "finished":
            yield from zip((task for task, _ in group), future.result(), strict=True)
        elif future.status == "error" and len(group) > 1:
            completed.update([submit([one]) for one in group])
        else:
            lost = future.status != "error"
            reason = "The dask scheduler is lost." if lost else first_line(future.exception())
            yield from failed(group, reason)
    for group in pending.values():
        yield from failed(group, "The dask scheduler has no workers any more.")


def work(units: list[Unit]) -> list[FtnoiseError | str]:
    """Does units in a worker, with one thread; gives each one's run's id or failure.

    It waits where another process works on the run, or another thread of a worker that has several.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # no lines about retracing
    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != 1:
        # A RuntimeError in a process that has computed with more, whose bits would differ.
        threading.set_intra_op_parallelism_threads(1)
        threading.set_inter_op_parallelism_threads(1)
    outcomes: list[FtnoiseError | str] = []
    for unit in units:
        try:
            with ONE_AT_A_TIME:
                while (id := runner.perform(unit)) is None:
                    Store(unit.root).run(unit.id).wait(unit.id)
            outcomes.append(id)
        except FtnoiseError as failure:
            outcomes.append(failure)
    return outcomes


def status(task: Task, folder: RunFolder, spec: Content | None, complete: bool) -> Status:
    """How far a task is, by its run's folder, and its spec.json if the run is finished.

    Without weights a run that is not complete is trained again.
    """
    if spec is not None and complete:
        return Status(task, trained=True, complete=True, finished=str(spec["finished"]))
    spec = spec if spec and folder.complete(spec, weights=True) else None
    return Status(
        task,
        position=position(folder) if spec is None else "",
        trained=spec is not None,
        running=folder.running(),
        failure=folder.failure(),
    )


def foreseen(
    experiment: Experiment,
    tasks: list[Task],
    store: Store,
    references: Sequence[Store] = (),
    *,
    read: bool = True,
    keep_weights: bool,
) -> list[Status]:
    """How far each task is, as far as that is known without its data; see `Engine.status`.

    Runs in `references` count as trained, since `Engine.adopt` copies them. Without `read`, results
    of measures are not read, so that a damaged one counts; the command that needs it makes it
    again. See `Unit.keep` for `keep_weights`.
    """
    forms = [digest(canonical(task.run)) for task in tasks]
    wanted = dict(zip(forms, tasks, strict=True))
    found: dict[str, Status] = {}
    for place in (*references, store):
        for folder, spec in place.begun():
            task = wanted.get(form := digest(spec["run"]))
            if task is None or not trained_on(task.run, spec):
                continue
            weights = keep_weights or place is not store
            finished = spec if folder.complete(spec, weights) else None
            if finished or place is store:
                there = folder.measured if read else folder.lists
                measures = task.measures(experiment)
                complete = finished is not None and all(there(spec_id(one)) for one in measures)
                found[form] = status(task, folder, finished, complete)
    return [
        replace(found[form], task=task) if form in found else Status(task)
        for task, form in zip(tasks, forms, strict=True)
    ]
