"""The inner maximization of TRADES against the released code, cleverhans and closed forms."""

from __future__ import annotations

import importlib
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.training.inputs.trades import TRADES, kl_divergence
from tests.samples import spread_is
from tests.training.inputs.small import (
    BALLS,
    SEED,
    SHAPE,
    edged_images,
    images,
    in_double,
    logits_of,
)


def slope_of(weights, x, p):
    """Gradient in x of KL(p || softmax f(x)), summed over the batch, by hand."""
    kernel, bias, last, _ = weights
    active = x.reshape(len(x), -1) @ kernel + bias > 0
    q = softmax(logits_of(weights, x), axis=1)
    return (((q - p) @ last.T * active) @ kernel.T).reshape(x.shape)


def starts(network, x, seed=SEED, **fields):
    """x + 0.001 * N(0, 1) as the attack draws it."""
    return TRADES(attack_epsilon=0.1, steps=0, **fields).perturb(network, x, seed)


# The start


def test_the_start_noise_has_a_standard_deviation_of_a_thousandth(network):
    x = tf.zeros([1000, *SHAPE])
    noise = (starts(network, x) - x).numpy().astype(np.float64)
    assert spread_is(noise, 0.001)
    assert not spread_is(noise, 0.001 * 2 / 3)
    assert not spread_is(noise, 0.001 * 3 / 2)
    assert abs(noise.mean()) < 5 * 0.001 / np.sqrt(noise.size)
    # Normal, not uniform: the fourth moment is 3, not 1.8; and not clipped at 0.
    assert np.mean((noise / 0.001) ** 4) == pytest.approx(3, abs=0.4)
    assert (noise < 0).mean() == pytest.approx(0.5, abs=0.05)


def test_the_start_noise_is_keyed(network):
    x = images(100)
    first = starts(network, x)
    assert np.array_equal(first, starts(network, x))
    other = starts(network, x, seed=(11, 13))
    assert abs(np.corrcoef(np.ravel(first - x), np.ravel(other - x))[0, 1]) < 0.15


# The perturbed examples


@BALLS
@pytest.mark.parametrize("epsilon", [0.0, 0.0005, 0.1, 0.7, 1.0])
def test_perturbed_examples_are_in_the_ball_and_in_the_image_range(network, ball, epsilon):
    x = edged_images()
    spec = TRADES(attack_epsilon=epsilon, steps=5, ball=ball)
    found = spec.perturb(network, x, SEED).numpy()
    assert found.min() >= 0
    assert found.max() <= 1
    difference = (found - x.numpy()).astype(np.float64).reshape(len(x), -1)
    size = np.linalg.norm(difference, axis=1) if isinstance(ball, L2Ball) else np.abs(difference)
    assert size.max() <= epsilon + 1e-6
    if 0 < epsilon < 0.5:
        assert size.max() > 0.9 * epsilon


def released_linf(weights, x, start, epsilon, step, steps):
    """The released code's l_inf attack in double precision."""
    p = softmax(logits_of(weights, x), axis=1)
    adversarial = start
    for _ in range(steps):
        adversarial = adversarial + step * np.sign(slope_of(weights, adversarial, p))
        adversarial = np.minimum(np.maximum(adversarial, x - epsilon), x + epsilon)
        adversarial = np.clip(adversarial, 0, 1)
    return np.clip(adversarial, 0, 1)


def released_l2(weights, x, start, epsilon, steps):
    """The released code's l_2 attack: an SGD step down -KL, clamp to the image, `renorm_`."""
    p = softmax(logits_of(weights, x), axis=1)
    delta, rate = start - x, 2 * epsilon / steps
    for _ in range(steps):
        gradient = -slope_of(weights, x + delta, p)
        gradient /= np.sqrt(np.sum(gradient**2, axis=(1, 2, 3), keepdims=True))
        delta = delta - rate * gradient
        delta = np.clip(delta + x, 0, 1) - x
        norms = np.sqrt(np.sum(delta**2, axis=(1, 2, 3), keepdims=True))
        delta = np.where(norms > epsilon, delta * epsilon / (norms + 1e-7), delta)
    return np.clip(x + delta, 0, 1)


@pytest.mark.parametrize("epsilon", [0.03, 0.4])
def test_linf_is_the_released_code_also_at_the_edge_of_the_image_range(precise, epsilon):
    x = tf.cast(edged_images(12), tf.float64)
    arguments = (in_double(precise), x.numpy(), starts(precise, x).numpy(), epsilon)
    for spec, step in (
        (TRADES(attack_epsilon=epsilon, steps=6), epsilon / 4),
        (TRADES(attack_epsilon=epsilon, steps=6, step_size=0.02), 0.02),
    ):
        known = released_linf(*arguments, step, 6)
        np.testing.assert_allclose(spec.perturb(precise, x, SEED), known, atol=1e-12)


@pytest.mark.parametrize("epsilon", [0.1, 0.8])
@pytest.mark.parametrize("steps", [1, 4])
def test_l2_is_the_released_code_also_at_the_edge_of_the_image_range(precise, epsilon, steps):
    x = tf.cast(edged_images(12), tf.float64)
    start, weights = starts(precise, x).numpy(), in_double(precise)
    p = softmax(logits_of(weights, x.numpy()), axis=1)
    # Rows without a gradient go a random way; they have a test of their own.
    alive = np.any(slope_of(weights, start, p) != 0, axis=(1, 2, 3))
    assert alive.sum() > 8
    known = released_l2(weights, x.numpy()[alive], start[alive], epsilon, steps)
    found = TRADES(attack_epsilon=epsilon, steps=steps, ball=L2Ball()).perturb(precise, x, SEED)
    # `renorm_` divides by the norm plus 1e-7.
    np.testing.assert_allclose(found.numpy()[alive], known, atol=1e-6)


def test_l2_rows_without_a_gradient_go_a_random_way(network):
    kernel, _, last, _ = network.get_weights()
    # Every unit is dead, so the divergence is flat.
    network.set_weights([kernel, np.full(6, -100, np.float32), last, np.zeros(3, np.float32)])
    x = tf.fill([300, *SHAPE], 0.5)
    spec = TRADES(attack_epsilon=0.2, steps=40, ball=L2Ball())
    one_step = TRADES(attack_epsilon=0.2, steps=1, step_size=spec.step, ball=L2Ball())
    moved = one_step.perturb(network, x, SEED) - starts(network, x)
    moved = moved.numpy().astype(np.float64)
    assert spec.step == pytest.approx(0.01)
    assert spread_is(moved, spec.step)
    assert not spread_is(moved, spec.step * 2 / 3)
    assert not spread_is(moved, spec.step * 3 / 2)


@pytest.mark.parametrize("norm", [np.inf, 2])
def test_perturbed_examples_are_cleverhans(network, norm, monkeypatch):
    pgd = importlib.import_module("cleverhans.tf2.attacks.projected_gradient_descent")
    # It clips its start to the image range, so keep away from the edge; for l_2 it projects before
    # it clips, which is the same there. It works in single precision, so start where the gradient
    # has its digits.
    x = images(low=0.35, high=0.65)
    noise = starts(network, x, start_scale=0.02) - x
    monkeypatch.setattr(pgd, "random_lp_vector", lambda *arguments, **options: noise)

    def divergence(labels, logits):
        return kl_divergence(tf.math.log(labels), logits)

    known = pgd.projected_gradient_descent(
        network,
        x,
        eps=0.2,
        eps_iter=0.05,
        nb_iter=7,
        norm=norm,
        loss_fn=divergence,
        clip_min=0.0,
        clip_max=1.0,
        y=tf.nn.softmax(network(x)),
        rand_init=True,
        rand_minmax=0.2,
        sanity_checks=False,
    )
    found = TRADES(
        attack_epsilon=0.2,
        step_size=0.05,
        steps=7,
        ball=L2Ball() if norm == 2 else LinfBall(),
        start_scale=0.02,
    ).perturb(network, x, SEED)
    np.testing.assert_allclose(found, known, atol=5e-5)
    assert np.abs(found - x).max() > 0.05


@BALLS
def test_the_divergence_never_falls_on_a_linear_model(network_of, ball):
    # Away from the edge of the image range, where clipping in l_2 is no projection.
    linear = network_of()
    x = images(20, low=0.3, high=0.7)
    divergences = []
    for steps in range(8):
        spec = TRADES(attack_epsilon=0.2, step_size=0.04, steps=steps, ball=ball)
        found = spec.perturb(linear, x, SEED)
        divergences.append(kl_divergence(linear(x), linear(found)).numpy())
    for before, after in pairwise(divergences):
        assert np.all(after >= before - 1e-7)
    assert np.all(divergences[-1] > 100 * divergences[0])


def test_two_classes_have_a_closed_form():
    # KL grows with the distance of the margin on either side; the start noise picks the side.
    keras.utils.set_random_seed(0)
    linear = keras.Sequential(
        [keras.layers.Flatten(input_shape=SHAPE), keras.layers.Dense(2, use_bias=False)]
    )
    x = images(40, low=0.3, high=0.7)
    kernel = linear.layers[1].kernel.numpy()
    margin = (kernel[:, 1] - kernel[:, 0]).reshape(SHAPE)
    side = np.sign(np.sum((starts(linear, x) - x) * margin, axis=(1, 2, 3)))
    assert set(side) == {-1, 1}
    found = TRADES(attack_epsilon=0.1, steps=10).perturb(linear, x, SEED)
    known = x + 0.1 * np.sign(margin) * side[:, None, None, None]
    np.testing.assert_allclose(found, known, atol=1e-6)


def test_the_attack_sees_the_network_in_inference_mode_and_leaves_it_alone(network_of):
    network = network_of(
        keras.layers.BatchNormalization(),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.Dropout(0.5),
    )
    before = [w.tobytes() for w in network.get_weights()]
    twin = network_of(keras.layers.Dense(6, activation="relu"))
    kernel, *rest = network.get_weights()[4:]
    # At the start mean 0, variance 1, gamma 1, beta 0: a factor that the kernel can take.
    twin.set_weights([kernel / np.sqrt(1.001), *rest])
    for ball in (LinfBall(), L2Ball()):
        # The twin rounds otherwise; start where the gradient has digits to spare.
        spec = TRADES(attack_epsilon=0.1, steps=3, ball=ball, start_scale=0.02)
        found = tf.function(spec.perturb)(network, images(), SEED)
        np.testing.assert_allclose(found, spec.perturb(twin, images(), SEED), atol=1e-5)
    assert [w.tobytes() for w in network.get_weights()] == before
