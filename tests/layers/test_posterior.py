"""The mean prediction over samples of weights: outputs, gradients, faults."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.faults.where import Parameters
from ftnoise.layers.posterior import PosteriorMean, WeightsOf, posterior_network

X = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


@pytest.fixture
def posterior():
    keras.utils.set_random_seed(0)
    plain = keras.Sequential(
        [keras.Input([6]), keras.layers.Dense(5, "tanh"), keras.layers.Dense(3)]
    )
    found = posterior_network(plain, 7)
    for variable in found.weights:
        variable.assign(tf.random.stateless_normal(variable.shape, [1, variable.shape.rank]))
    return found


def probabilities(posterior, x):
    """Sample after sample, as an oracle."""
    kernel, bias, last, end = (weight.numpy() for weight in posterior.weights)
    for n in range(7):
        yield tf.nn.softmax(tf.tanh(x @ kernel[n] + bias[n]) @ last[n] + end[n])


def test_it_gives_the_logarithm_of_the_mean_softmax(posterior):
    want = np.mean([*probabilities(posterior, X)], axis=0)
    np.testing.assert_allclose(np.exp(posterior(X)), want, rtol=1e-5)
    np.testing.assert_allclose(np.exp(posterior.predict(X, verbose=0)), want, rtol=1e-5)


def test_the_gradient_is_that_of_the_mean(posterior):
    x = tf.constant(X)
    y = tf.constant([0, 1, 2, 0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours = tf.nn.sparse_softmax_cross_entropy_with_logits(y, posterior(x))
        mean = tf.add_n([*probabilities(posterior, x)]) / 7
        oracle = -tf.math.log(tf.gather(mean, y, batch_dims=1))
    np.testing.assert_allclose(tape.gradient(ours, x), tape.gradient(oracle, x), rtol=1e-4)
    compiled = tf.function(lambda x: tf.gradients(posterior(x), x)[0])
    assert np.isfinite(compiled(x)).all()


def test_its_samples_are_what_faults_hit(posterior):
    targets = Parameters().targets(posterior)
    assert sum(target.size for target in targets) == posterior.count_params()
    assert posterior.count_params() == 7 * (6 * 5 + 5 + 5 * 3 + 3)


def test_a_class_without_any_probability_has_a_finite_logarithm(posterior):
    posterior.weights[-1].assign(np.tile([0.0, 0.0, -1e4], (7, 1)))
    assert np.isfinite(posterior(X)).all()


def test_the_network_keeps_its_weights(posterior):
    (layer,) = (one for one in posterior.layers if isinstance(one, PosteriorMean))
    plain = layer.weights_of.network
    before = plain.get_weights()
    posterior(X)
    after = plain.get_weights()
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_values_stand_in_for_weights():
    plain = keras.Sequential([keras.Input([6]), keras.layers.Dense(2)])
    values = [tf.ones([6, 2]), tf.zeros([2])]
    np.testing.assert_allclose(
        WeightsOf(plain).logits(values, X), np.repeat(X.sum(1)[:, None], 2, 1), rtol=1e-5
    )


def test_weights_in_cells_are_refused():
    plain = keras.Sequential([keras.Input([6, 2]), keras.layers.LSTM(3), keras.layers.Dense(2)])
    with pytest.raises(BadInput, match="lstm_cell/kernel"):
        WeightsOf(plain)
