from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.core.preset import Preset
from ftnoise.core.schedule import INTERVALS, STEPS_PER_INTERVAL, Schedule
from tests.core.made import SCHEDULE


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Schedule(100, 128, 0.1)


def test_the_last_batch_of_an_epoch_may_be_smaller():
    assert [SCHEDULE.steps_per_epoch(n) for n in (1, 128, 129, 60_000)] == [1, 1, 2, 469]


@pytest.mark.parametrize(
    ("drops", "epochs", "expected"),
    [
        ((55, 75, 90), 100, (55, 75, 90)),
        ((55, 75, 90), 200, (109, 149, 179)),
        ((51, 76), 20, (11, 16)),
        ((), 7, ()),
        ((1,), 10, (1,)),
    ],
)
def test_a_resized_schedule_keeps_the_relative_places_of_its_drops(drops, epochs, expected):
    schedule = dataclasses.replace(SCHEDULE, drops=drops)
    assert schedule.resized(epochs) == dataclasses.replace(schedule, epochs=epochs, drops=expected)


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.lists(st.integers(1, 300), unique=True, max_size=5).map(sorted).map(tuple),
)
def test_any_schedule_can_be_resized(epochs, other, drops):
    schedule = dataclasses.replace(SCHEDULE, epochs=epochs, drops=drops)
    resized = schedule.resized(other)
    assert resized.epochs == other
    assert len(resized.drops) == len(drops)
    assert schedule.resized(epochs) == schedule


@pytest.mark.parametrize(
    ("epochs", "batch_size", "examples", "interval"),
    [
        (4000, 30, 30, 50),  # 64 steps at most, of the divisors of 4,000
        (100, 128, 60_000, 1),
        (100, 30, 30, 1),  # 80 intervals at least
        (160, 30, 30, 2),
    ],
)
def test_short_epochs_share_a_log_interval(epochs, batch_size, examples, interval):
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=0.1)
    assert schedule.epochs_per_interval(examples) == interval


@given(st.integers(1, 5000), st.integers(1, 100), st.integers(1, 1000))
def test_a_log_interval_divides_the_epochs_and_keeps_its_bounds(epochs, batch_size, examples):
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=0.1)
    interval = schedule.epochs_per_interval(examples)
    assert epochs % interval == 0
    if interval > 1:
        assert interval * schedule.steps_per_epoch(examples) <= STEPS_PER_INTERVAL
        assert epochs // interval >= INTERVALS


@pytest.mark.parametrize(
    ("share", "own", "epochs"),
    [(0.5, 100, 50), (1.5, 10, 15), (0.5, 1, 1), (0.001, 100, 1), (None, 100, 1)],
)
def test_a_share_of_the_epochs_is_at_least_one(share, own, epochs):
    preset = Preset(name="share", summary="", epochs=share)
    assert SCHEDULE.resized(own).scaled(preset).epochs == epochs


def test_batches_are_limited():
    scaled = SCHEDULE.scaled(Preset(name="few", summary="", batch_size=3))
    assert scaled == dataclasses.replace(SCHEDULE, batch_size=3)
    assert SCHEDULE.scaled(Preset(name="many", summary="", batch_size=999)) == SCHEDULE
