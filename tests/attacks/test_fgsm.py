"""FGSM against cleverhans and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.fgsm import FGSM
from tests.attacks.small import SEED, edged, network_of, predicted, two_layers


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.7])
@pytest.mark.parametrize(("norm", "ball"), [(np.inf, LinfBall()), (2, L2Ball())])
def test_it_is_cleverhans(norm, ball, epsilon):
    network, x = two_layers(), edged()
    y = predicted(network, x)
    known = fast_gradient_method(
        network, x, eps=epsilon, norm=norm, clip_min=0.0, clip_max=1.0, y=y
    )
    found = FGSM(attack_epsilon=epsilon, ball=ball).perturb(network, x, y, SEED)
    np.testing.assert_allclose(found, known, atol=1e-6)
    assert ball.size(found - x).numpy().max() > 0.9 * epsilon


def test_two_classes_have_a_closed_form():
    network = network_of(classes=2)
    x = tf.fill([4, 5, 5, 1], 0.5)
    kernel = network.layers[-1].kernel.numpy()
    side = np.sign(kernel[:, 1] - kernel[:, 0]).reshape(5, 5, 1)
    found = FGSM(attack_epsilon=0.1).perturb(network, x, tf.constant([0, 1, 0, 1]), SEED)
    known = 0.5 + 0.1 * np.stack([side, -side, side, -side])
    np.testing.assert_allclose(found, known, atol=1e-6)
