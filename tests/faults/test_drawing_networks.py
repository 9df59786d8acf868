"""A network that draws makes one draw for each trial, which repeats exactly."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.faults.agreement import agreement
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.injection import injected
from ftnoise.faults.outcomes import OUTCOMES, Outcomes
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from ftnoise.layers.drawing import StochasticLayer, forward
from tests.faults.networks import bits, run

NONE = Share(rate=0.0)


class Noise(StochasticLayer):
    """Adds Gaussian noise, in inference too."""

    def call(self, inputs):
        return inputs + tf.random.stateless_normal(tf.shape(inputs), self.seed())


def network(seed=0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            layers.InputLayer((6,)),
            layers.Dense(8, activation="relu", name="first"),
            Noise(stream="noise"),
            layers.Dense(7, activation="relu", name="second"),
            layers.Dense(4, name="last"),
        ]
    )


X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
Y = np.arange(40) % 4
FAULTS = [
    "weights:stuck_at=0:0.3",
    "weights=first:sign_flip:0.5",
    "weights=last:sign_flip:0.5",
    "neurons:stuck_at=0:0.3",
    "neurons:drift=0.5:0.5:transient",
]


@pytest.mark.parametrize("text", FAULTS)
def test_the_same_campaign_twice_has_the_same_bits(text):
    model = network()
    before = bits(model)
    found = [run(Campaign(model, X, Y, parse_fault(text), seed=3), range(5)) for _ in range(2)]
    for name, values in found[0].to_arrays().items():
        np.testing.assert_array_equal(found[1].to_arrays()[name], values)
    assert bits(model) == before


@pytest.mark.parametrize("text", FAULTS)
def test_each_trial_is_that_of_the_naive_loop_with_its_key(text):
    model, fault = network(), parse_fault(text)
    campaign = Campaign(model, X, Y, fault, seed=3)
    for number in range(3):
        with injected(model, fault, seed=3, trial=number):
            expected = forward(model, tf.constant(X), campaign.network_draw(number))
        outputs = campaign.outputs(number, fault.rate)
        np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_each_trial_has_a_draw_of_its_own_and_the_golden_network_that_of_the_first():
    campaign = Campaign(network(), X, Y, parse_fault("weights:stuck_at=0:0.3"), seed=3)
    drawn = [campaign.outputs(number, NONE) for number in range(3)]
    np.testing.assert_array_equal(drawn[0], campaign.golden)
    assert np.abs(drawn[1] - drawn[0]).max() > 0.1
    assert np.abs(drawn[2] - drawn[1]).max() > 0.1
    other = Campaign(network(), X, Y, parse_fault("weights:stuck_at=0:0.3"), seed=4)
    assert np.abs(other.golden - campaign.golden).max() > 0.1


@pytest.mark.parametrize("text", FAULTS)
def test_a_trial_is_compared_with_the_same_draw_without_faults(text):
    campaign, rate = Campaign(network(), X, Y, parse_fault(text), seed=3), parse_fault(text).rate
    clean = [campaign.outputs(number, NONE) for number in range(3)]
    faulty = [campaign.outputs(number, rate) for number in range(3)]
    # Side by side in one call as one by one.
    found = campaign.run(range(3), rate)
    expected = [np.linalg.norm(a - b, axis=1).mean() for a, b in zip(clean, faulty, strict=True)]
    np.testing.assert_allclose(found.output_deviation_mean, expected, rtol=1e-5)
    right = [(one.argmax(axis=1) == Y).sum() for one in clean]
    assert found.golden_right.tolist() == right
    assert len({*right}) > 1
    masked = campaign.run(range(3), NONE)
    assert masked.output_deviation_max.tolist() == [0, 0, 0]
    assert masked.outcomes[:, list(OUTCOMES).index("masked_rate")].tolist() == [len(Y)] * 3
    outcomes = Outcomes([rate], campaign.correct, Y, [found.to_arrays()])
    assert outcomes.golden_accuracy == pytest.approx(100 * np.mean(right) / len(Y))


def test_without_faults_it_agrees_with_keras():
    found = agreement(Campaign(network(), X, Y, parse_fault("weights:stuck_at=0:0.3"), seed=3))
    assert found.exceptions == 0
    assert found.difference < 1e-4


def test_what_lies_before_the_first_draw_is_computed_once():
    campaign = Campaign(network(), X, Y, parse_fault("weights=last:sign_flip:0.5"))
    assert [step.layer.name for step in campaign.faulty.before] == ["first"]
