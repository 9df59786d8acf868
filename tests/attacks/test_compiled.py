"""A compiled network gives what the network gives, for every batch, and follows its parameters."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball, input_gradient
from ftnoise.attacks.compiled import Compiled, cross_entropy
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from tests.attacks.small import SEED, SHAPE, images, predicted, two_layers


@pytest.mark.parametrize("count", [1, 3, 8])
def test_answers_and_gradients_are_the_networks(count):
    network, x = two_layers(), images(count)
    y = (predicted(network, x) + 1) % 3
    compiled = Compiled(network, SHAPE)
    np.testing.assert_allclose(compiled(x), network(x), atol=1e-6)
    known = input_gradient(cross_entropy(network, y), x)
    np.testing.assert_allclose(compiled.loss_gradient(x, y), known, atol=1e-6)
    assert not compiled.right(x, y).numpy().any()
    assert compiled.right(x, predicted(network, x)).numpy().all()


def test_it_follows_the_parameters():
    network, x = two_layers(), images(4)
    compiled = Compiled(network, SHAPE)
    before = compiled(x).numpy()
    network.set_weights([2 * part for part in network.get_weights()])
    assert not np.allclose(compiled(x), before)
    np.testing.assert_allclose(compiled(x), network(x), atol=1e-6)


@pytest.mark.parametrize(
    "attack",
    [
        FGSM(attack_epsilon=0.1),
        PGD(attack_epsilon=0.1, steps=7),
        PGD(attack_epsilon=0.1, steps=4, restarts=3),
        PGD(attack_epsilon=0.5, steps=4, ball=L2Ball()),
    ],
    ids=lambda attack: attack.label,
)
def test_step_by_step_an_attack_finds_what_it_finds_in_one_graph(attack):
    network, x = two_layers(), images(6)
    y = predicted(network, x)
    whole = tf.function(lambda x, y: attack.perturb(network, x, y, SEED), autograph=False)(x, y)
    found = attack.perturb(Compiled(network, SHAPE), x, y, SEED)
    np.testing.assert_allclose(found, whole, atol=1e-5)
