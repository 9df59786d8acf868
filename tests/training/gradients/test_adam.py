"""Adam is Kingma and Ba's, and refuses what it has itself."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.training.gradients.plain import Adam
from tests.members import RUN


def test_steps_are_those_of_the_paper():
    schedule = dataclasses.replace(RUN.schedule, momentum=0.0, drops=(), learning_rate=0.1)
    run = dataclasses.replace(RUN, schedule=schedule)
    layer = keras.layers.Dense(1, use_bias=False)
    network = keras.Sequential([keras.layers.InputLayer((2,)), layer])
    adam = Adam(beta_1=0.8, beta_2=0.9, floor=1e-3)
    updater = adam.start(network, run, 4, xla=False)
    weights = layer.get_weights()[0].astype(np.float64)
    mean = square = np.zeros((2, 1))
    gradient = np.array([[1.0], [-3.0]])

    def objective():
        scaled = tf.reduce_sum(layer.kernel * tf.constant(gradient, tf.float32))
        return scaled[None], tf.zeros([1, 1])

    for step in range(1, 4):
        updater.update(objective, None, None)
        mean = 0.8 * mean + 0.2 * gradient
        square = 0.9 * square + 0.1 * gradient**2
        rate = 0.1 * np.sqrt(1 - 0.9**step) / (1 - 0.8**step)
        weights = weights - rate * mean / (np.sqrt(square) + 1e-3)
        np.testing.assert_allclose(layer.get_weights()[0], weights, rtol=1e-5)


def test_momentum_is_its_own():
    network = keras.Sequential([keras.layers.InputLayer((2,)), keras.layers.Dense(1)])
    with pytest.raises(BadInput, match="Expected momentum 0 with Adam"):
        Adam().start(network, RUN, 4, xla=False)


@pytest.mark.parametrize("wrong", [{"beta_1": 1}, {"beta_2": -0.1}, {"floor": 0}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        Adam(**wrong)
