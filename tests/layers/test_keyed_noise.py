"""Keras' noise layers, switched on at test time: keyed, of Keras' size, off in the mean network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from ftnoise.core.errors import BadInput
from ftnoise.layers.drawing import forward, is_stochastic, mean
from ftnoise.layers.keyed_noise import with_test_time_noise
from ftnoise.layers.prediction import logits
from tests.samples import spread_is

SHAPE = (4, 4, 2)
X = np.random.default_rng(0).random((200, *SHAPE), np.float32)


def network(*noise, inner=()):
    keras.utils.set_random_seed(0)
    first = [keras.Sequential([layers.InputLayer(SHAPE), *inner])] if inner else []
    body = [layers.Flatten(), layers.Dense(6, activation="relu"), layers.Dense(3)]
    return keras.Sequential([layers.InputLayer(SHAPE), *first, *noise, *body])


NOISE = [
    layers.Dropout(0.4),
    layers.SpatialDropout2D(0.4),
    layers.GaussianNoise(0.3),
    layers.GaussianDropout(0.2),
]


@pytest.mark.parametrize("layer", NOISE, ids=lambda layer: type(layer).__name__)
def test_it_draws_by_its_key_and_is_the_models_own_in_the_mean(layer, tmp_path):
    model = network(type(layer).from_config(layer.get_config()))
    noisy = with_test_time_noise(model)
    assert is_stochastic(noisy)
    assert not is_stochastic(model)
    assert [one.name for one in noisy.layers] == [one.name for one in model.layers]
    with mean():
        np.testing.assert_array_equal(noisy(X), model(X))
    one, again, other = (forward(noisy, X, [1, key]).numpy() for key in (2, 2, 3))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (noisy(X).numpy() != noisy(X).numpy()).any()
    np.testing.assert_array_equal(logits(noisy, X), logits(noisy, X))
    noisy.save(tmp_path / "noisy.keras")
    stored = keras.models.load_model(tmp_path / "noisy.keras", compile=False)
    np.testing.assert_array_equal(forward(stored, X, [1, 2]), one)


def outputs(layer, x=X):
    """The noisy layer's outputs on images."""
    model = keras.Sequential([layers.InputLayer(SHAPE), layer])
    return forward(with_test_time_noise(model), x, [1, 2]).numpy()


def test_the_noise_has_the_size_of_keras():
    assert spread_is(outputs(layers.GaussianNoise(0.3)) - X, 0.3)
    ones = np.ones_like(X)
    assert spread_is(outputs(layers.GaussianDropout(0.2), ones) - 1, 0.5)
    dropped = outputs(layers.Dropout(0.4), ones)
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / 0.6], rtol=1e-6)
    assert abs((dropped == 0).mean() - 0.4) < 5 * np.sqrt(0.24 / X.size)
    whole = outputs(layers.SpatialDropout2D(0.4), ones)
    assert (whole == whole[:, :1, :1]).all()
    assert abs((whole[:, 0, 0] == 0).mean() - 0.4) < 5 * np.sqrt(0.24 / (2 * len(X)))


def test_noise_inside_a_model_in_the_model_is_found_and_two_layers_share_no_noise():
    model = network(layers.GaussianNoise(0.3), inner=(layers.GaussianNoise(0.3),))
    noisy = with_test_time_noise(model)
    inner, outer = noisy.layers[0].layers[0], noisy.layers[1]
    assert type(inner) is type(outer)
    first, second = (forward(layer, X, [1, 2]).numpy() - X for layer in (inner, outer))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / np.sqrt(X.size)


@pytest.mark.parametrize(
    ("noise", "named"),
    [
        ([], "none"),
        ([layers.Dropout(0.4), layers.AlphaDropout(0.4, name="alpha")], "alpha"),
        ([layers.Dropout(0.4), layers.TimeDistributed(layers.Dropout(0.4), name="each")], "each"),
        (
            [layers.Dropout(0.4), layers.Reshape((4, 8)), layers.LSTM(3, dropout=0.1, name="rec")],
            "rec",
        ),
    ],
)
def test_what_cannot_be_keyed_is_refused_in_one_line(noise, named):
    with pytest.raises(BadInput, match=rf"Received: {named}\.$") as failure:
        with_test_time_noise(network(*noise))
    assert "\n" not in str(failure.value)


def test_a_recurrent_layer_without_dropout_stays():
    noise = [layers.Dropout(0.4), layers.Reshape((4, 8)), layers.GRU(3)]
    assert is_stochastic(with_test_time_noise(network(*noise)))


def test_a_subclassed_model_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.4)

        def call(self, x):
            return self.drop(x)

    with pytest.raises(BadInput, match="Sequential or functional"):
        with_test_time_noise(Own())
