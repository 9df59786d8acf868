"""What an experiment needs: its runs, and how far each of them is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ftnoise.core.experiment import Experiment, Row, seedless
from ftnoise.core.interfaces import Measure, Run
from ftnoise.core.spec import canonical, digest


@dataclass(frozen=True)
class Task:
    """One run of a table: a row with one seed.

    `auxiliary`: trained only because another run starts from it, or a measure needs it.
    """

    row: Row
    run: Run
    auxiliary: bool = False

    @property
    def name(self) -> str:
        """The row, and the seed unless it is the first."""
        remarks = [f"seed {self.run.seed}"] if self.run.seed else []
        remarks += ["auxiliary"] if self.auxiliary else []
        return f"{self.row.name} ({', '.join(remarks)})" if remarks else self.row.name

    @property
    def group(self) -> str:
        """Identifies the tasks that one process should do: they have the first of the work in
        common (`Procedure.beginning`), whatever their numbers of epochs.
        """
        return digest(canonical(self.run.first_epoch(self.run.training.beginning)))

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        """The measures of its trained network."""
        return () if self.auxiliary else experiment.measures()


@dataclass(frozen=True)
class Status:
    """How far a task is: trained, and complete if all measures of the table are stored too.

    `position` is where an interrupted training resumes, such as "epoch 3 of 10", `finished` when
    the training was, in UTC, and `failure` why the last attempt failed; each may be "". `running`
    is whether a process works on it now.
    """

    task: Task
    position: str = ""
    trained: bool = False
    complete: bool = False
    finished: str = ""
    running: bool = False
    failure: str = ""

    def __str__(self) -> str:
        if self.complete:
            return "stored"
        if self.trained:
            return "to measure"
        epochs = self.task.run.schedule.epochs
        if self.position:
            return f"resumes after {self.position}"
        return "1 epoch" if epochs == 1 else f"{epochs} epochs"


def tasks(experiment: Experiment, seeds: int, rows: str | None = None) -> list[Task]:
    """The runs of a table: all rows with the first seed, then all with the second, ...

    Before them stand the auxiliary runs that they need. The experiment is within the
    limits of its preset, and `rows` a pattern of row names; see `Experiment.matching`.
    """
    todo = [
        Task(row, dataclasses.replace(run, seed=seed))
        for seed in range(seeds)
        for row in experiment.matching(rows)
        for run in experiment.draws(row)
    ]
    return [*_auxiliary(experiment, todo), *todo]


def groups(tasks: list[Task]) -> list[list[Task]]:
    """The tasks by `Task.group`, in the order of their first ones; in each, by epochs."""
    found: dict[str, list[Task]] = {}
    for task in tasks:
        found.setdefault(task.group, []).append(task)
    return [sorted(group, key=lambda task: task.run.schedule.epochs) for group in found.values()]


def shard(experiment: Experiment, tasks: list[Task], number: int, of: int) -> list[Task]:
    """The part `number` of `of`, from 1, of the tasks; a group is in one part.

    The runs of other parts that they need come first, as auxiliary tasks.
    """
    todo = [task for task in tasks if not task.auxiliary]
    part = [task for group in groups(todo)[number - 1 :: of] for task in group]
    return [*_auxiliary(experiment, part), *part]


def _auxiliary(experiment: Experiment, todo: list[Task]) -> list[Task]:
    needed: dict[Run, Row] = {}  # and the row of the first that needs it
    for task in todo:
        for run in experiment.others(task.run):
            needed.setdefault(run, task.row)
    if not needed:
        return []
    own = {task.run for task in todo}
    rows = {seedless(canonical(row.run)): row for row in experiment.rows}
    found = []
    for run, row in needed.items():
        if run not in own:
            name = f"{run.architecture.slug} {run.training.slug}"
            new = dataclasses.replace(row, name=name, run=run)
            found.append(Task(rows.get(seedless(canonical(run)), new), run, auxiliary=True))
    return found
