"""Which runs an experiment needs, and how far they are."""

from __future__ import annotations

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.engine import plan
from ftnoise.engine.executor import foreseen
from ftnoise.engine.plan import Status
from tests import fake
from tests.engine.running import ROWS, engine, run, stopped
from tests.fake.against import table

# One for each architecture: rows of the same share it.
AUXILIARY = ["small natural (seed 1, auxiliary)", "large natural (seed 1, auxiliary)"]


def test_tasks_are_all_rows_with_the_first_seed_then_all_with_the_next():
    todo = plan.tasks(fake.TABLE, 2)
    assert [task.name for task in todo] == [*ROWS, *(f"{name} (seed 1)" for name in ROWS)]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("small", ["small natural", "small noisy"]),
        ("*natural", ["small natural", "large natural"]),
        ("small n?isy", ["small noisy"]),
        ("*", ROWS),
    ],
)
def test_rows_are_chosen_by_a_pattern_or_a_part_of_the_name(pattern, names):
    assert [task.row.name for task in plan.tasks(fake.TABLE, 1, pattern)] == names


@pytest.mark.parametrize("pattern", ["smal_", ""])
def test_rows_that_do_not_exist_are_refused(pattern):
    with pytest.raises(BadInput, match=f"rows to match one of: small natural, .*'{pattern}'"):
        plan.tasks(fake.TABLE, 1, pattern)


def test_auxiliary_runs_come_first_once_and_are_only_trained():
    todo = plan.tasks(table(), 1)
    assert [task.name for task in todo] == [*AUXILIARY, *ROWS]
    assert [task.auxiliary for task in todo] == [True, True, False, False, False]
    assert todo[0].measures(table()) == ()
    assert todo[0].run.seed == 1
    # With a second seed the natural rows are what the first seed needs.
    names = [task.name for task in plan.tasks(table(), 2, "natural")]
    assert names[:2] == [name.replace("1", "2") for name in AUXILIARY]
    assert len(names) == len(set(names)) == 6
    # Those that are no row of the table are named by what they are.
    names = [task.name for task in plan.tasks(table(other="elsewhere"), 1, "small noisy")]
    assert names == ["units2 elsewhere (seed 1, auxiliary)", "small noisy"]


def test_auxiliary_runs_are_under_the_preset_too():
    for name, epochs in (("paper", 4), ("smoke", 1)):
        todo = plan.tasks(table().scaled(PRESETS[name]), 1)
        assert {task.run.schedule.epochs for task in todo} == {epochs}


def test_a_status_in_words():
    (task, *_) = plan.tasks(fake.TABLE, 1)
    for status, words in (
        (Status(task), "4 epochs"),
        (Status(task, position="epoch 3 of 4"), "resumes after epoch 3 of 4"),
        (Status(task, trained=True), "to measure"),
        (Status(task, trained=True, complete=True), "stored"),
    ):
        assert str(status) == words


@pytest.mark.usefixtures("fake_environment")
def test_the_status_of_each_run_with_and_without_its_data(store):
    run(store, rows="large")
    with stopped(after=2):
        run(store, rows="small natural")
    work = engine(store)
    # The fake reports its progress after it has saved.
    words = ["resumes after epoch 1", "4 epochs", "stored"]
    assert [str(work.status(task)) for task in work.tasks] == words
    assert [
        str(status) for status in foreseen(fake.TABLE, work.tasks, store, keep_weights=True)
    ] == words
    work.folder(work.tasks[2]).drop_measures()
    assert str(work.status(work.tasks[2])) == "to measure"
