"""What a table asks for: its runs, how far each of them is, and how long the rest takes here."""

from __future__ import annotations

import dataclasses
import fnmatch
import time
from dataclasses import dataclass, replace
from typing import Any

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Experiment, Row, seedless
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import Preset
from ftnoise.core.spec import canonical

# Seconds for importing TensorFlow once; for compiling, measuring and storing each run; for
# testing, logging and a checkpoint each epoch.
STARTUP_SECONDS = 4.0
RUN_SECONDS = 3.0
# As the first, of a run that is trained with others at once.
STACKED_SECONDS = 0.3
EPOCH_SECONDS = 0.15
# That `Row.pass_seconds` are measured for.
PASS_EXAMPLES = 10_000
# What `speed_probe` takes on the two-core machine of the reference runs.
REFERENCE_PROBE_SECONDS = 0.0122
# Each seed is a training of every row.
MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Task:
    """One run of a table: a row under a preset, with one seed.

    `passes` are those over the test set that the table's measures take. One that is `beside` the
    table is only trained, for the measures of others.
    """

    row: Row
    run: Run
    passes: int = 0
    beside: bool = False

    @property
    def name(self) -> str:
        """The row, and the seed unless it is the first."""
        remarks = [f"seed {self.run.seed}"] if self.run.seed else []
        remarks += ["for others"] if self.beside else []
        return f"{self.row.name} ({', '.join(remarks)})" if remarks else self.row.name

    def asked(self, experiment: Experiment) -> tuple[Any, ...]:
        """What is asked of its trained model."""
        return () if self.beside else experiment.measures()

    @property
    def stack_key(self) -> str | None:
        """What it has in common with runs that can be trained at once with it; see `Training`."""
        found = getattr(self.run.training, "stack_key", None)
        return None if found is None else found(self.run)

    @property
    def seconds(self) -> float:
        """Expected duration on the machine of the reference runs."""
        return Status(self).seconds

    @property
    def is_whole(self) -> bool:
        """Whether the preset leaves the row's run as it is; of those some are published."""
        return replace(self.run, seed=self.row.run.seed) == self.row.run


@dataclass(frozen=True)
class Status:
    """How far a task is.

    Attributes:
        task: the task.
        epochs: how many are behind, as its checkpoint says.
        trained: whether its run is finished.
        complete: whether all measures of the table are there too.
    """

    task: Task
    epochs: int = 0
    trained: bool = False
    complete: bool = False

    @property
    def seconds(self) -> float:
        """Expected duration of the rest on the machine of the reference runs."""
        if self.complete:
            return 0.0
        run = self.task.run
        left = 0 if self.trained else max(0, run.schedule.epochs - self.epochs)
        steps = (run.steps() or 0) / run.schedule.epochs
        once, each = (
            RUN_SECONDS,
            EPOCH_SECONDS / run.schedule.passes_in_a_round(run.examples() or 1),
        )
        if self.task.stack_key:
            once, each = STACKED_SECONDS, 0.0
        step = self.task.row.step_seconds * _share_of_a_step(run, self.task.row.run)
        training = left * (each + steps * step)
        share = min(1.0, (run.test_examples or PASS_EXAMPLES) / PASS_EXAMPLES)
        return once + training + self.task.passes * share * self.task.row.pass_seconds

    def __str__(self) -> str:
        if self.complete:
            return "there already"
        if self.trained:
            return "to measure"
        epochs = self.task.run.schedule.epochs
        return (
            f"goes on after epoch {self.epochs} of {epochs}" if self.epochs else f"{epochs} epochs"
        )


def tasks(experiment: Experiment, preset: Preset, seeds: int, rows: str | None) -> list[Task]:
    """The runs of a table: all rows with the first seed, then all with the second, ...

    Before them stand the runs that their measures need and that are not among them.

    Args:
        experiment: the table.
        preset: how much of the protocol.
        seeds: number of seeds, 1 to `MOST_SEEDS`.
        rows: a pattern (`*trades`) or a part of a row's name; None takes all.

    Raises:
        BadInput: no row has that name.
    """
    check_seeds(seeds)
    chosen = [row for row in experiment.rows if rows is None or _matches(row.name, rows)]
    if not chosen:
        names = ", ".join(row.name for row in experiment.rows)
        raise BadInput(f"Expected --rows to match one of: {names}. Received: {rows!r}.")
    runs = [(row, run) for row in chosen for run in preset.runs(experiment, row)]
    if preset.secret_key and not any(run.training != row.run.training for row, run in runs):
        raise BadInput(
            "Expected --secret-key with rows that have noise in their gradients. "
            f"Received: {experiment.name}."
        )
    passes = sum(getattr(measure, "passes", 0) for measure in experiment.measures())
    todo = [
        Task(row, dataclasses.replace(run, seed=seed), passes)
        for seed in range(seeds)
        for row, run in runs
    ]
    return [*beside(experiment, todo), *todo]


def beside(experiment: Experiment, todo: list[Task]) -> list[Task]:
    """The runs that the measures of tasks need, without those that are among them."""
    own = {task.run for task in todo}
    rows = {seedless(canonical(row.run)): row for row in experiment.rows}
    found: dict[Run, Task] = {}
    for task in todo:
        pairs = zip(experiment.others(task.row.run), experiment.others(task.run), strict=True)
        for whole, run in pairs:
            name = f"{whole.architecture.slug} {whole.training.slug}"
            row = rows.get(
                seedless(canonical(whole)), dataclasses.replace(task.row, name=name, run=whole)
            )
            if run not in own:
                found.setdefault(run, Task(row, run, beside=True))
    return list(found.values())


def cost(todo: list[Task], adopts: bool) -> float:
    """Expected seconds of tasks that nobody has begun; `adopts` is the experiment's."""
    return sum(Status(task, trained=adopts and task.is_whole).seconds for task in todo)


def check_seeds(seeds: int | None) -> None:
    """Raises `BadInput` unless a number of seeds is 1 to `MOST_SEEDS` or left open."""
    if seeds is not None and seeds < 1:
        raise BadInput(f"Expected --seeds to be at least 1. Received: {seeds}.")
    if seeds is not None and seeds > MOST_SEEDS:
        raise BadInput(f"Expected --seeds to be at most {MOST_SEEDS:,}. Received: {seeds}.")


def _share_of_a_step(run: Run, whole: Run) -> float:
    """How long a step of a run takes, roughly, as a share of one of its row's own run.

    Presets make batches smaller and attacks shorter; neither makes all of a step cheaper.
    """
    size = min(1.0, run.schedule.batch_size / whole.schedule.batch_size)
    attacks = [_attack_steps(one.training) for one in (run, whole)]
    few, many = (5 + 2 * steps for steps in attacks)
    return (0.1 + 0.9 * size) * min(1.0, few / many)


def _attack_steps(training: Any) -> int:
    inputs = getattr(training, "inputs", None)
    return int(getattr(getattr(inputs, "attack", inputs), "steps", 0))


def _matches(name: str, pattern: str) -> bool:
    # Every name has the empty one as a part; nobody means that.
    return bool(pattern) and (pattern in name or fnmatch.fnmatchcase(name, pattern))


def estimate(statuses: list[Status]) -> float:
    """Seconds that the rest of the tasks will take on this machine, judged by a short probe."""
    left = [status for status in statuses if not status.complete]
    if not left:
        return 0.0
    speed = speed_probe() / REFERENCE_PROBE_SECONDS
    return STARTUP_SECONDS + speed * sum(status.seconds for status in left)


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
