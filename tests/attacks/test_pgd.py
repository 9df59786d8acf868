"""PGD against cleverhans; its start, its restarts."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.target import Target
from ftnoise.core.errors import BadInput
from tests.attacks.small import SEED, SHAPE, data, edged, images, predicted, trained, two_layers

BALLS = pytest.mark.parametrize("ball", [LinfBall(), L2Ball()], ids=["linf", "l2"])


@BALLS
@pytest.mark.parametrize("epsilon", [0.05, 0.4])
@pytest.mark.parametrize("random_start", [True, False])
def test_it_is_cleverhans_with_the_same_start(ball, epsilon, random_start, monkeypatch):
    pgd = importlib.import_module("cleverhans.tf2.attacks.projected_gradient_descent")
    network, x = two_layers(), edged()
    y = predicted(network, x)
    attack = PGD(attack_epsilon=epsilon, steps=7, ball=ball, random_start=random_start)
    first = tf.random.experimental.stateless_fold_in(SEED, 0)
    start_seed = tf.random.experimental.stateless_split(first, 2)[0]
    noise = ball.noise(x, epsilon, start_seed)
    monkeypatch.setattr(pgd, "random_lp_vector", lambda *arguments, **options: noise)
    known = pgd.projected_gradient_descent(
        network,
        x,
        eps=epsilon,
        eps_iter=attack.step,
        nb_iter=7,
        norm=np.inf if isinstance(ball, LinfBall) else 2,
        clip_min=0.0,
        clip_max=1.0,
        y=y,
        rand_init=random_start,
        sanity_checks=False,
    )
    found = attack.perturb(network, x, y, SEED)
    np.testing.assert_allclose(found, known, atol=1e-6)
    assert ball.size(found - x).numpy().max() > 0.9 * epsilon


# The start


@BALLS
@pytest.mark.parametrize("epsilon", [0.03, 0.3])
def test_the_start_is_uniform_in_the_ball(ball, epsilon):
    x = tf.fill([4000, *SHAPE], 0.5)
    noise = ball.noise(x, epsilon, SEED).numpy().astype(np.float64)
    size = ball.size(tf.constant(noise)).numpy()
    assert size.max() <= epsilon * (1 + 1e-6)
    # Of a uniform draw, (size / radius)^dimension is uniform, whatever the norm.
    share = (size / epsilon) ** 25
    assert share.mean() == pytest.approx(0.5, abs=0.02)
    assert (share < 0.1).mean() == pytest.approx(0.1, abs=0.02)
    # Neither that of a ball of two thirds nor of three halves the radius.
    for wrong in (2 / 3, 3 / 2):
        assert abs(np.minimum((size / (wrong * epsilon)) ** 25, 1).mean() - 0.5) > 0.2
    assert abs(noise.mean()) < 5 * noise.std() / np.sqrt(noise.size)
    if isinstance(ball, LinfBall):
        assert noise.std() == pytest.approx(epsilon / np.sqrt(3), rel=0.02)


@BALLS
def test_the_start_is_clipped_and_keyed(ball):
    x = edged(200)
    start = ball.neighbor(x, 0.3, SEED)
    assert start.numpy().min() >= 0
    assert start.numpy().max() <= 1
    assert np.array_equal(start, ball.neighbor(x, 0.3, SEED))
    other = ball.neighbor(x, 0.3, tf.constant([11, 13], tf.int64))
    inside = (x.numpy() > 0.3) & (x.numpy() < 0.7)
    moves = [(one - x).numpy()[inside] for one in (start, other)]
    assert abs(np.corrcoef(*moves)[0, 1]) < 0.15


# Restarts


def broken(network, attack, x, y, seed=SEED):
    return predicted(network, attack.perturb(network, x, y, seed)).numpy() != y.numpy()


def test_an_example_is_broken_if_any_restart_breaks_it():
    network = trained()
    x, y = (tf.constant(part) for part in data(300))
    y = tf.cast(y, tf.int32)
    # Weak enough that the start matters.
    attack = PGD(attack_epsilon=0.12, steps=1, step_size=0.02)
    several = PGD(attack_epsilon=0.12, steps=1, step_size=0.02, restarts=4)
    alone = []
    for restart in range(4):
        found = attack.ascent(Target(network), x, y, SEED, restart)
        alone.append(predicted(network, found).numpy() != y.numpy())
    assert 0 < sum(map(np.sum, alone)) < 4 * np.sum(np.any(alone, axis=0))
    assert np.array_equal(broken(network, several, x, y), np.any(alone, axis=0))
    assert broken(network, attack, x, y).sum() < broken(network, several, x, y).sum()


def test_where_no_restart_breaks_it_the_highest_loss_is_returned():
    network = trained()
    x, y = (tf.constant(part) for part in data(50))
    y = tf.cast(y, tf.int32)
    attack = PGD(attack_epsilon=0.02, steps=1, restarts=3)
    target = Target(network)

    def height(found):
        return target.height(found, y, SEED).numpy()

    found = height(attack.perturb(network, x, y, SEED))
    each = [height(attack.ascent(target, x, y, SEED, restart)) for restart in range(3)]
    assert np.isfinite(found).sum() > 10
    np.testing.assert_array_equal(found, np.max(each, axis=0))


def test_one_restart_is_the_first_of_several():
    network, x = two_layers(), images()
    y = predicted(network, x)
    attack = PGD(attack_epsilon=0.1, steps=2)
    first, second = (attack.ascent(Target(network), x, y, SEED, n) for n in (0, 1))
    assert np.array_equal(first, attack.perturb(network, x, y, SEED))
    assert not np.array_equal(first, second)


def test_restarts_from_the_same_place_are_refused():
    with pytest.raises(BadInput, match=r"one restart without a random start.*restarts=2"):
        PGD(attack_epsilon=0.1, restarts=2, random_start=False)
    with pytest.raises(BadInput, match="restarts to be an integer >= 1"):
        PGD(attack_epsilon=0.1, restarts=0)
    assert PGD(attack_epsilon=0.1).trains
    assert not PGD(attack_epsilon=0.1, restarts=2).trains
