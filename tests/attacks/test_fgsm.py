"""FGSM against cleverhans and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from cleverhans.tf2.attacks.fast_gradient_method import fast_gradient_method

from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.fgsm import FGSM
from tests.attacks.small import SEED, edged, loss_gradient, network_of, predicted, two_layers


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


def sharp(factor):
    """A network that is very sure, so that its gradients are small."""
    network = two_layers()
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([factor * kernel, factor * bias])
    return network


def test_in_l2_a_small_gradient_is_followed_all_the_way():
    network, x = sharp(60), edged()
    y = predicted(network, x)
    linf = {"eps": 0.1, "clip_min": 0.0, "clip_max": 1.0, "y": y}
    known = fast_gradient_method(network, x, norm=np.inf, **linf)
    found = FGSM(attack_epsilon=0.1).perturb(network, x, y, SEED)
    np.testing.assert_allclose(found, known, atol=1e-6)

    gradient = loss_gradient(network, x, y)
    largest = tf.reduce_max(tf.abs(gradient), axis=[1, 2, 3], keepdims=True)
    alive = np.ravel(largest) > 0
    # Deviation 1: cleverhans goes less far along those of a length under 1e-6.
    length = np.ravel(largest * tf.norm(gradient / largest, axis=[1, 2], keepdims=True))
    assert (length[alive] < 1e-6).any()
    found = FGSM(attack_epsilon=0.1, ball=L2Ball()).perturb(network, x, y, SEED)
    scaled = np.divide(
        gradient, largest, where=np.asarray(largest) > 0, out=np.zeros_like(gradient)
    )
    unit = scaled / np.maximum(np.sqrt((scaled**2).sum(axis=(1, 2, 3), keepdims=True)), 1e-9)
    moved = np.clip(x + 0.1 * unit, 0, 1)
    np.testing.assert_allclose(found[alive], moved[alive], atol=1e-6)


def test_two_classes_have_a_closed_form():
    network = network_of(classes=2)
    x = tf.fill([4, 5, 5, 1], 0.5)
    kernel = network.layers[-1].kernel.numpy()
    side = np.sign(kernel[:, 1] - kernel[:, 0]).reshape(5, 5, 1)
    found = FGSM(attack_epsilon=0.1).perturb(network, x, tf.constant([0, 1, 0, 1]), SEED)
    known = 0.5 + 0.1 * np.stack([side, -side, side, -side])
    np.testing.assert_allclose(found, known, atol=1e-6)
