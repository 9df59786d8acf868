"""Carlini and Wagner's attack against the nearest boundary of a linear network."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import LinfBall
from ftnoise.attacks.carlini_wagner import CarliniWagner
from ftnoise.core.errors import BadInput
from tests.attacks.small import SEED, Around, images, network_of, predicted


def test_it_comes_close_to_the_nearest_boundary_of_a_linear_network():
    """Of images with several channels, on which cleverhans fails in batches of three."""
    network = network_of(classes=2, shape=(5, 5, 2))
    x = tf.repeat(images(3, low=0.4, high=0.6), 2, axis=-1)
    y = predicted(network, x)
    kernel = network.layers[-1].kernel.numpy()
    logits = network(x).numpy()
    known = np.abs(logits[:, 0] - logits[:, 1]) / np.linalg.norm(kernel[:, 0] - kernel[:, 1])
    attack = CarliniWagner(attack_epsilon=3, iterations=150, searches=8, learning_rate=0.01)
    found = attack.perturb(network, x, y, SEED)
    assert not (predicted(network, found) == y).numpy().any()
    size = attack.ball.size(found - x).numpy()
    # Nearer than the boundary there is nothing.
    assert np.all(size >= known * 0.999)
    np.testing.assert_allclose(size, known, rtol=0.1, atol=0.01)
    # What is too far counts as not found, what was wrong stays as it was.
    near = CarliniWagner(attack_epsilon=float(known.min()) / 2, iterations=50)
    assert np.array_equal(near.perturb(network, x, y, SEED), x)
    assert np.array_equal(attack.perturb(network, x, 1 - y, SEED), x)


def test_what_it_cannot_do_is_refused_in_one_line():
    with pytest.raises(BadInput, match=r"ball to be L2Ball\(\) for CarliniWagner"):
        CarliniWagner(attack_epsilon=0.1, ball=LinfBall())
    flat = network_of(shape=(25,))
    with pytest.raises(BadInput, match=r"images of height, width and channels.*x=\(25,\)"):
        CarliniWagner(attack_epsilon=1).perturb(
            flat, tf.fill([2, 25], 0.5), tf.constant([0, 1]), SEED
        )
    rounded = Around(lambda x: tf.round(network_of()(x)))
    with pytest.raises(BadInput, match="outputs have a gradient in the input"):
        CarliniWagner(attack_epsilon=1).perturb(rounded, images(2), tf.constant([0, 1]), SEED)
    for fields, message in (
        ({"iterations": 0}, "iterations to be"),
        ({"searches": 0}, "searches to be"),
        ({"learning_rate": 0}, "learning_rate > 0"),
        ({"initial_constant": -1}, "initial_constant > 0"),
        ({"confidence": -1}, "confidence >= 0"),
    ):
        with pytest.raises(BadInput, match=message):
            CarliniWagner(**{"attack_epsilon": 0.1} | fields)
