"""The noise: its scale, its independence, and that it is added once and to everything."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import kstest
from tensorflow_privacy import DPKerasSGDOptimizer
from tensorflow_privacy.privacy.optimizers.dp_optimizer_keras import GenericDPSGDOptimizer

from ftnoise.training.gradients.noise import (
    BookkeepingSGD,
    KeyedGaussianSum,
    radius_of,
    standard_normals,
)
from ftnoise.training.gradients.recording import RecordingTape
from tests.samples import spread_is


def small():
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(6, activation="relu")
    return keras.Sequential([keras.layers.InputLayer((4,)), hidden, keras.layers.Dense(3)])


def examples(count=8):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(count, 4)).astype(np.float32)
    return tf.constant(x), tf.constant(generator.integers(0, 3, count), tf.int32)


def cross_entropy(network, x, y):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x, training=True))


def optimizer_of(noise=0.0, clip=0.5, batch_size=8, key=7, momentum=0.0):
    return BookkeepingSGD(
        clip=clip,
        noise_multiplier=noise,
        batch_size=batch_size,
        key=tf.constant(key, tf.int64),
        learning_rate=1.0,
        momentum=momentum,
    )


def step(network, optimizer, x, y):
    """One update; returns by how much the weights went down, flattened."""
    before = np.concatenate([w.ravel() for w in network.get_weights()])
    with RecordingTape(network) as tape:
        losses = cross_entropy(network, x, y)
    optimizer.minimize(losses, network.trainable_variables, tape=tape)
    return before - np.concatenate([w.ravel() for w in network.get_weights()])


def test_normals_are_normal():
    sample = standard_normals(200_001, tf.constant([1, 2], tf.int64)).numpy()
    assert sample.shape == (200_001,)
    assert np.isfinite(sample).all()
    assert kstest(sample, "norm").pvalue > 1e-4
    assert abs(np.mean(sample**4) - 3) < 0.1
    # Either half comes from the same pair of uniforms.
    half = 100_000
    assert abs(np.corrcoef(sample[:half], sample[half + 1 :])[0, 1]) < 5 / np.sqrt(half)
    assert abs(np.corrcoef(sample[:half] ** 2, sample[half + 1 :] ** 2)[0, 1]) < 5 / np.sqrt(half)


def test_the_tail_reaches_far_beyond_what_is_ever_drawn():
    words = tf.constant([0, 2**32 - 1], tf.uint32)
    farthest, nearest = radius_of(words, words).numpy()
    assert farthest > 9.4
    assert nearest == 0.0
    beyond, largest = 0, 0.0
    for n in range(5):
        sizes = tf.abs(standard_normals(17_000_000, [3, n]))
        beyond += int(tf.math.count_nonzero(sizes > 4.75))
        largest = max(largest, float(tf.reduce_max(sizes)))
    # Beyond 4.75 standard deviations lie as many as there should be: 2.034e-6 of 8.5e7.
    assert abs(beyond - 173) < 5 * 173**0.5
    # Of these, 17 should lie beyond 5.2; none does with a probability of exp(-17) = 4e-8.
    assert largest > 5.2


@pytest.mark.parametrize(("clip", "noise", "batch_size"), [(0.5, 2.0, 8), (3.0, 0.7, 40)])
def test_the_noise_has_the_scale_that_is_stated(clip, noise, batch_size):
    network = small()
    x, y = examples()
    start = network.get_weights()
    silent = step(small(), optimizer_of(0.0, clip, batch_size), x, y)
    optimizer = optimizer_of(noise, clip, batch_size)
    drawn = []
    for _ in range(200):
        network.set_weights(start)
        drawn.append(step(network, optimizer, x, y) - silent)
    drawn = np.array(drawn)
    scale = clip * noise / batch_size
    assert spread_is(drawn, scale)
    assert not spread_is(drawn, scale * 2 / 3)
    assert not spread_is(drawn, scale * 3 / 2)
    # No two weights and no two steps share noise.
    steps = np.corrcoef(drawn) - np.eye(len(drawn))
    weights = np.corrcoef(drawn.T) - np.eye(drawn.shape[1])
    assert np.abs(steps).max() < 6 / np.sqrt(drawn.shape[1])
    assert np.abs(weights).max() < 6 / np.sqrt(len(drawn))


def test_noise_is_a_function_of_key_and_step():
    def moved(key, first):
        network, optimizer = small(), optimizer_of(1.0, key=key)
        optimizer.iterations.assign(first)
        return step(network, optimizer, *examples())

    assert np.array_equal(moved(7, 3), moved(7, 3))
    assert not np.allclose(moved(7, 3), moved(7, 4))
    assert not np.allclose(moved(7, 3), moved(8, 3))


@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e6])
def test_without_noise_it_is_the_librarys_optimizer(clip):
    ours, theirs = small(), small()
    x, y = examples()
    library = DPKerasSGDOptimizer(l2_norm_clip=clip, noise_multiplier=0.0, learning_rate=1.0)
    with tf.GradientTape() as tape:
        losses = cross_entropy(theirs, x, y)
    library.minimize(losses, theirs.trainable_variables, tape=tape)
    step(ours, optimizer_of(0.0, clip), x, y)
    for mine, known in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, known, rtol=1e-5, atol=1e-6)


def test_with_the_same_query_both_engines_take_the_same_noised_step():
    ours, theirs = small(), small()
    x, y = examples()
    mine = optimizer_of(1.3)
    query = KeyedGaussianSum(0.5, 0.5 * 1.3, tf.constant(7, tf.int64), lambda: mine.iterations)
    library = GenericDPSGDOptimizer(query, learning_rate=1.0)
    with tf.GradientTape() as tape:
        losses = cross_entropy(theirs, x, y)
    library.minimize(losses, theirs.trainable_variables, tape=tape)
    moved = step(ours, mine, x, y)
    assert np.abs(moved).max() > 0.1
    for found, known in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(found, known, atol=1e-6)


def test_momentum_is_that_of_keras_sgd():
    network, x, y = small(), *examples()
    optimizer = optimizer_of(1.0, momentum=0.9)
    first = step(network, optimizer, x, y)
    twin, plain = small(), optimizer_of(1.0)
    assert np.allclose(step(twin, plain, x, y), first, atol=1e-7)
    second = step(network, optimizer, x, y)
    assert np.allclose(step(twin, plain, x, y), second - 0.9 * first, atol=1e-6)


def test_another_tape_is_refused():
    network, x, y = small(), *examples()
    with tf.GradientTape() as tape:
        losses = cross_entropy(network, x, y)
    with pytest.raises(TypeError, match="RecordingTape"):
        optimizer_of().minimize(losses, network.trainable_variables, tape=tape)


def test_it_works_in_a_model_of_ones_own_under_fit():
    class Private(keras.Model):
        def __init__(self):
            super().__init__()
            self.network = small()

        def call(self, x):
            return self.network(x)

        def train_step(self, data):
            x, y = data
            with RecordingTape(self.network) as tape:
                losses = cross_entropy(self.network, x, y)
            self.optimizer.minimize(losses, self.network.trainable_variables, tape=tape)
            return {"loss": tf.reduce_mean(losses)}

    model, (x, y) = Private(), examples(64)
    model.compile(optimizer=optimizer_of(0.1, batch_size=16), steps_per_execution=2)
    history = model.fit(x, y, batch_size=16, epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.9 * history[0]
