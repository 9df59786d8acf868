"""The objective of TRADES; what the attack does stands in `test_trades_attack.py`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, rel_entr, softmax

from ftnoise.architectures import FmnistCNN1, FmnistCNN2
from ftnoise.attacks.ascent import L2Ball
from ftnoise.core.errors import BadInput
from ftnoise.training.inputs import trades
from ftnoise.training.inputs.trades import TRADES, kl_divergence, same_in_training
from tests.training.inputs.small import (
    BALLS,
    SEED,
    SHAPE,
    edged_images,
    images,
    in_double,
    logits_of,
)


def labels(count=8):
    return tf.constant(np.arange(count) % 3, tf.int32)


# The divergence


def test_the_divergence_is_scipys():
    generator = np.random.default_rng(0)
    target = generator.normal(scale=4, size=(50, 7)).astype(np.float32)
    logits = generator.normal(scale=4, size=(50, 7)).astype(np.float32)
    p, q = softmax(target.astype(np.float64), axis=1), softmax(logits.astype(np.float64), axis=1)
    known = rel_entr(p, q).sum(axis=1)
    np.testing.assert_allclose(kl_divergence(target, logits), known, rtol=1e-5)
    np.testing.assert_allclose(kl_divergence(target, target), 0, atol=1e-7)
    np.testing.assert_allclose(kl_divergence(target, target + 100), 0, atol=1e-4)


def test_the_divergence_of_sure_networks_is_finite():
    target = tf.constant([[500.0, 0.0], [500.0, 0.0]])
    logits = tf.constant([[0.0, 500.0], [500.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch([target, logits])
        value = kl_divergence(target, logits)
    assert value.numpy().tolist() == [500.0, 0.0]
    for gradient in tape.gradient(value, [target, logits]):
        assert np.all(np.isfinite(gradient))


# The objective


def slopes(network, spec, x, y):
    with tf.GradientTape() as tape:
        losses, logits = spec.objective(network, x, y, SEED)
        loss = tf.reduce_mean(losses)
    return losses.numpy(), logits.numpy(), tape.gradient(loss, network.trainable_variables)


def cross_entropy(network, x, y):
    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(y, network(x), from_logits=True)
        loss = tf.reduce_mean(losses)
    return losses.numpy(), tape.gradient(loss, network.trainable_variables)


@pytest.mark.parametrize(
    "spec",
    [
        TRADES(attack_epsilon=0.3, beta=0, steps=2),
        TRADES(attack_epsilon=0.3, beta=0, steps=2, ball=L2Ball()),
        TRADES(attack_epsilon=0, beta=6, steps=2),
        TRADES(attack_epsilon=0, beta=6, steps=2, ball=L2Ball()),
    ],
    ids=["beta 0 linf", "beta 0 l2", "radius 0 linf", "radius 0 l2"],
)
def test_without_weight_or_radius_it_is_cross_entropy(network, spec):
    x, y = edged_images(), labels()
    losses, logits, gradients = slopes(network, spec, x, y)
    known, known_gradients = cross_entropy(network, x, y)
    np.testing.assert_allclose(losses, known, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(logits, network(x), rtol=1e-6, atol=1e-6)
    for gradient, expected in zip(gradients, known_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@BALLS
def test_losses_are_cross_entropy_and_weighted_divergence_per_example(network, ball):
    x, y = edged_images(), labels()
    spec = TRADES(attack_epsilon=0.2, beta=6, steps=3, ball=ball)
    losses, logits, _ = slopes(network, spec, x, y)
    weights = in_double(network)
    adversarial = spec.perturb(network, x, SEED).numpy()
    p, q = (softmax(logits_of(weights, part), axis=1) for part in (x.numpy(), adversarial))
    robust = rel_entr(p, q).sum(axis=1)
    known = -np.log(p[np.arange(8), y.numpy()]) + 6 * robust
    assert losses.shape == (8,)
    assert robust.min() > 1e-5
    np.testing.assert_allclose(losses, known, rtol=1e-4)
    np.testing.assert_allclose(logits, logits_of(weights, x.numpy()), rtol=1e-4, atol=1e-6)


def test_gradients_are_finite_differences_with_the_perturbed_examples_held(precise):
    # A stop_gradient on softmax f(x) leaves the loss equal and changes these by far more.
    x, y = tf.cast(images(), tf.float64), labels()
    spec = TRADES(attack_epsilon=0.2, beta=3, steps=4)
    _, _, gradients = slopes(precise, spec, x, y)
    clean, adversarial = x.numpy(), spec.perturb(precise, x, SEED).numpy()
    weights = in_double(precise)

    def loss(target_weights=None):
        logits = log_softmax(logits_of(weights, clean), axis=1)
        target = logits
        if target_weights is not None:
            target = log_softmax(logits_of(target_weights, clean), axis=1)
        robust = log_softmax(logits_of(weights, adversarial), axis=1)
        divergence = np.sum(np.exp(target) * (target - robust), axis=1)
        return np.mean(3 * divergence - logits[np.arange(8), y.numpy()])

    def differences(*arguments):
        found = [np.zeros_like(weight) for weight in weights]
        for weight, slope in zip(weights, found, strict=True):
            for place in np.ndindex(weight.shape):
                kept = weight[place]
                weight[place] = kept + 1e-6
                above = loss(*arguments)
                weight[place] = kept - 1e-6
                slope[place] = (above - loss(*arguments)) / 2e-6
                weight[place] = kept
        return np.concatenate([part.ravel() for part in found])

    ours = np.concatenate([np.ravel(gradient) for gradient in gradients])
    known = differences()
    stopped = differences([weight.copy() for weight in weights])
    assert np.abs(ours - known).max() < 1e-7 * np.abs(known).max()
    assert np.abs(stopped - known).max() > 1e-2 * np.abs(known).max()


def test_one_forward_pass_of_both_is_the_three_passes_of_the_released_code(network, monkeypatch):
    x, y = edged_images(), labels()
    spec = TRADES(attack_epsilon=0.2, beta=6, steps=3)
    monkeypatch.setattr(trades, "same_in_training", lambda network: True)
    fused = slopes(network, spec, x, y)
    monkeypatch.setattr(trades, "same_in_training", lambda network: False)
    losses, logits, gradients = slopes(network, spec, x, y)
    np.testing.assert_allclose(fused[0], losses, rtol=1e-5)
    np.testing.assert_allclose(fused[1], logits, rtol=1e-5, atol=1e-6)
    for gradient, expected in zip(fused[2], gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_batch_statistics_move_three_times_on_x_its_neighbors_and_x_again(network_of):
    network = network_of(
        keras.layers.BatchNormalization(momentum=0.7), keras.layers.Dense(6, activation="relu")
    )
    x = images()
    spec = TRADES(attack_epsilon=0.3, steps=3)
    adversarial = spec.perturb(network, x, SEED)
    means = [np.mean(np.reshape(part, (8, -1)), axis=0) for part in (x, adversarial, x)]
    assert np.abs(means[1] - means[0]).max() > 0.01

    known = np.zeros(16)
    for mean in means:
        known = 0.7 * known + 0.3 * mean
    tf.function(spec.objective)(network, x, labels(), SEED)
    np.testing.assert_allclose(network.layers[1].moving_mean, known, rtol=1e-5, atol=1e-6)


class Noisy(keras.Model):
    """A subclassed network that behaves differently in training without a layer that does."""

    def __init__(self):
        super().__init__()
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(3)

    def call(self, x, training=None):
        return self.dense(self.flatten(x)) * (2.0 if training else 1.0)


def nested(network_of, layer):
    return network_of(
        keras.Sequential([keras.layers.Dense(4, input_shape=(16,)), layer, keras.layers.Dense(4)])
    )


def functional(network_of):
    del network_of
    inputs = keras.Input(SHAPE)
    hidden = keras.layers.Dense(5)(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.ReLU()(hidden) + hidden))


@pytest.mark.parametrize(
    "build",
    [
        lambda _: FmnistCNN1().build(),
        lambda _: FmnistCNN2().build(),
        lambda network_of: network_of(keras.layers.Dense(4, activation="relu")),
        lambda network_of: nested(network_of, keras.layers.ReLU()),
        functional,
    ],
    ids=["cnn 1", "cnn 2", "dense", "nested", "functional"],
)
def test_networks_that_are_the_same_in_training_take_one_pass(network_of, build):
    assert same_in_training(build(network_of)) is True


@pytest.mark.parametrize(
    "build",
    [
        lambda network_of: network_of(keras.layers.BatchNormalization()),
        lambda network_of: network_of(keras.layers.Dropout(0.1)),
        lambda network_of: network_of(keras.layers.GaussianNoise(0.1)),
        lambda network_of: nested(network_of, keras.layers.BatchNormalization()),
        lambda _: keras.Sequential([keras.layers.InputLayer(SHAPE), Noisy()]),
        lambda _: Noisy(),
    ],
    ids=["batch norm", "dropout", "noise", "nested", "subclassed inside", "subclassed"],
)
def test_networks_that_change_in_training_take_three(network_of, build):
    assert same_in_training(build(network_of)) is False


# The fields


def test_steps_have_their_default_lengths():
    assert TRADES(attack_epsilon=0.2).step == pytest.approx(0.05)
    assert TRADES(attack_epsilon=0.2, step_size=0.01).step == 0.01
    assert TRADES(attack_epsilon=0.2, ball=L2Ball(), steps=8).step == pytest.approx(0.05)
    assert TRADES(attack_epsilon=0.2, ball=L2Ball(), steps=8, step_size=0.01).step == 0.01


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"attack_epsilon": -0.1}, "attack_epsilon >= 0. Received: attack_epsilon=-0.1"),
        ({"attack_epsilon": float("nan")}, "attack_epsilon >= 0"),
        ({"attack_epsilon": "8/255"}, "attack_epsilon >= 0"),
        ({"beta": -1}, "beta >= 0. Received: beta=-1"),
        ({"beta": float("inf")}, "beta >= 0"),
        ({"steps": -1}, "steps to be an integer >= 0. Received: steps=-1"),
        ({"steps": 1.5}, "steps to be an integer"),
        ({"steps": True}, "steps to be an integer"),
        ({"step_size": 0}, "step_size > 0. Received: step_size=0"),
        ({"step_size": 2}, "step_size <= 1, the widest l_inf distance in [0, 1]. Received: step"),
        (
            {"attack_epsilon": 8},
            "attack_epsilon <= 1, the widest l_inf distance in [0, 1]",
        ),
        ({"start_scale": 0}, "start_scale > 0. Received: start_scale=0"),
        ({"ball": "l1"}, "ball to be a ball, such as L2Ball(). Received: ball='l1'"),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(BadInput) as failure:
        TRADES(**{"attack_epsilon": 0.1} | fields)
    assert message in str(failure.value)
