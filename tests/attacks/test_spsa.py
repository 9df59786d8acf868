"""SPSA: finds what gradients find without them, keyed, with the learning rate that it is given."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.spsa import SPSA, _keyed
from ftnoise.core.errors import BadInput
from tests.attacks.small import SEED, Around, data, graph, images, predicted, trained, two_layers


def broken(network, attack, x, y):
    return predicted(network, graph(attack, network)(x, y)).numpy() != y.numpy()


def test_it_breaks_about_what_pgd_breaks_and_rounding_does_not_stop_it():
    network = trained()
    x, y = data(40)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    attack = SPSA(attack_epsilon=0.1, steps=30, samples=64)
    white = broken(network, PGD(attack_epsilon=0.1), x, y)
    black = broken(network, attack, x, y)
    assert 5 < white.sum() < 35
    assert black.sum() >= 0.8 * white.sum()
    rounded = Around(lambda x: network(tf.round(100 * x) / 100))
    assert broken(rounded, attack, x, y).sum() >= 0.7 * white.sum()
    assert broken(rounded, PGD(attack_epsilon=0.1), x, y).sum() < 0.5 * white.sum()


def test_the_estimate_is_the_gradient_of_a_linear_function():
    slope = np.random.default_rng(0).normal(size=(1, 5, 5, 1)).astype(np.float32)
    optimizer = _keyed(SPSA(attack_epsilon=0.1, samples=20_000), SEED)
    x = [tf.fill([1, 5, 5, 1], 0.5)]
    state = optimizer.init_state(x)

    def loss(candidate):
        return tf.reduce_sum(candidate * slope, axis=[1, 2, 3])

    moved, state = optimizer.minimize(loss, x, state)
    # The first step of Adam is the learning rate along the sign: 0.01 and not 0.001.
    np.testing.assert_allclose(np.abs(moved[0] - x[0]), 0.01, rtol=1e-3)
    # What cleverhans calls a gradient is delta times it; Adam does not care.
    (found,) = optimizer._compute_gradients(loss, x)
    assert np.corrcoef(np.ravel(found), np.ravel(slope))[0, 1] > 0.99
    assert np.sum(found * slope) / np.sum(slope**2) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("rate", [0.001, 0.02])
def test_the_learning_rate_counts(rate):
    network, x = two_layers(), images(3)
    y = predicted(network, x)
    attack = SPSA(attack_epsilon=0.5, steps=1, samples=8, learning_rate=rate)
    start_seed = tf.random.experimental.stateless_split(
        tf.random.experimental.stateless_fold_in(SEED, 0), 2
    )[0]
    start = attack.ball.neighbor(x[:1], 0.5, start_seed)
    moved = np.abs(attack.perturb(network, x, y, SEED)[:1] - start)
    inside = (start.numpy() > 0.1) & (start.numpy() < 0.9)
    np.testing.assert_allclose(moved[inside & (moved > 0)], rate, rtol=1e-2)


def test_directions_differ_from_example_to_example_and_step_to_step():
    network = two_layers()
    x = tf.repeat(images(1), 2, axis=0)
    y = predicted(network, x)
    one, two = SPSA(attack_epsilon=0.1, steps=2, samples=8).perturb(network, x, y, SEED)
    assert not np.array_equal(one, two)
    optimizer = _keyed(SPSA(attack_epsilon=0.1, samples=2000), SEED)
    drawn = []
    for step in (0.0, 1.0):
        state = optimizer.init_state([x[:1]]) | {"t": tf.constant(step)}
        optimizer.minimize(lambda candidate: tf.reduce_sum(candidate, [1, 2, 3]), [x[:1]], state)
        drawn.append(optimizer._get_delta(x[:1], 0.01).numpy())
    assert set(np.unique(np.abs(drawn))) == {np.float32(0.01)}
    assert abs(np.corrcoef(drawn[0].ravel(), drawn[1].ravel())[0, 1]) < 0.05
    assert abs(drawn[0].mean()) < 0.001


def test_bad_fields_are_named():
    for fields, message in (
        ({"ball": L2Ball()}, r"ball to be LinfBall\(\) for SPSA"),
        ({"samples": 0}, "samples to be an integer >= 2"),
        ({"samples": 3}, "an even number of samples"),
        ({"learning_rate": 0}, "learning_rate > 0"),
        ({"delta": -1}, "delta > 0"),
    ):
        with pytest.raises(BadInput, match=message):
            SPSA(**{"attack_epsilon": 0.1} | fields)
