"""Variation against closed forms and against other attacks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.variation import Variation
from tests.attacks.small import SEED, images, network_of, predicted, trained


def change(network, x, moved):
    return np.abs(tf.nn.softmax(network(moved)) - tf.nn.softmax(network(x))).max(axis=1)


@pytest.mark.parametrize("ball", [LinfBall(), L2Ball()])
def test_on_two_classes_of_a_linear_network_it_reaches_the_maximum(ball):
    network = network_of(classes=2)
    kernel = network.weights[0].numpy()
    x = images(low=0.4, high=0.6)
    slope = kernel[:, 0] - kernel[:, 1]
    dual = np.abs(slope).sum() if isinstance(ball, LinfBall) else np.linalg.norm(slope)
    logits = network(x).numpy()
    odds = logits[:, 0] - logits[:, 1]
    ends = [np.abs(tf.sigmoid(odds + s * 0.1 * dual) - tf.sigmoid(odds)) for s in (1, -1)]
    known = np.maximum(*ends)
    attack = Variation(attack_epsilon=0.1, ball=ball, steps=20, step_size=0.1)
    moved = attack.perturb(network, x, tf.zeros(len(x), tf.int32), SEED)
    np.testing.assert_allclose(change(network, x, moved), known, rtol=1e-3)


def test_it_changes_the_softmax_at_least_as_much_as_attacks_on_the_loss():
    network, x = trained(), images(100)
    y = predicted(network, x)
    own = change(network, x, Variation(attack_epsilon=0.1).perturb(network, x, y, SEED))
    loss = change(network, x, PGD(attack_epsilon=0.1).perturb(network, x, y, SEED))
    assert (own >= loss - 0.02).mean() > 0.95
    assert own.mean() > loss.mean()


def test_it_finds_its_way_where_the_softmax_saturates():
    network = keras.Sequential([trained(), keras.layers.Rescaling(1000.0)])
    x = images(100)
    moved = Variation(attack_epsilon=0.3).perturb(network, x, predicted(network, x), SEED)
    assert (change(network, x, moved) > 0.99).mean() > 0.9
