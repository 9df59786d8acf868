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
        (lambda: [layers.Dense(1, activation="sigmoid"), layers.Activation("linear")], 0.5),
        (lambda: [layers.Dense(1, activation="sigmoid"), layers.Dropout(0.5)], 0.5),
        (lambda: [layers.Dense(1), layers.Dropout(0.5), layers.Flatten()], 0),
        (
            lambda: [
                layers.Reshape((2, 2, 1)),
                layers.Conv2D(1, 2, activation="sigmoid"),
                layers.Flatten(),
                layers.Activation("linear"),
            ],
            0.5,
        ),
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
        lambda: [layers.Dense(1, activation="sigmoid"), layers.BatchNormalization()],
        lambda: [layers.Dense(1, activation="relu"), layers.Flatten()],
        lambda: [
            layers.Reshape((2, 2)),
            layers.Conv1D(1, 1, activation="sigmoid"),
            layers.GlobalAveragePooling1D(),
        ],
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


def test_several_classes_have_no_threshold():
    with pytest.raises(BadInput, match="no threshold for one, which has 2 outputs") as no:
        threshold_of(ended(layers.Dense(2)), 0.5)
    assert "\n" not in str(no.value)


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


@pytest.mark.parametrize(
    ("y", "received"),
    [
        (np.eye(2)[[0, 1, 0]], "one-hot labels or probabilities of shape (3, 2): pass y.argmax"),
        ([[0.2, 0.8]] * 3, "one-hot labels or probabilities of shape (3, 2): pass y.argmax"),
        ([0.0, 1.0, 0.25], "y with 0.25, as the targets of a regression, which have no accuracy"),
        ([0, 1], "y of shape (2,)."),
        (np.zeros((3, 4)), "y of shape (3, 4)."),
        (["a", "b", "a"], "type='list', dtype='<U1'"),
        ([[0], [1, 0], [1]], "type='list', dtype='object'"),
        ({"y": 1}, "type='dict', dtype='object'"),
    ],
)
def test_labels_of_another_form_are_called_by_their_name(y, received):
    with pytest.raises(BadInput) as refused:
        check_examples(ended(layers.Dense(2)), np.zeros((3, 3)), y)
    assert received in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("x", "received"),
    [
        ([[0.0] * 3] * 5, "a list of 5, which are taken as 5 inputs: pass an array for each input"),
        (tuple(np.zeros((5, 3))), "a tuple of 5, which are taken as 5 inputs"),
        (tf.data.Dataset.range(3), "dtype='object'"),
        ("x.npz", "type='str'"),
        (np.zeros((5, 4)), "x=[(5, 4)]"),
        (np.full((5, 3), 1e39), "1e+39 at index (0, 0), the first of 15 such values."),
        (np.where(np.arange(15) % 7 == 5, np.nan, 1).reshape(5, 3), "nan at index (1, 2), the fi"),
    ],
)
def test_examples_of_another_form_are_called_by_their_name(x, received):
    with pytest.raises(BadInput) as refused:
        check_examples(ended(layers.Dense(2)), x, np.zeros(5, int))
    assert received in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_list_of_lists_is_an_array_for_each_input():
    one, two = keras.Input((3,)), keras.Input((3,))
    network = keras.Model([one, two], layers.Dense(2)(layers.Add()([one, two])))
    found, _ = check_examples(network, [[[0.0] * 3] * 4] * 2, [0, 1, 0, 1])
    assert [array.shape for array in found] == [(4, 3), (4, 3)]


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
