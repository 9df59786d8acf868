"""Many runs: train what a table still lacks.

Two processes on one folder share the work: each trains what nobody else is training, and waits
for the rest at the end. So does a measure that needs another run, until that is trained.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from ftnoise.core.errors import FtnoiseError, RunFailed
from ftnoise.core.experiment import Experiment, run_id
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import Preset
from ftnoise.core.progress import Progress, duration
from ftnoise.core.spec import Spec, canonical, digest, others, spec_id
from ftnoise.engine.plan import Status, Task
from ftnoise.engine.stored import runs_of

if TYPE_CHECKING:
    from ftnoise.store.folders import RunFolder, Store

SAID = 5  # numbers of a run when it is finished; the table has all


class Engine:
    """Trains what is missing of a list of tasks, and says what it does."""

    def __init__(
        self,
        experiment: Experiment,
        todo: list[Task],
        store: Store,
        sources: Any,
        *,
        references: Sequence[Store] = (),
        xla: bool = False,
        fail_fast: bool = False,
    ) -> None:
        self.experiment, self.tasks, self.store, self.sources = experiment, todo, store, sources
        self.references = references
        self.xla, self.fail_fast = xla, fail_fast
        self.progress = Progress()
        self.failures: list[FtnoiseError] = []
        self.loaded: tuple[Any, Any] = (None, None)
        self.planned = self.spent = 0.0
        # Runs of tasks that are not done, and of those that wait for another one of them.
        self.coming: set[Run] = set()
        self.waiting: set[Run] = set()

    @cached_property
    def digests(self) -> dict[Any, str]:
        """The content digest of each data set; this is where missing data are noticed."""
        return {data: data.digest(self.sources) for data in {t.run.data for t in self.tasks}}

    def folder(self, task: Task) -> RunFolder:
        """Where a task's run is stored."""
        return self.folder_of(task.run)

    def folder_of(self, run: Run) -> RunFolder:
        """Where a run is stored."""
        if run.data not in self.digests:
            self.digests[run.data] = run.data.digest(self.sources)
        return self.store.run(run_id(run, self.digests[run.data]))

    def status(self, task: Task) -> Status:
        """How far a task is."""
        return status(task, self.folder(task), self.experiment)

    def adopt(self) -> list[str]:
        """Copies runs that others have published instead of training them; returns their names.

        Only what nobody has begun to train here.
        """
        names = []
        for task in self.tasks:
            folder = self.folder(task)
            for store in self.references if folder.spec() is None else ():
                if store.run(folder.id).finished() is not None:
                    store.run(folder.id).copy_to(self.store)
                    names.append(task.name)
                    break
        return names

    def run(self) -> list[FtnoiseError]:
        """Trains what is missing; returns the failures."""
        pending = self.tasks
        self.coming = {task.run for task in pending}
        while pending:
            busy = []
            self.waiting.clear()
            for n, task in enumerate(pending):
                try:
                    done = self.attend(task, pending[n + 1 :])
                except FtnoiseError as failure:
                    self.fail(task, failure)
                    done = True
                if done:
                    self.coming.discard(task.run)
                else:
                    busy.append(task)
                if self.failures and self.fail_fast:
                    return self.failures
            if len(busy) == len(pending):
                elsewhere = next((one for one in busy if one.run not in self.waiting), busy[0])
                self.progress.say(f"Waiting for {elsewhere.name}, which another process trains.")
                self.folder(elsewhere).wait()
            pending = busy
        return self.failures

    def attend(self, task: Task, later: list[Task]) -> bool:
        """Trains and measures a task unless it is complete.

        False if another process is at it, or at a run that one of its measures needs.
        """
        from ftnoise.engine.runner import missing

        status = self.status(task)
        if status.complete:
            return True
        if not status.trained:
            self.train_together(task, later)
        with self.folder(task).locked() as mine:
            # Another process may have finished it before the lock was had.
            if not mine or (status := self.status(task)).complete:
                return mine
            asked, everything = self.ready(task), task.asked(self.experiment)
            behind = not status.trained or missing(self.folder(task), asked)
            if behind and not self.perform(status, later, asked):
                return True
            if len(asked) < len(everything):
                self.waiting.add(task.run)
            return len(asked) == len(everything)

    def ready(self, task: Task) -> list[Spec]:
        """What is asked of a task, without the measures whose other runs are still to come."""

        def comes(run: Run) -> bool:
            return run in self.coming and self.folder_of(run).finished() is None

        return [
            measure
            for measure in task.asked(self.experiment)
            if not any(map(comes, others(measure, task.run)))
        ]

    def train_together(self, task: Task, later: list[Task]) -> None:
        """Trains a task and later ones at once, where that can be done; they are measured later.

        If that fails, each is tried by itself.
        """
        from ftnoise.engine import runner

        key = task.stack_key
        same = [one for one in (task, *later) if key is not None and one.stack_key == key]
        names = f"{task.row.name} ({len(same)} runs)"

        def report(done: int, total: int, text: str) -> None:
            self.progress.update(f"{names}: {text}, {100 * done // total} %")

        with contextlib.ExitStack() as held:
            mine = []
            for one in same if len(same) > 1 else ():
                folder = self.folder(one)
                if folder.finished() is None and held.enter_context(folder.locked()):
                    folder.clean()
                    mine.append(one)
            mine = [one for one in mine if self.folder(one).finished() is None]
            if len(mine) < 2:
                return
            folders = [self.folder(one) for one in mine]
            checkpointings = [runner.FolderCheckpointing(folder, report) for folder in folders]
            runs = [one.run for one in mine]
            try:
                runner.train(runs, [self.data(run) for run in runs], folders, checkpointings)
            except Exception as failure:  # a run may fail in any way; the others must go on
                reason = str(failure).strip().splitlines() or [""]
                self.progress.say(f"{names}: one by one, as together they fail ({reason[0][:200]})")

    def perform(self, status: Status, later: list[Task], asked: list[Spec]) -> bool:
        """The rest of a run, with its line of outcome; False if it fails, and the others go on."""
        from ftnoise.engine.runner import FolderCheckpointing, perform

        task = status.task
        folder = self.folder(task)
        began = time.monotonic()
        marks: list[tuple[float, int]] = []
        known = True

        @cache
        def ahead() -> list[Status]:
            # Looked up when somebody is told of it: hundreds of short runs say nothing.
            return [self.status(other) for other in later]

        def report(done: int, total: int, text: str) -> None:
            # Speed counts from the first word: what a checkpoint brought back took no time.
            marks[1:] = [(time.monotonic(), done)]
            rest = ahead() if known else None
            self.progress.update(self.position(status, rest, marks, total, text))

        def begin_measure() -> None:
            nonlocal known
            marks.clear()
            # After a training, what was planned is no more than its last part.
            known = status.trained

        try:
            folder.clean()
            checkpointing = FolderCheckpointing(folder, report, xla=self.xla)
            data = self.data(task.run)
            perform(task.run, data, folder, asked, checkpointing, begin_measure, self.folder_of)
        except FtnoiseError as failure:
            self.fail(task, failure)
            return False
        except Exception as failure:  # a run may fail in any way; the others must go on
            folder.write_failure(traceback.format_exc())
            reason = str(failure).strip().splitlines() or [""]
            where = folder.path / "failure.log"
            text = f"{type(failure).__name__}: {reason[0][:200]} (details: {where})"
            self.fail(task, FtnoiseError(text))
            return False
        seconds = time.monotonic() - began
        self.planned, self.spent = self.planned + status.seconds, self.spent + seconds
        self.progress.say(f"{task.name}: {self.outcome(task)} ({duration(seconds)})")
        return True

    def position(
        self,
        status: Status,
        later: list[Status] | None,
        marks: list[tuple[float, int]],
        total: int,
        text: str,
    ) -> str:
        """`fmnist_dnn trades: epoch 3 of 100, 12 min left; 2 h 10 min for all`.

        `marks` are (time, steps done) at the first and at this progress of the task. `later` is
        None where nothing is known but the speed of this part.
        """
        task = status.task
        (since, start), (now, done) = marks[0], marks[-1]
        position = f"{task.name}: {text}, {100 * done // total} %"
        if later is None and done <= start:
            return position
        speed = (now - since) / (done - start) if done > start else status.seconds / total
        left = (total - done) * speed
        ratio = self.spent / self.planned if self.planned else speed * total / status.seconds
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
        """The first of the table's numbers of a run, in one line."""
        folder = self.folder(task)
        parts = []
        for column in self.experiment.columns[:SAID]:
            value = (folder.read_measure(spec_id(column.measure)) or {}).get(column.name)
            if value is not None:
                title = column.title[0].lower() + column.title[1:]
                parts.append(f"{title} {value:.{column.digits}f}")
        return ", ".join(parts) or "trained"


def status(task: Task, folder: RunFolder, experiment: Experiment) -> Status:
    """How far a task is, by what its run's folder holds."""
    from ftnoise.engine.runner import epochs_done, missing

    if folder.finished() is None:
        return Status(task, epochs=epochs_done(folder))
    return Status(task, trained=True, complete=not missing(folder, task.asked(experiment)))


def foreseen(
    experiment: Experiment,
    preset: Preset,
    todo: list[Task],
    store: Store,
    references: Sequence[Store] = (),
) -> list[Status]:
    """How far each task is, as far as that can be told without its data; see `Engine.status`.

    Runs in `references` count as trained, as they would be copied.
    """
    from ftnoise.engine.runner import epochs_done

    finished = {
        run.task.run: run.folder
        for place in (*references, store)
        for run in runs_of(experiment, preset, None, place)
    }
    begun = {digest(spec["run"]): folder for folder, spec in store.begun()}
    if wanted := {digest(canonical(task.run)): task.run for task in todo if task.beside}:
        for place in (*references, store):
            for there, spec in place.finished():
                if run := wanted.get(digest(spec["run"])):
                    finished[run] = there
    statuses = []
    for task in todo:
        if folder := finished.get(task.run):
            statuses.append(status(task, folder, experiment))
        elif folder := begun.get(digest(canonical(task.run))):
            statuses.append(Status(task, epochs=epochs_done(folder)))
        else:
            statuses.append(Status(task))
    return statuses
