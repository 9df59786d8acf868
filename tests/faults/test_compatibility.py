"""What fits a network, and what its one output means."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.core.errors import BadInput
from ftnoise.faults.callback import FaultInjection
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.compatibility import check_examples, threshold_of
from ftnoise.faults.parsing import parse_fault

FAULT = parse_fault("weights:stuck_at_zero:0.5")


def ended(*tail):
    """A network of one output that ends in these layers."""
    x = inputs = keras.Input((3,))
    for layer in (layers.Dense(4, activation="relu"), *tail):
        x = layer(x)
    return keras.Model(inputs, x, name="one")


def inner():
    return keras.Sequential([layers.InputLayer((4,)), layers.Dense(1, activation="sigmoid")])


SAME = layers.Activation("linear", dtype="float32")


@pytest.mark.parametrize(
    ("tail", "threshold"),
    [
        (lambda: [layers.Dense(1)], 0),
        (lambda: [layers.Dense(1, activation="sigmoid")], 0.5),
        (lambda: [layers.Dense(1, activation="tanh")], 0),
        (lambda: [layers.Dense(1), layers.Activation("hard_sigmoid")], 0.5),
        (lambda: [layers.Dense(1), tf.sigmoid], 0.5),
        (lambda: [layers.Dense(1), keras.activations.sigmoid], 0.5),
        (lambda: [inner()], 0.5),
        (lambda: [layers.Reshape((2, 2)), layers.LSTM(1)], 0),
    ],
)
def test_what_is_above_the_threshold_is_class_1(tail, threshold):
    network = ended(*tail())
    assert threshold_of(network) == threshold
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    y = (network.predict(x, verbose=0)[:, 0] > threshold).astype(int)
    assert Campaign(network, x, y, FAULT).correct.all()


@pytest.mark.parametrize(
    "tail",
    [
        lambda: [layers.Dense(1, activation="relu")],
        lambda: [layers.Dense(1, activation="softmax")],
        lambda: [layers.Dense(1, activation="sigmoid"), layers.Lambda(lambda x: 1 - x)],
        lambda: [layers.Dense(1), lambda x: 2 * x],
        lambda: [layers.Dense(1, activation="sigmoid"), layers.Activation("linear")],
        lambda: [layers.Dense(1, activation="sigmoid"), layers.BatchNormalization()],
    ],
)
def test_where_there_is_no_saying_a_threshold_is_asked_for(tail):
    network = ended(*tail())
    with pytest.raises(BadInput, match="or a threshold, above which it predicts") as no:
        threshold_of(network)
    assert "\n" not in str(no.value)
    assert threshold_of(network, 0.25) == 0.25
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    y = (network.predict(x, verbose=0)[:, 0] > 0.25).astype(int)
    assert Campaign(network, x, y, FAULT, threshold=0.25).correct.all()
    with pytest.raises(BadInput, match="threshold a number"):
        threshold_of(network, "half")


def test_a_callback_takes_a_threshold():
    network = ended(layers.Dense(1), lambda x: 2 * x)
    network.compile("sgd", "mse")
    x, y = np.ones((8, 3), np.float32), np.zeros(8, int)
    faults = FaultInjection(FAULT, evaluate=(x, y), trials=2, threshold=1e9)
    network.fit(x, y, verbose=0, callbacks=[faults])
    assert faults.accuracies[0].tolist() == [1, 1]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_labels_that_are_not_finite_are_refused_in_one_line(bad):
    y = np.array([0, 1, bad])
    with pytest.raises(BadInput, match="3 integer labels"):
        check_examples(ended(layers.Dense(2)), np.zeros((3, 3)), y)


def wide(dtype):
    return [layers.Dense(2, dtype=dtype), layers.Activation("linear", dtype="float32")]


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16", "mixed_bfloat16"])
def test_networks_that_are_not_of_float32_are_refused_in_one_line(dtype):
    network = ended(*wide(dtype))
    with pytest.raises(BadInput, match="Expected one to compute in float32") as e:
        Campaign(network, np.zeros((3, 3)), [0, 1, 0], FAULT)
    assert "\n" not in str(e.value)


def test_inputs_and_examples_may_be_of_float64():
    inputs = keras.Input((3,), dtype="float64")
    network = keras.Model(inputs, layers.Dense(2)(inputs))
    x = np.random.default_rng(0).normal(size=(5, 3))
    y = network.predict(x, verbose=0).argmax(axis=1)
    assert Campaign(network, x, y, FAULT).correct.all()
