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

    def scaled(*given):
        found, finite = outputs(*given)
        return factor * found, finite

    monkeypatch.setattr(FaultyNetwork, "outputs", scaled)
    with pytest.raises(RunFailed, match=r"without faults\. Received: 40 of 40"):
        agreement(campaign("neurons:stuck_at=0:0.5"))


class Noisy(layers.Layer):
    """Random in inference too, by NumPy, which no graph shows."""

    def call(self, inputs):
        draw = np.random.default_rng(0).normal
        noise = tf.numpy_function(
            lambda n: np.float32(draw(size=n)), [tf.shape(inputs)], tf.float32
        )
        return inputs + tf.reshape(noise, tf.shape(inputs))


class Shaken(layers.Layer):
    """Random by TensorFlow, inside a loop."""

    def call(self, inputs):
        def add(n, values):
            return n + 1, values + tf.random.normal(tf.shape(values))

        return tf.while_loop(lambda n, _: n < 2, add, (0, inputs))[1]


def between(layer, text):
    """A campaign on a network with a layer between two others."""
    first, last = layers.Dense(4, name="first"), layers.Dense(4, name="last")
    inputs = keras.Input((6,))
    network = keras.Model(inputs, last(layer(first(inputs))), name="noisy")
    x = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    return Campaign(network, x, np.arange(40) % 4, parse_fault(text))


TEXTS = pytest.mark.parametrize(
    "text", ["weights=last:stuck_at=0:0.5", "weights=first:sign_flip:0.5"]
)


@TEXTS
@pytest.mark.parametrize(
    "layer",
    [
        lambda inputs: layers.Dropout(0.5, name="often")(inputs, training=True),
        # Rarely, so that two calls give the same outputs.
        lambda inputs: layers.Dropout(1e-6, name="rare")(inputs, training=True),
        lambda inputs: layers.GaussianNoise(1e-9, name="little")(inputs, training=True),
        Shaken(name="shaken"),
    ],
)
def test_a_random_layer_without_a_key_is_refused_before_anything_is_computed(layer, text):
    with pytest.raises(BadInput, match=r"^Expected layers that are not random .* a key .*$") as got:
        between(layer, text)
    assert "\n" not in str(got.value)


@TEXTS
def test_one_whose_draws_no_graph_shows_is_refused_by_its_outputs(text):
    noisy = between(Noisy(), text)
    with pytest.raises(
        BadInput, match="differ from call to call, so that a layer is random in inference"
    ):
        agreement(noisy)
