"""Which runs a table asks for, how far they are, and how long the rest takes."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.cli import main as cli
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.engine import plan
from ftnoise.engine.plan import Status
from tests import fake

PAPER = PRESETS["paper"]
ROWS = [row.name for row in fake.TABLE.rows]


def test_tasks_are_all_rows_with_the_first_seed_then_all_with_the_next():
    todo = plan.tasks(fake.TABLE, PAPER, 2, None)
    assert [task.name for task in todo] == [*ROWS, *(f"{name} (seed 1)" for name in ROWS)]
    assert plan.tasks(fake.TABLE, PRESETS["smoke"], 1, None)[0].run.schedule.epochs == 1


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("small", ["small natural", "small noisy"]),
        ("*natural", ["small natural", "large natural"]),
        ("small n?isy", ["small noisy"]),
        (" ", ROWS),
        ("*", ROWS),
    ],
)
def test_rows_are_chosen_by_a_pattern_or_a_part_of_the_name(pattern, names):
    assert [task.row.name for task in plan.tasks(fake.TABLE, PAPER, 1, pattern)] == names


@pytest.mark.parametrize("pattern", ["smal_", ""])
def test_rows_that_are_not_there_are_refused(pattern):
    with pytest.raises(BadInput, match=f"--rows to match one of: small natural, .*'{pattern}'"):
        plan.tasks(fake.TABLE, PAPER, 1, pattern)


def test_no_seed_and_more_than_anyone_can_train_are_refused():
    for seeds in (0, plan.MOST_SEEDS + 1):
        with pytest.raises(BadInput, match=f"--seeds .* Received: {seeds}"):
            plan.tasks(fake.TABLE, PAPER, seeds, None)
    assert len(plan.tasks(fake.TABLE, PAPER, plan.MOST_SEEDS, "noisy")) == plan.MOST_SEEDS


def test_a_standing_in_words_and_the_seconds_of_the_rest():
    (task, *_) = plan.tasks(fake.TABLE, PAPER, 1, None)
    epoch = plan.EPOCH_SECONDS + 4 * task.row.step_seconds
    for status, words, seconds in (
        (Status(task), "4 epochs", plan.RUN_SECONDS + 4 * epoch),
        (Status(task, epochs=3), "goes on after epoch 3 of 4", plan.RUN_SECONDS + epoch),
        (Status(task, epochs=4), "goes on after epoch 4 of 4", plan.RUN_SECONDS),
        (Status(task, trained=True), "to measure", plan.RUN_SECONDS),
        (Status(task, trained=True, complete=True), "there already", 0.0),
    ):
        assert str(status) == words
        assert status.seconds == pytest.approx(seconds)
    assert task.seconds == Status(task).seconds


def test_the_estimate_is_that_of_the_rest_on_this_machine_and_nothing_for_nothing(monkeypatch):
    monkeypatch.setattr(plan, "speed_probe", lambda: 2 * plan.REFERENCE_PROBE_SECONDS)
    one, two, three = plan.tasks(fake.TABLE, PAPER, 1, None)
    done = Status(one, trained=True, complete=True)
    assert plan.estimate([]) == plan.estimate([done]) == 0
    left = [Status(two, epochs=2), Status(three)]
    seconds = sum(status.seconds for status in left)
    assert plan.estimate([done, *left]) == pytest.approx(plan.STARTUP_SECONDS + 2 * seconds)


def test_smaller_batches_and_shorter_attacks_are_expected_to_take_less():
    table4 = cli.experiment("table4")
    few = dataclasses.replace(PAPER, name="few", attack_steps=1)
    small = dataclasses.replace(PAPER, name="small", batch_size=16)
    for preset, shares in ((PAPER, (1.0, 1.0)), (few, (1.0, 7 / 25)), (small, (0.2125, 0.2125))):
        for name, share in zip(("natural", "pgd"), shares, strict=True):
            (task,) = plan.tasks(table4, preset, 1, name)
            run = dataclasses.replace(task.run, train_examples=1280)
            status = Status(dataclasses.replace(task, run=run, passes=0))
            epochs, steps = run.schedule.epochs, 1280 // run.schedule.batch_size
            known = plan.RUN_SECONDS + epochs * (
                plan.EPOCH_SECONDS + steps * share * task.row.step_seconds
            )
            assert status.seconds == pytest.approx(known)
