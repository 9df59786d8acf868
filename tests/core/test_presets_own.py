"""A table's own presets, and what they leave of batches and attacks."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.attacks.pgd import PGD
from ftnoise.cli import main as cli
from ftnoise.core import preset as presets
from ftnoise.core.preset import PRESETS, Preset
from ftnoise.training import Training
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.inputs.trades import TRADES
from tests.members import RUN

FEW = Preset(name="quick", summary="few", batch_size=3, attack_steps=2)


def run(inputs):
    return dataclasses.replace(RUN, training=Training(inputs=inputs))


def test_an_experiments_own_preset_stands_in_the_place_of_the_common_one():
    table4, table5 = cli.experiment("table4"), cli.experiment("table5")
    assert presets.named("quick", table4) == table4.presets[0] != PRESETS["quick"]
    assert presets.named("paper", table4) == PRESETS["paper"]
    assert presets.named("quick", table5) == PRESETS["quick"]
    assert all(own.name in PRESETS for own in table4.presets)


@pytest.mark.parametrize(
    ("inputs", "steps", "size"),
    [
        # The default is a quarter of the radius.
        (TRADES(attack_epsilon=0.1, steps=3), 2, 0.0375),
        (TRADES(attack_epsilon=0.1, steps=10), 2, 0.1),
        (TRADES(attack_epsilon=0.0, steps=10), 2, None),
        (TRADES(attack_epsilon=0.1, steps=10, step_size=0.01), 2, 0.05),
        # No step is longer than the radius.
        (TRADES(attack_epsilon=0.1, steps=10, step_size=0.03), 2, 0.1),
        (TRADES(attack_epsilon=0.1, steps=1, step_size=0.03), 1, 0.03),
    ],
)
def test_fewer_attack_steps_reach_as_far(inputs, steps, size):
    found = FEW.apply(run(inputs)).training.inputs
    assert (found.steps, found.step_size) == (steps, pytest.approx(size))
    assert dataclasses.replace(found, steps=inputs.steps, step_size=inputs.step_size) == inputs


def test_the_attack_of_adversarial_training_has_them():
    attack = PGD(attack_epsilon=0.1, steps=10, step_size=0.02)
    found = FEW.apply(run(AdversarialTraining(attack=attack))).training.inputs
    assert found.attack == PGD(attack_epsilon=0.1, steps=2, step_size=0.1)


def test_what_attacks_nothing_stays():
    for inputs in (None, GaussianNoise(sigma=0.1)):
        assert FEW.apply(run(inputs)).training == run(inputs).training
    assert FEW.apply(RUN).schedule.batch_size == min(3, RUN.schedule.batch_size)
    assert PRESETS["quick"].apply(run(TRADES(attack_epsilon=0.1))).training.inputs.steps == 3


def test_fewer_steps_are_not_the_whole():
    assert not Preset(name="a", summary="b", attack_steps=2).whole
    assert not Preset(name="a", summary="b", batch_size=2).whole
