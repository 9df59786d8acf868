"""The softmax or sigmoid that a network ends in is taken off, and the network is left as it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Sequential
from keras import layers as kl

from ftnoise.core.errors import BadInput
from ftnoise.layers.graph import unfold
from ftnoise.layers.logits import Logits
from tests.verify.networks import points, randomized


def ends(*layers):
    return randomized(Sequential([kl.InputLayer((4,)), kl.Dense(5, activation="tanh"), *layers]))


def functional():
    inputs = keras.Input((4,))
    return randomized(keras.Model(inputs, tf.nn.softmax(kl.Dense(3)(inputs))))


SOFTMAX = {
    "of a layer": lambda: ends(kl.Dense(3, activation="softmax")),
    "an activation": lambda: ends(kl.Dense(3), kl.Activation("softmax")),
    "a layer": lambda: ends(kl.Dense(3), kl.Softmax()),
    "a layer in a layer": lambda: ends(kl.Dense(3, activation=kl.Softmax())),
    "a function": functional,
    "nested": lambda: Sequential([kl.InputLayer((4,)), ends(kl.Dense(3, activation="softmax"))]),
}


@pytest.mark.parametrize("name", SOFTMAX)
def test_the_softmax_of_the_logits_are_the_probabilities(name):
    network = SOFTMAX[name]()
    x, before = points(network), network.get_weights()
    nodes = [len(layer.inbound_nodes) for layer in network.layers]
    logits = Logits(network)
    assert logits.ending.kind == "softmax"
    found = logits(x).numpy()
    np.testing.assert_allclose(tf.nn.softmax(found), network(x), rtol=1e-5)
    assert not np.allclose(found.sum(1), 1)
    assert [len(layer.inbound_nodes) for layer in network.layers] == nodes
    assert all(map(np.array_equal, before, network.get_weights()))


def test_logits_have_a_gradient_where_the_softmax_saturates():
    network = functional()
    x = tf.constant(1000 * points(network))
    gradients = []
    for function in (network, Logits(network)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(function(x)[:, 0])
        gradients.append(np.abs(tape.gradient(value, x)).max(axis=1))
    assert gradients[0].min() == 0
    assert gradients[1].min() > 0.01


def test_one_sigmoid_becomes_two_logits():
    for network in (
        ends(kl.Dense(1, activation="sigmoid")),
        ends(kl.Dense(1), kl.Activation("sigmoid")),
    ):
        x = points(network)
        found = Logits(network)(x).numpy()
        assert np.all(found[:, 0] == 0)
        np.testing.assert_allclose(tf.sigmoid(found[:, 1:]), network(x), rtol=1e-5)


def test_logits_are_those_of_the_network_bit_for_bit():
    network = ends(kl.Dropout(0.5), kl.BatchNormalization(), kl.Dense(3))
    x = points(network)
    logits = Logits(network)
    assert len(logits.ending.steps) == len(unfold(network).steps)
    for training in (False, True):
        assert np.array_equal(logits(x, training=training), network(x, training=False))


@pytest.mark.parametrize(
    "last",
    [
        lambda: [kl.Dense(1)],
        lambda: [kl.Dense(1, activation="softmax")],
        lambda: [kl.Dense(3, activation="sigmoid")],
        lambda: [kl.Reshape((5, 1)), kl.Conv1D(3, 2)],
    ],
)
def test_no_classifier(last):
    with pytest.raises(BadInput, match="at least 2 logits, their softmax or one sigmoid"):
        Logits(ends(*last()))


def test_several_inputs():
    inputs = [keras.Input((5,)), keras.Input((5,))]
    network = keras.Model(inputs, kl.Dense(3)(kl.Concatenate()(inputs)))
    with pytest.raises(BadInput, match="one input"):
        Logits(network)
