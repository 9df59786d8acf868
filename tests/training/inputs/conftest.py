"""Small networks that are attacked."""

from __future__ import annotations

import pytest

from tests.training.inputs.small import SHAPE


@pytest.fixture
def network_of():
    """Builds a network of the given hidden layers on flattened 4x4 images, with 3 logits."""
    import keras

    def build(*layers):
        keras.utils.set_random_seed(0)
        first = [keras.layers.InputLayer(SHAPE), keras.layers.Flatten()]
        return keras.Sequential([*first, *layers, keras.layers.Dense(3)])

    return build


@pytest.fixture
def network(network_of):
    """16 inputs, 6 rectified units, 3 logits."""
    from keras.layers import Dense

    return network_of(Dense(6, activation="relu", kernel_initializer="he_normal"))


@pytest.fixture
def precise(network):
    """`network` in double precision: at the start of an attack the gradient is nearly zero, and
    single precision leaves it few digits.
    """
    import keras

    twin = keras.Sequential([keras.layers.InputLayer(SHAPE, dtype="float64")])
    for layer in network.layers:
        twin.add(type(layer).from_config(layer.get_config() | {"dtype": "float64"}))
    twin.set_weights(network.get_weights())
    return twin
