"""Many runs: train what a table still lacks.

Two processes on one folder share the work: each trains what nobody else is training, and waits
for the rest at the end.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ftnoise.errors import FtnoiseError, RunFailed
from ftnoise.plan import Standing, Task
from ftnoise.presets import Preset
from ftnoise.progress import Progress, duration
from ftnoise.spec import Experiment, Run, canonical, digest, run_id, spec_id
from ftnoise.stored import runs_of

if TYPE_CHECKING:
    from ftnoise.store import RunFolder, Store

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
        """The first of the table's numbers of a run, in one line."""
        folder = self.folder(task)
        parts = []
        for column in self.experiment.columns[:SAID]:
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


def foreseen(
    experiment: Experiment,
    preset: Preset,
    todo: list[Task],
    store: Store,
    references: Sequence[Store] = (),
) -> list[Standing]:
    """How far each task is, as far as that can be told without its data; see `Engine.standing`.

    Runs in `references` count as trained, as they would be copied.
    """
    from ftnoise.runner import epochs_done

    finished = {
        run.task.run: run.folder
        for place in (*references, store)
        for run in runs_of(experiment, preset, None, place)
    }
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
