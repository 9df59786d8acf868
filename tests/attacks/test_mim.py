"""MIM against the formula of its source and against cleverhans."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from cleverhans.tf2.attacks.momentum_iterative_method import momentum_iterative_method

from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.mim import MIM
from ftnoise.core.errors import BadInput
from tests.attacks.small import SEED, edged, images, loss_gradient, predicted, two_layers


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_it_is_the_formula_of_the_source(decay):
    network, x = two_layers(), edged()
    y = predicted(network, x)
    known, total = x, tf.zeros_like(x)
    for _ in range(5):
        gradient = loss_gradient(network, known, y)
        mean = tf.reduce_mean(tf.abs(gradient), axis=[1, 2, 3], keepdims=True)
        total = decay * total + gradient / mean
        moved = x + tf.clip_by_value(known + 0.03 * tf.sign(total) - x, -0.1, 0.1)
        known = tf.clip_by_value(moved, 0, 1)
    attack = MIM(attack_epsilon=0.1, steps=5, step_size=0.03, decay=decay)
    np.testing.assert_allclose(attack.perturb(network, x, y, SEED), known, atol=1e-6)


@pytest.mark.parametrize(
    ("norm", "ball", "x"),
    [(np.inf, LinfBall(), edged()), (2, L2Ball(), images(low=0.3, high=0.7))],
)
def test_it_is_cleverhans(norm, ball, x):
    network = two_layers()
    y = predicted(network, x)
    attack = MIM(attack_epsilon=0.25, steps=6, ball=ball)
    known = momentum_iterative_method(
        network,
        x,
        eps=0.25,
        eps_iter=attack.step,
        nb_iter=6,
        norm=norm,
        clip_min=0.0,
        clip_max=1.0,
        y=y,
        sanity_checks=False,
    )
    np.testing.assert_allclose(attack.perturb(network, x, y, SEED), known, atol=1e-5)


def test_a_negative_decay_is_refused():
    with pytest.raises(BadInput, match="decay >= 0"):
        MIM(attack_epsilon=0.1, decay=-1)
