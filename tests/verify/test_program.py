"""A model as affine maps and activations: the same function, exact products, refusals by name."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Sequential
from keras import layers as kl

from ftnoise.architectures import (
    Cifar10CNN,
    CirclesNet,
    FmnistCNN1,
    FmnistCNN2,
    FmnistDNN,
    MnistMLP,
)
from ftnoise.core.errors import BadInput
from ftnoise.verify.program import Affine, Unary, program
from tests.attacks.small import Noise
from tests.verify.networks import NETWORKS, made, points, randomized

each = pytest.mark.parametrize("name", NETWORKS)


@each
def test_it_computes_what_the_network_computes(name):
    network = made(name)
    x = points(network)
    found = program(network)
    logits, taken = found.forward(tf.constant(x, tf.float64))
    np.testing.assert_allclose(found.plain(tf.constant(x)), logits, rtol=1e-4, atol=1e-5)
    ends = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.softmax, "logits": tf.identity}
    outputs = ends[found.ending](logits).numpy()
    outputs = outputs[:, 1:] if found.ending == "sigmoid" else outputs
    np.testing.assert_allclose(network(x), outputs, rtol=1e-4, atol=1e-5)
    assert [unary.shape for unary in found.unaries] == [tuple(z.shape[1:]) for z in taken]


@each
def test_products_and_magnitudes_of_each_affine_map_are_those_of_its_matrix(name):
    generator = np.random.default_rng(0)
    for one in program(made(name)).operations:
        if isinstance(one, Unary):
            continue
        size = int(np.prod(one.offset.shape[1:]))
        matrices = one.pull(
            tf.reshape(tf.eye(size, dtype=tf.float64), [size, *one.offset.shape[1:]])
        )
        inputs = [tf.constant(generator.normal(size=(1, *shape))) for shape in one.shapes]
        by_matrix = np.ravel(one.offset).copy()
        radius = np.zeros(size)
        for matrix, x in zip(matrices, inputs, strict=True):
            flat = np.reshape(matrix, (size, -1))
            by_matrix += flat @ np.ravel(x)
            radius += np.abs(flat) @ np.abs(np.ravel(x))
            if one.separate:
                assert np.all((flat != 0).sum(1) <= 1)
        np.testing.assert_allclose(np.ravel(one.function(*inputs)), by_matrix, atol=1e-9)
        found = np.ravel(one.magnitude(*map(tf.abs, inputs)))
        assert np.all(found >= radius - 1e-9)
        if "separable" not in str(getattr(one.function, "__closure__", "")):
            assert np.all(found <= radius + 1e-9) or name == "dilated"


@pytest.mark.parametrize(
    "architecture",
    [FmnistDNN(), FmnistCNN1(), FmnistCNN2(), Cifar10CNN(), MnistMLP(signed=True), CirclesNet()],
    ids=lambda architecture: architecture.slug,
)
def test_it_knows_every_architecture(architecture):
    network = architecture.build()
    x = points(network, 2)
    found = program(network)
    np.testing.assert_allclose(found.plain(tf.constant(x)), network(x), atol=1e-6)
    np.testing.assert_allclose(found.forward(tf.constant(x, tf.float64))[0], network(x), atol=1e-4)


class Own(kl.Dense):
    """A subclass may compute anything."""


def ends(*layers, shape=(4,)):
    return randomized(Sequential([kl.InputLayer(shape), *layers]))


def relu(x):
    """Another function of the same name."""
    return x * x


REFUSED = {
    "own \\(Own\\)": lambda: ends(Own(5, name="own"), kl.Dense(3)),
    "gru \\(GRU\\)": lambda: ends(kl.GRU(3, name="gru"), kl.Dense(3), shape=(4, 2)),
    "norm \\(LayerNormalization\\)": lambda: ends(kl.LayerNormalization(name="norm"), kl.Dense(3)),
    "hidden \\(gelu\\)": lambda: ends(kl.Dense(4, activation="gelu", name="hidden"), kl.Dense(3)),
    "hidden \\(relu\\)": lambda: ends(kl.Dense(4, activation=relu, name="hidden"), kl.Dense(3)),
    "six \\(.*max_value": lambda: ends(kl.ReLU(6.0, name="six"), kl.Dense(3)),
    "inner \\(softmax\\)": lambda: ends(kl.Dense(4, "softmax", name="inner"), kl.Dense(3)),
    "draws nothing": lambda: ends(Noise(), kl.Dense(3)),
    "at least 2 logits": lambda: ends(kl.Dense(1)),
    "one sigmoid": lambda: ends(kl.Dense(3, activation="sigmoid")),
    "at least 2 logits.*": lambda: ends(kl.Dense(3), shape=(4, 2)),
    "fixed shapes": lambda: ends(kl.Conv1D(3, 2), kl.GlobalAveragePooling1D(), shape=(None, 2)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_it_does_not_know_is_refused_by_name(message):
    with pytest.raises(BadInput, match=message) as caught:
        program(REFUSED[message]())
    assert "\n" not in str(caught.value)


def test_layers_that_are_called_in_training_mode_are_refused():
    inputs = keras.Input((4,))
    outputs = kl.Dense(3)(kl.Dropout(0.5, name="always")(inputs, training=True))
    with pytest.raises(BadInput, match=r"inference mode.*always"):
        program(keras.Model(inputs, outputs))


def test_two_inputs_are_refused():
    one, two = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(BadInput, match="one input"):
        program(keras.Model([one, two], kl.Dense(3)(kl.Add()([one, two]))))


def test_a_model_that_is_not_functional_is_refused():
    class Mine(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(BadInput, match="Sequential or functional"):
        program(Mine())


def test_padded_max_pooling_takes_nothing_from_outside():
    network = ends(kl.MaxPooling2D(3, 2, "same"), kl.Flatten(), kl.Dense(3), shape=(6, 7, 2))
    x = -1 - points(network)
    logits = program(network).forward(tf.constant(x, tf.float64))[0]
    np.testing.assert_allclose(network(x), logits, atol=1e-5)


def test_the_weights_are_those_of_now():
    network = made("dense")
    x = tf.constant(points(network), tf.float64)
    found = program(network)
    before = found.forward(x)[0].numpy()
    randomized(network, seed=1)
    np.testing.assert_array_equal(found.forward(x)[0], before)
    assert isinstance(found.operations[0], Affine)
