"""Members under a preset: shorter attacks that reach as far, noise with a secret key."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.attacks.pgd import PGD
from ftnoise.core.experiment import run_id
from ftnoise.core.preset import PRESETS, Preset
from ftnoise.experiments.table5 import DNN as RUN
from ftnoise.training import with_slots
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.inputs.trades import TRADES

FEW = Preset(name="quick", summary="few", batch_size=3, attack_steps=2)


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
    found = with_slots(RUN, inputs=inputs).scaled(FEW).training.inputs
    assert (found.steps, found.step_size) == (steps, pytest.approx(size))
    assert dataclasses.replace(found, steps=inputs.steps, step_size=inputs.step_size) == inputs


def test_the_attack_of_adversarial_training_has_them():
    attack = PGD(attack_epsilon=0.1, steps=10, step_size=0.02)
    run = with_slots(RUN, inputs=AdversarialTraining(attack=attack)).scaled(FEW)
    assert run.training.inputs.attack == PGD(attack_epsilon=0.1, steps=2, step_size=0.1)


def test_members_without_an_attack_stay():
    for inputs in (None, GaussianNoise(sigma=0.1)):
        run = with_slots(RUN, inputs=inputs)
        assert run.scaled(FEW).training == run.training


def test_a_secret_key_is_a_run_of_its_own():
    private = with_slots(RUN, gradients=DPSGD(noise_multiplier=1))
    for preset in PRESETS.values():
        secret = private.scaled(preset.with_secret_key())
        assert secret.training.gradients.secret_key
        assert run_id(secret, "d") != run_id(private.scaled(preset), "d")
        assert RUN.scaled(preset.with_secret_key()) == RUN.scaled(preset)


def test_the_rate_of_dp_sgd_is_not_raised():
    private = with_slots(RUN, gradients=DPSGD(noise_multiplier=1)).scaled(PRESETS["quick"])
    assert private.schedule.learning_rate == RUN.schedule.learning_rate
    assert private.train_examples == 1500
