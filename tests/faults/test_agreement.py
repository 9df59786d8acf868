"""A campaign that computes something else than Keras without faults is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults.agreement import agreement
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.faulty_network import FaultyNetwork
from ftnoise.faults.parsing import parse_fault
from tests.faults.networks import bits, made


def campaign(text, name="dense", **options) -> Campaign:
    network, x, y = made(name, **options)
    return Campaign(network, x, y, parse_fault(text))


@pytest.mark.parametrize("name", ["convolutions", "nested", "binary"])
def test_a_campaign_agrees_with_keras(name):
    right = campaign("neurons:stuck_at=0:0.5", name)
    before = bits(right.network)
    found = agreement(right)
    assert found.exceptions == 0
    assert found.examples == len(right.y)
    assert found.difference < 1e-5
    assert "0 exceptions" in str(found)
    assert bits(right.network) == before


def test_so_does_one_that_takes_the_examples_one_by_one():
    assert agreement(campaign("weights:stuck_at=0:0.5:transient", examples=12)).difference < 1e-5


@pytest.mark.parametrize("broken", ["golden", "network"])
def test_a_broken_campaign_is_noticed(broken):
    wrong = campaign("weights:stuck_at=0:0.5")
    if broken == "golden":
        wrong.golden = wrong.golden[::-1].copy()
    else:
        wrong.network.layers[-1].bias.assign_add([5, 0, 0, 0])
    with pytest.raises(RunFailed, match="to agree with Keras on sequential"):
        agreement(wrong)


@pytest.mark.parametrize("factor", [2, 1.01])
def test_outputs_of_another_size_are_noticed_though_all_predictions_agree(factor, monkeypatch):
    outputs = FaultyNetwork.outputs
    monkeypatch.setattr(FaultyNetwork, "outputs", lambda *given: factor * outputs(*given))
    with pytest.raises(RunFailed, match=r"without faults\. Received: 40 of 40"):
        agreement(campaign("neurons:stuck_at=0:0.5"))


class Noisy(layers.Layer):
    """Random in inference too, without a key."""

    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


@pytest.mark.parametrize("text", ["weights=last:stuck_at=0:0.5", "weights=first:sign_flip:0.5"])
def test_a_random_layer_without_a_key_is_refused(text):
    first, last = layers.Dense(4, name="first"), layers.Dense(4, name="last")
    network = keras.Sequential([layers.InputLayer((6,)), first, Noisy(), last], name="noisy")
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    noisy = Campaign(network, x, np.arange(40) % 4, parse_fault(text))
    with pytest.raises(
        BadInput, match="differ from call to call, so that a layer is random in inference"
    ):
        agreement(noisy)
