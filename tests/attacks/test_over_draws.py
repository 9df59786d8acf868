"""Attacks whose gradients are averaged over draws: the average, its draws, its budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import LinfBall
from ftnoise.attacks.attack import OverDraws
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.spsa import SPSA
from ftnoise.attacks.target import Compiled, Target
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import spec_id
from ftnoise.layers.drawing import Fixed
from tests.attacks.small import SEED, SHAPE, data, graph, images, noisy, predicted, two_layers

KINDS = (Target, lambda network: Compiled(network, SHAPE))


def example(count):
    """Copies of one image, whose noise differs, and their label."""
    x, y = data(1)
    return tf.repeat(tf.constant(x), count, axis=0), tf.repeat(tf.constant(y, tf.int32), count)


@pytest.mark.parametrize("kind", KINDS)
def test_the_average_is_the_expected_gradient_and_not_that_of_the_mean_network(kind):
    network, (x, y) = noisy(sigma=3.0), example(200)
    found = kind(network).expected_gradient(x, y, SEED, 25).numpy().reshape(200, 25)
    # The expectation from other draws: the gradient is linear in the probabilities of the classes.
    clean = Fixed(network)
    logits = clean(x[:1]).numpy()
    noise = 3.0 * np.random.default_rng(0).normal(size=(200_000, 3))
    expected = tf.reduce_mean(tf.nn.softmax(logits + noise), axis=0).numpy()
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = clean(x)
    slopes = tape.batch_jacobian(outputs, x)[0].numpy().reshape(3, 25)
    expected = (expected - np.eye(3)[y[0]]) @ slopes
    error = found.std(axis=0, ddof=1) / np.sqrt(200)
    assert (np.abs(found.mean(axis=0) - expected) < 5 * error + 1e-6).all()
    mean = Target(clean).gradient(x[:1], y[:1], SEED).numpy().ravel()
    assert (np.abs(found.mean(axis=0) - mean) > 10 * error).mean() > 0.5
    # It is as narrow as 25 draws make it.
    single = kind(network).gradient(x, y, SEED).numpy().reshape(200, 25)
    ratio = single.std(axis=0) / found.std(axis=0)
    assert np.median(ratio) == pytest.approx(5, rel=0.2)


class Recorded(Target):
    """Records the draws of its gradients and logits."""

    def __init__(self, network):
        super().__init__(network)
        self.draws = []

    def gradient(self, x, y, seed):
        self.draws.append(tuple(np.asarray(seed)))
        return super().gradient(x, y, seed)

    def logits(self, x, seed):
        self.draws.append(tuple(np.asarray(seed)))
        return super().logits(x, seed)


def draws_of(attack, count=2):
    target, (x, y) = Recorded(noisy()), data(count)
    attack.perturb(target, x, tf.constant(y, tf.int32), SEED)
    return target.draws


def test_each_step_has_new_draws_unless_they_are_frozen():
    attack = PGD(attack_epsilon=0.1, steps=4, draws=3)
    fresh = draws_of(attack)
    assert len(fresh) == len(set(fresh)) == 12
    frozen = draws_of(replace(attack, frozen=True))
    assert len(set(frozen)) == 3
    assert frozen == 4 * frozen[:3]
    assert len(set(draws_of(PGD(attack_epsilon=0.1, steps=4, frozen=True)))) == 1
    assert len(set(draws_of(FGSM(attack_epsilon=0.1, draws=5)))) == 5
    # Frozen draws are those of a seed, not the same for all.
    target, (x, y) = Recorded(noisy()), data(2)
    replace(attack, frozen=True).perturb(target, x, tf.constant(y, tf.int32), SEED + 1)
    assert not set(target.draws) & set(frozen)


def test_spsa_takes_the_mean_loss_over_draws_of_each_step():
    attack = SPSA(attack_epsilon=0.3, steps=3, samples=4, draws=5, learning_rate=1e-4)
    found = draws_of(attack, count=1)
    # Cleverhans also evaluates the loss once a step, at the iterate.
    assert len(set(found)) == 5 * len(set(draws_of(attack.averaged(1), count=1)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", [False, True])
def test_steps_go_along_the_sign_of_the_average(kind, frozen):
    target, (x, y) = kind(noisy(sigma=3.0)), data(6)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    how = {"attack_epsilon": 0.1, "step_size": 0.03, "seed": SEED}
    found = target.ascend(LinfBall(), x, y, x, 4, frozen, steps=2, **how)
    moved, project = x, LinfBall().projection(x, 0.1)
    for step in range(2):
        own = SEED if frozen else tf.random.experimental.stateless_fold_in(SEED, step)
        gradients = [
            target.gradient(moved, y, tf.random.experimental.stateless_fold_in(own, n))
            for n in range(4)
        ]
        moved = project(moved + 0.03 * tf.sign(tf.add_n(gradients)))
    np.testing.assert_allclose(found, moved, atol=1e-6)


def test_noise_decides_the_direction_and_without_it_no_seed_does():
    network, (x, y) = noisy(sigma=3.0), data(6)
    attack = PGD(attack_epsilon=0.1, steps=3, draws=2, random_start=False)
    y = tf.constant(y, tf.int32)
    for one, same in ((network, False), (Fixed(network), True), (two_layers(), True)):
        moved = [attack.perturb(one, x, y, SEED + n).numpy() for n in range(2)]
        assert np.array_equal(*moved) == same


@pytest.mark.parametrize(
    "attack",
    [
        PGD(attack_epsilon=0.1, steps=3, draws=3),
        PGD(attack_epsilon=0.1, steps=3, draws=2, frozen=True, restarts=2),
        FGSM(attack_epsilon=0.1, draws=3),
        SPSA(attack_epsilon=0.1, steps=2, samples=8, draws=2),
    ],
    ids=lambda attack: attack.label,
)
def test_a_graph_finds_the_same(attack):
    network, x = noisy(), images(3)
    y = predicted(two_layers(), x)
    found = attack.perturb(network, x, y, SEED)
    np.testing.assert_allclose(graph(attack, network)(x, y), found, atol=1e-5)
    assert LinfBall().size(found - x).numpy().max() <= 0.1 + 1e-6


def test_one_draw_is_the_attack_without_the_field():
    for kind in (PGD, FGSM, SPSA):
        plain = kind(attack_epsilon=0.1)
        assert spec_id(plain.averaged(1)) == spec_id(plain) != spec_id(plain.averaged(2))
    target, (x, y) = Target(noisy()), example(3)
    same = target.expected_gradient(x, y, SEED, 1)
    assert np.array_equal(same, target.gradient(x, y, SEED))


def test_the_same_budget_has_one_draw_a_step_and_reaches_as_far():
    attack = PGD(attack_epsilon=0.1, steps=4, draws=5, frozen=True)
    other = attack.undrawn()
    assert other == PGD(attack_epsilon=0.1, steps=20, step_size=0.005)
    assert len(draws_of(other)) == len(draws_of(attack)) == 20
    assert FGSM(attack_epsilon=0.1, draws=5).undrawn() is None


def test_names_and_bad_fields():
    assert PGD(attack_epsilon=1, draws=20).label == "PGD-20 over 20 draws, l_inf 1"
    assert PGD(attack_epsilon=1, draws=2, frozen=True).name == "PGD-20 over 2 draws, frozen"
    assert FGSM(attack_epsilon=1, draws=2).name == "FGSM over 2 draws"
    assert SPSA(attack_epsilon=1, draws=2).name == "SPSA-20 over 2 draws"
    for kind in (PGD, FGSM, SPSA):
        with pytest.raises(BadInput, match="draws to be an integer >= 1"):
            kind(attack_epsilon=0.1, draws=0)
    with pytest.raises(BadInput, match="frozen to be a bool"):
        PGD(attack_epsilon=0.1, frozen=1)
    with pytest.raises(TypeError, match="abstract"):
        OverDraws(attack_epsilon=0.1)
