"""Noise of the right kind and size, told from one that is a third off, and drawn from the seed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from ftnoise.core.errors import BadInput
from ftnoise.training.inputs.gaussian import GaussianNoise

SEED = tf.constant([3, 5], tf.int64)


def drawn(noise, x, seed=SEED):
    return noise.perturb(tf.constant(x), seed).numpy()


@pytest.mark.parametrize("sigma", [0.03, 0.5])
@pytest.mark.parametrize("multiplicative", [False, True])
def test_the_noise_has_its_standard_deviation(sigma, multiplicative):
    x = np.random.default_rng(0).uniform(1, 2, (2000, 10)).astype(np.float32)
    found = drawn(GaussianNoise(sigma=sigma, multiplicative=multiplicative), x) - x
    noise = (found / x if multiplicative else found).ravel().astype(np.float64)
    assert stats.kstest(noise / sigma, "norm").pvalue > 1e-3
    for wrong in (2 / 3, 3 / 2):
        assert stats.kstest(noise / (wrong * sigma), "norm").pvalue < 1e-6


def test_multiplicative_noise_is_keras_gaussian_dropout_of_that_rate():
    sigma, x = 0.5, np.full((20_000, 1), 2.0, np.float32)
    keras.utils.set_random_seed(0)
    theirs = keras.layers.GaussianDropout(sigma**2 / (1 + sigma**2))(x, training=True).numpy()
    ours = drawn(GaussianNoise(sigma=sigma, multiplicative=True), x)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 1e-3


def test_the_loss_is_that_of_the_noisy_examples():
    network = keras.Sequential([keras.layers.InputLayer((4,)), keras.layers.Dense(3)])
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    y = np.arange(6) % 3
    noise = GaussianNoise(sigma=0.3)
    losses, logits = noise.objective(network, tf.constant(x), tf.constant(y), SEED)
    known = network(drawn(noise, x))
    np.testing.assert_allclose(logits, known, rtol=1e-6)
    by_keras = keras.losses.sparse_categorical_crossentropy(y, known, from_logits=True)
    np.testing.assert_allclose(losses, by_keras, rtol=1e-5)
    still = GaussianNoise(sigma=0).objective(network, tf.constant(x), tf.constant(y), SEED)
    np.testing.assert_array_equal(still[1], network(x))


def test_the_seed_decides():
    x = np.zeros((5, 3), np.float32)
    noise = GaussianNoise(sigma=1)
    np.testing.assert_array_equal(drawn(noise, x), drawn(noise, x))
    assert (drawn(noise, x) != drawn(noise, x, SEED + 1)).all()


@pytest.mark.parametrize(
    "wrong", [{"sigma": -0.1}, {"sigma": "0.1"}, {"sigma": 0.1, "multiplicative": 1}]
)
def test_what_is_no_noise_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        GaussianNoise(**wrong)
