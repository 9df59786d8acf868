"""Transient faults of neurons in layers that are called several times, or that XLA compiles."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from ftnoise.core.errors import BadInput
from ftnoise.faults.callback import FaultInjection
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault
from tests.faults.networks import CLASSES, bits, made

FAULT = "neurons:drift=0.5:0.5:transient"


def twice():
    """A layer that takes its own outputs, and another one that it takes in between."""
    keras.utils.set_random_seed(2)
    shared = layers.Dense(6, activation="relu", name="shared")
    inputs = keras.Input((6,))
    hidden = layers.Dense(6, activation="relu", name="between")(shared(inputs))
    return keras.Model(inputs, layers.Dense(CLASSES)(shared(shared(hidden))), name="twice")


X = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
Y = np.arange(20) % CLASSES


def assert_same(network, x, y):
    campaign = Campaign(network, x, y, parse_fault(FAULT), seed=3)
    wanted = campaign.outputs(1, campaign.fault.rate)
    assert np.abs(wanted - campaign.golden).max() > 0.1

    def eager():
        sizes = (slice(0, 8), slice(8, 20), slice(20, None))
        parts = [[one[size] for one in x] if isinstance(x, list) else x[size] for size in sizes]
        return np.concatenate([network(part).numpy() for part in parts])

    for outputs in (eager, lambda: network.predict(x, batch_size=7, verbose=0)):
        with injected(network, FAULT, seed=3, trial=1):
            found = outputs()
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_layer_that_is_called_again_has_the_same_faults_for_an_example():
    assert_same(twice(), X, Y)


def test_so_has_a_layer_of_two_inputs_and_a_model_inside():
    assert_same(*made("nested"))


def test_a_call_that_is_only_traced_changes_nothing_for_the_next():
    network = twice()
    campaign = Campaign(network, X, Y, parse_fault(FAULT), seed=3)
    wanted = campaign.outputs(0, campaign.fault.rate)
    with injected(network, FAULT, seed=3):
        network.get_layer("shared")(keras.Input((6,)))
        found = network(X).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def compiled():
    network = twice()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile("sgd", loss, jit_compile=True)
    return network


def test_a_model_that_xla_compiles_is_refused_before_it_starts():
    network = compiled()
    before = bits(network)
    expected = r"twice.compile\(\.\.\., jit_compile=False\)\. Received: jit_compile=True\.$"
    with pytest.raises(BadInput, match=expected) as refused, injected(network, FAULT):
        pass
    assert "\n" not in str(refused.value)
    with pytest.raises(BadInput, match=expected):
        network.fit(X, Y, verbose=0, callbacks=[FaultInjection(FAULT, schedule=0.5)])
    assert bits(network) == before


def test_permanent_faults_and_campaigns_take_it():
    network = compiled()
    with injected(network, "neurons:stuck_at=9:0.5"):
        assert np.isfinite(network.predict(X, verbose=0)).all()
    campaign = Campaign(network, X, Y, parse_fault(FAULT))
    assert campaign.run(range(2), campaign.fault.rate).faults.tolist() == [6, 6]
