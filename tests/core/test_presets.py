from __future__ import annotations

import dataclasses

import pytest

from ftnoise.core.experiment import run_id
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import PRESETS, Preset
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import Spec
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD

RUN = Run(
    architecture=Spec(),
    data=Spec(),
    training=Spec(),
    schedule=Schedule(
        epochs=100, batch_size=128, learning_rate=0.1, momentum=0.9, drops=(55, 75, 90)
    ),
    seed=2,
)


def test_paper_is_the_first_and_leaves_a_run_as_it_is():
    assert next(iter(PRESETS)) == "paper"
    assert PRESETS["paper"].apply(RUN) == RUN


def test_each_preset_makes_a_run_of_its_own_that_differs_in_schedule_and_sizes_alone():
    made = [preset.apply(RUN) for preset in PRESETS.values()]
    assert len({run_id(run, "d") for run in made}) == len(PRESETS)
    for run in made:
        kept = dataclasses.replace(run, schedule=RUN.schedule, train_examples=None)
        assert dataclasses.replace(kept, test_examples=None) == RUN
        same_length = RUN.schedule.resized(run.schedule.epochs)
        rate = run.schedule.learning_rate
        assert run.schedule == dataclasses.replace(same_length, learning_rate=rate)


def test_a_secret_key_is_a_run_of_its_own_under_a_name_of_its_own():
    private = dataclasses.replace(RUN, training=Training(gradients=DPSGD(noise_multiplier=1)))
    for preset in PRESETS.values():
        secret = preset.with_secret_key()
        assert secret.name == f"{preset.name}-secret"
        assert secret.apply(private).training.gradients.secret_key
        assert run_id(secret.apply(private), "d") != run_id(preset.apply(private), "d")
        plain = dataclasses.replace(RUN, training=Training())
        assert secret.apply(plain) == preset.apply(plain)


def test_only_paper_is_whole_with_a_secret_key_or_without():
    whole = [name for name, preset in PRESETS.items() if preset.whole]
    assert whole == ["paper"]
    assert PRESETS["paper"].with_secret_key().whole


def test_smoke_is_one_epoch_on_a_few_images():
    run = PRESETS["smoke"].apply(RUN)
    assert run.schedule.epochs == 1
    assert run.train_examples <= 1000
    assert run.test_examples <= 1000


def test_quick_trains_less_and_is_tested_on_everything():
    run = PRESETS["quick"].apply(RUN)
    assert run.schedule.epochs * run.train_examples <= 100 * 60_000 / 10
    assert run.test_examples is None
    assert run.schedule.learning_rate == pytest.approx(3 * RUN.schedule.learning_rate)


def test_quick_does_not_turn_up_the_noise_in_the_gradients():
    private = dataclasses.replace(RUN, training=Training(gradients=DPSGD(noise_multiplier=1)))
    applied = PRESETS["quick"].apply(private)
    assert applied.schedule.learning_rate == RUN.schedule.learning_rate
    assert applied.train_examples == 3000


@pytest.mark.parametrize(
    ("share", "own", "epochs"),
    [(0.5, 100, 50), (1.5, 10, 15), (0.5, 1, 1), (0.001, 100, 1), (None, 100, 1)],
)
def test_a_share_of_the_epochs_is_at_least_one(share, own, epochs):
    run = dataclasses.replace(RUN, schedule=RUN.schedule.resized(own))
    applied = Preset(name="share", summary="", epochs=share).apply(run)
    assert applied.schedule.epochs == epochs


@pytest.mark.parametrize(
    ("own", "most", "taken"), [(None, None, None), (None, 5, 5), (3, 5, 3), (9, 5, 5), (9, None, 9)]
)
def test_a_preset_takes_at_most_what_the_run_takes(own, most, taken):
    preset = Preset(name="few", summary="", train_examples=most, test_examples=most)
    run = preset.apply(dataclasses.replace(RUN, train_examples=own, test_examples=own))
    assert (run.train_examples, run.test_examples) == (taken, taken)


def test_applying_a_preset_that_sets_sizes_twice_is_applying_it_once():
    smoke = PRESETS["smoke"]
    assert smoke.apply(smoke.apply(RUN)) == smoke.apply(RUN)


def test_names_are_what_is_typed_and_summaries_are_one_line():
    for name, preset in PRESETS.items():
        assert name == preset.name
        assert preset.summary
        assert "\n" not in preset.summary
