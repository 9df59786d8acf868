"""Two campaigns are the same if all that the result depends on is."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.user.inject import job, prepared
from ftnoise.user.settings import CampaignSettings
from tests.user.made import FAULT, examples, model

SETTINGS = CampaignSettings.of(FAULT)


@pytest.fixture(autouse=True)
def as_in_a_new_process():
    """Keras names its layers as in the first model."""
    import keras

    keras.backend.clear_session()


def identity(network, x, y, settings=SETTINGS):
    return job(prepared(network, x, y, settings), settings, {}).identity


def test_every_part_counts():
    import keras

    def built(*arguments):
        keras.backend.clear_session()
        return model(*arguments)

    network = built()
    x, y = examples(network)
    biased = built()
    biased.layers[-1].bias.assign([0, 1, 0])
    found = [
        identity(network, x, y),
        identity(network, x + 1, y),
        identity(network, x[:-1], y[:-1]),
        identity(network, x, y * 0),
        identity(network, x, y, CampaignSettings.of(FAULT, seed=1)),
        # The same weights; and where nothing exceeds 6, the same outputs without faults.
        identity(built("relu6"), x, y),
        identity(built("relu", 9), x, y),
        identity(biased, x, y),
    ]
    assert len(set(found)) == len(found)
    assert identity(built(), [x.astype(float)], y[:, None]) == found[0]


def test_the_code_of_a_users_layer_counts_by_its_outputs():
    import keras

    def built(factor):
        keras.backend.clear_session()

        class Scaled(keras.layers.Layer):
            def call(self, inputs):
                return factor * inputs

        dense = keras.layers.Dense(2, kernel_initializer="ones")
        return keras.Sequential([keras.layers.InputLayer((2,)), Scaled(), dense], name="own")

    x, y = np.ones((3, 2), np.float32), np.zeros(3, int)
    two, same, three = (identity(built(factor), x, y) for factor in (2, 2, 3))
    assert two == same != three


def test_a_layer_without_a_config_is_known_by_its_class():
    import keras

    class Secret(keras.layers.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def call(self, inputs):
            return self.function(inputs)

    def built(*more):
        layers = [keras.layers.InputLayer((2,)), keras.layers.Dense(2, kernel_initializer="ones")]
        return keras.Sequential([*layers, Secret(abs), *more])

    x, y = np.ones((3, 2), np.float32), np.zeros(3, int)
    with pytest.raises(NotImplementedError):
        built().to_json()
    assert identity(built(), x, y) == identity(built(), x, y)
    assert identity(built(), x, y) != identity(built(keras.layers.ReLU()), x, y)
