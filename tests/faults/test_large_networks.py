"""Networks with many sites and many layers: few sites, and calls as large as memory allows."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from ftnoise.core.errors import BadInput
from ftnoise.faults import campaign as campaigns
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault
from tests.faults.networks import CLASSES, bits, made, right_now, run


@pytest.fixture
def many(monkeypatch):
    """All networks have many sites, and all sites come from the stream."""
    monkeypatch.setattr("ftnoise.faults.trials.MANY_SITES", 1)
    monkeypatch.setattr("ftnoise.faults.trials.FIRST_SHARE", 0.5)


FAULTS = (
    "weights:bit_flip:n=1",
    "weights:bit_flip=30:n=9",
    "parameters:drift=0.5:0.1",
    "weights:stuck_at=2:n=3",
    "weights:sign_flip:0.6",  # beyond the stream
    "neurons:stuck_at_zero:n=2",
    "filters:random_value:n=2",
)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("text", FAULTS)
def test_few_sites_of_many_are_those_of_the_naive_loop(text):
    network, x, y = made("convolutions")
    fault = parse_fault(text)
    campaign = Campaign(network, x, y, fault, seed=2, trials_per_call=2)
    before, results = bits(network), run(campaign, range(5))
    for number in range(5):
        with injected(network, fault, seed=2, trial=number) as trial:
            outputs, correct = right_now(network, x, y)
            put = not all(np.isfinite(weight).all() for weight in network.get_weights())
        found = campaign.outputs(number, fault.rate)
        np.testing.assert_allclose(found, outputs, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(results.correct[number], correct)
        assert results.faults[number] == trial.count
        if "neurons" not in text:
            assert results.values_not_finite[number] == put
    assert bits(network) == before


@pytest.mark.usefixtures("many")
def test_only_the_parameters_that_are_hit_are_computed(monkeypatch):
    network, x, y = made("convolutions")
    campaign = Campaign(network, x, y, parse_fault("weights:sign_flip:n=1"), seed=2)
    monkeypatch.setattr(campaign, "_parameters", None)
    trial = campaign.sampler.trial(0, campaign.fault.rate)
    values, finite = campaign._inputs_of(trial)
    assert bool(finite)
    changed = [
        (value.numpy() != target.variable.numpy()).sum()
        for value, target in zip(values, campaign.targets, strict=True)
    ]
    assert sorted(changed) == [0, 0, 0, 1]


@pytest.mark.usefixtures("many")
def test_the_parameters_of_a_network_that_is_trained_on_are_read_anew():
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse_fault("weights:stuck_at=1:n=1"), seed=2)
    network.layers[-1].kernel.assign_add(network.layers[-1].kernel)
    campaign.refresh()
    with injected(network, campaign.fault, seed=2):
        expected = right_now(network, x, y)[0]
    np.testing.assert_allclose(campaign.outputs(0, campaign.fault.rate), expected, rtol=1e-5)


def deep(depth):
    same = [layers.Dense(16, activation="relu") for _ in range(depth)]
    return keras.Sequential([layers.InputLayer((16,)), *same, layers.Dense(CLASSES)])


def test_the_examples_of_a_call_do_not_shrink_with_the_depth(monkeypatch):
    # What two layers give, in four bytes a number, for each of four trials.
    monkeypatch.setattr(campaigns, "CALL_BYTES", 10 * 4 * (16 + 16) * campaigns.TRIALS)
    x, y = np.zeros((50, 16), np.float32), np.zeros(50, int)
    fault = parse_fault("weights:sign_flip:n=1")
    sizes = [Campaign(deep(depth), x, y, fault).examples_per_call for depth in (2, 9)]
    assert sizes == [10, 10]


def test_what_a_later_layer_takes_is_kept_until_then():
    inputs = keras.Input((16,))
    first = layers.Dense(16)(inputs)
    last = layers.Dense(16)(layers.Dense(16)(first))
    network = keras.Model(inputs, layers.Dense(CLASSES)(layers.Add()([first, last])))
    x, y = np.zeros((50, 16), np.float32), np.zeros(50, int)
    campaign = Campaign(network, x, y, parse_fault("weights:sign_flip:n=1"))
    assert campaign.faulty.alive_bytes == 4 * 3 * 16


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True])
def test_no_such_number_of_examples(wrong):
    network, x, y = made("dense")
    with pytest.raises(BadInput, match="examples_per_call to be an integer >= 1 or None"):
        Campaign(network, x, y, parse_fault("weights:sign_flip:n=1"), examples_per_call=wrong)
