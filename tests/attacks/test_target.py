"""A compiled target gives what the network gives, for every batch, and follows its parameters."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.apgd import APGD
from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.mim import MIM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.target import Compiled, Target
from tests.attacks.small import SEED, SHAPE, Around, graph, images, noisy, predicted, two_layers

OTHER = SEED + 1


@pytest.mark.parametrize("count", [1, 3, 8])
def test_logits_and_gradients_are_the_networks(count):
    network, x = two_layers(), images(count)
    y = (predicted(network, x) + 1) % 3
    target, compiled = Target(network), Compiled(network, SHAPE)
    assert np.array_equal(target.logits(x, SEED), network(x))
    np.testing.assert_allclose(compiled.logits(x, SEED), network(x), atol=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x))
    known = tape.gradient(loss, x)
    np.testing.assert_allclose(target.gradient(x, y, SEED), known, atol=1e-6)
    np.testing.assert_allclose(compiled.gradient(x, y, SEED), known, atol=1e-6)


def test_it_follows_the_parameters():
    network, x = two_layers(), images(4)
    compiled = Compiled(network, SHAPE)
    before = compiled.logits(x, SEED).numpy()
    network.set_weights([2 * part for part in network.get_weights()])
    assert not np.allclose(compiled.logits(x, SEED), before)
    np.testing.assert_allclose(compiled.logits(x, SEED), network(x), atol=1e-6)


@pytest.mark.parametrize("network", [two_layers, noisy], ids=["deterministic", "draws"])
@pytest.mark.parametrize(
    "attack",
    [
        APGD(attack_epsilon=0.1, steps=4, restarts=2),
        FGSM(attack_epsilon=0.1),
        MIM(attack_epsilon=0.1, steps=4),
        PGD(attack_epsilon=0.1, steps=7),
        PGD(attack_epsilon=0.1, steps=4, restarts=3),
        PGD(attack_epsilon=0.5, steps=4, ball=L2Ball()),
    ],
    ids=lambda attack: attack.label,
)
def test_step_by_step_an_attack_finds_what_it_finds_in_one_graph(attack, network):
    network, x = network(), images(6)
    y = predicted(two_layers(), x)
    found = attack.perturb(Compiled(network, SHAPE), x, y, SEED)
    np.testing.assert_allclose(found, graph(attack, network)(x, y), atol=1e-4)


def test_a_network_that_draws_repeats_with_the_seed_and_differs_with_another():
    x = images(5)
    y = tf.zeros(5, tf.int32)
    for target in (Target(noisy()), Compiled(noisy(), SHAPE)):
        for function, inputs in ((target.logits, [x]), (target.gradient, [x, y])):
            assert np.array_equal(function(*inputs, SEED), function(*inputs, SEED))
            assert not np.array_equal(function(*inputs, SEED), function(*inputs, OTHER))


@pytest.mark.parametrize("kind", [Target, lambda network: Compiled(network, SHAPE)])
def test_each_step_of_an_ascent_has_a_draw_of_its_own(kind):
    x, y = tf.fill([4, *SHAPE], 0.5), tf.zeros(4, tf.int32)
    # The labels are told by the noise alone, so it decides the direction of each step.
    target = kind(noisy(sigma=50.0))
    how = {"attack_epsilon": 0.5, "step_size": 0.01, "seed": SEED}
    path = [target.ascend(LinfBall(), x, y, x, steps=steps, **how) for steps in (1, 2, 3)]
    moves = [path[0] - x, path[1] - path[0], path[2] - path[1]]
    assert not np.allclose(moves[0], moves[1], atol=1e-3)
    assert not np.allclose(moves[1], moves[2], atol=1e-3)
    assert np.array_equal(path[2], target.ascend(LinfBall(), x, y, x, steps=3, **how))


def test_steps_are_traced_once_for_all_radii():
    network, traced = two_layers(), []

    def count(x):
        traced.append(x.shape)
        return network(x)

    target, x, y = Compiled(Around(count), SHAPE), images(4), tf.zeros(4, tf.int32)
    for radius, steps in ((0.1, 5), (0.2, 10), (0.3, 1), (0.4, 7)):
        PGD(attack_epsilon=radius, steps=steps).perturb(target, x, y, SEED)
    # Five steps in one call and one step in another.
    assert len(traced) == 6
