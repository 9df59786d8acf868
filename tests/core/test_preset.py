"""A preset limits runs, measures and whole experiments, and leaves everything else."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column, Experiment, Row, run_id
from ftnoise.core.preset import PRESETS, Preset, limited
from tests.core.made import RUN, SCHEDULE, Count, Noise, Random, Way

NAMES = list(PRESETS)
each_preset = pytest.mark.parametrize("preset", PRESETS.values(), ids=NAMES)


@pytest.mark.parametrize(
    ("own", "most", "taken"), [(None, None, None), (None, 5, 5), (3, 5, 3), (9, 5, 5), (9, None, 9)]
)
def test_the_smaller_size_counts(own, most, taken):
    assert limited(own, most) == taken
    preset = Preset(name="few", summary="", train_examples=most, test_examples=most)
    run = dataclasses.replace(RUN, train_examples=own, test_examples=own).scaled(preset)
    assert (run.train_examples, run.test_examples) == (taken, taken)


def test_paper_is_the_first_and_leaves_a_run_as_it_is():
    assert NAMES == ["paper", "quick", "smoke"]
    assert RUN.scaled(PRESETS["paper"]) == RUN


def test_each_preset_makes_a_run_of_its_own_that_differs_in_schedule_and_sizes_alone():
    made = {name: RUN.scaled(preset) for name, preset in PRESETS.items()}
    assert len({run_id(run, "d") for run in made.values()}) == len(PRESETS)
    for run in made.values():
        kept = dataclasses.replace(run, schedule=SCHEDULE, train_examples=None, test_examples=None)
        assert dataclasses.replace(kept, training=RUN.training) == RUN
        same_length = SCHEDULE.resized(run.schedule.epochs)
        rate = run.schedule.learning_rate
        assert run.schedule == dataclasses.replace(same_length, learning_rate=rate)


def test_smoke_is_one_epoch_on_a_few_images():
    run = RUN.scaled(PRESETS["smoke"])
    assert run.schedule.epochs == 1
    assert run.train_examples <= 1000
    assert run.test_examples <= 1000


def test_quick_trains_and_tests_on_fewer_images():
    run = RUN.scaled(PRESETS["quick"])
    assert run.schedule.epochs * run.train_examples <= 100 * 60_000 / 10
    assert run.test_examples == 2000
    assert run.schedule.learning_rate == pytest.approx(3 * SCHEDULE.learning_rate)
    assert run.training.steps == 2


def test_the_rate_is_not_raised_where_it_would_raise_the_noise_of_the_gradients():
    noisy = dataclasses.replace(RUN, training=Way(key=True)).scaled(PRESETS["quick"])
    assert noisy.schedule.learning_rate == SCHEDULE.learning_rate
    assert noisy.schedule.epochs == 50


def test_limits_apply_once():
    smoke = PRESETS["smoke"]
    assert RUN.scaled(smoke).scaled(smoke) == RUN.scaled(smoke)


def test_a_spec_scales_its_fields_and_is_the_same_object_without_any():
    few = Preset(name="few", summary="", attack_steps=2, trials=3)
    assert Noise(inner=Way()).scaled(few) == Noise(inner=Way(steps=2))
    assert Noise(inner=Noise(inner=Count())).scaled(few).inner.inner == Count(trials=3)
    spec = Noise(sizes=(1, 2))
    assert spec.scaled(few) is spec


@pytest.mark.parametrize(
    "limit",
    [
        {"epochs": 0.5},
        {"epochs": None},
        {"rate": 2.0},
        {"batch_size": 2},
        {"attack_steps": 2},
        {"train_examples": 2},
        {"test_examples": 2},
        {"trials": 2},
        {"attacked": 2},
    ],
    ids=str,
)
def test_any_limit_makes_it_less_than_the_whole_protocol(limit):
    assert not Preset(name="a", summary="b", **limit).whole


@each_preset
def test_only_paper_is_whole_and_variants_have_names_of_their_own(preset):
    assert preset.whole == (preset.name == "paper")
    secret = preset.with_secret_key()
    assert (secret.name, secret.secret_key) == (f"{preset.name}-secret", True)
    assert secret.whole == preset.whole
    assert preset.with_data_seeds(1) is preset
    three = preset.with_data_seeds(3)
    assert (three.name, three.data_seeds) == (f"{preset.name}-3-data-seeds", 3)
    for variant in (preset, secret, three):
        assert variant.summary
        assert "\n" not in variant.summary


@pytest.mark.parametrize("number", [0, -1, 1.5, "2"])
def test_the_number_of_data_seeds_is_checked(number):
    with pytest.raises(BadInput, match="--data-seeds to be at least 1"):
        PRESETS["paper"].with_data_seeds(number)


def test_a_preset_makes_one_complete_smaller_experiment():
    column = Column(name="x", measure=Count(), title="X")
    row = Row(name="a", run=dataclasses.replace(RUN, data=Random()), paper={"x": 1.0})
    whole = Experiment(name="t", title="T", source="S", rows=(row,), columns=(column,))
    assert whole.scaled(PRESETS["paper"]) == whole
    smoke = PRESETS["smoke"].with_data_seeds(2)
    small = whole.scaled(smoke)
    assert small.rows[0].run == row.run.scaled(smoke)
    assert small.rows[0].paper == row.paper
    assert small.columns[0].measure == Count(trials=2)
    assert [run.data.draw for run in small.draws(small.rows[0])] == [0, 1]


@pytest.mark.parametrize("adopted", [False, True])
def test_adopted_models_are_scaled_only_by_a_preset_that_trains_them(adopted):
    column = Column(name="x", measure=Count(), title="X")
    rows = (Row(name="a", run=RUN),)
    whole = Experiment(name="t", title="T", source="S", rows=rows, columns=(column,), adopts=True)
    preset = dataclasses.replace(PRESETS["smoke"], adopted=adopted)
    small = whole.scaled(preset)
    assert (small.rows == whole.rows) != adopted
    assert small.columns[0].measure == Count(trials=2)
