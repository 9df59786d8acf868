"""SDR-Decay: equation (1), Algorithm 2, the authors' code, and natural training as the limit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.layers.random_weights import gaussian_layers
from ftnoise.training import Training
from ftnoise.training.gradients.plain import Adam
from ftnoise.training.weights.sdr_decay import SDRDecay

NONE = {"beta": 0.0, "zeta": 1.0, "tau": 1, "start": 0.0}


def means(network):
    return [variable.numpy().tobytes() for variable in network.trainable_variables]


@pytest.mark.parametrize("gradients", [None, Adam()])
def test_without_variance_and_growth_it_is_natural_training_bit_for_bit(gradients, run_of, images):
    momentum = 0.9 if gradients is None else 0.0

    def trained(**slots):
        run = run_of(Training(gradients=gradients, **slots), momentum=momentum)
        return means(run.training.train(run, images()))

    known = trained()
    assert trained(weights=SDRDecay(**NONE)) == known
    assert trained(weights=SDRDecay(**NONE | {"start": 0.01})) != known
    assert trained(weights=SDRDecay(**NONE | {"beta": 1e-3})) != known


def network_of(member):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return member.rebuild(
        keras.Sequential([layers.InputLayer((4,)), layers.Dense(5), layers.Dense(3)])
    )


def after(member, steps, network=None):
    """The standard deviations after some steps with gradients of 1, -2, 3, ... by variable."""
    network = network or network_of(member)
    signs = [(-1) ** n * (n + 1.0) for n in range(len(network.trainable_variables))]
    gradients = [
        tf.fill(v.shape, sign) for v, sign in zip(network.trainable_variables, signs, strict=True)
    ]
    first = [std.numpy() for layer in gaussian_layers(network) for std in layer.stds]
    for step in range(steps):
        member.after_step(network, gradients, tf.constant([9, step], tf.int64))
    last = [std.numpy() for layer in gaussian_layers(network) for std in layer.stds]
    return first, last, np.abs(signs)


@pytest.mark.parametrize("steps", [1, 2, 3, 6, 7])
def test_variances_grow_by_the_size_of_the_gradient_and_decay_every_tau_batches(steps):
    first, last, sizes = after(SDRDecay(beta=0.1, zeta=0.5, tau=3), steps)
    for old, new, size in zip(first, last, sizes, strict=True):
        variance = old.astype(float) ** 2
        for batch in range(1, steps + 1):
            variance += 0.1 * size
            if batch % 3 == 0:
                variance *= 0.5
        np.testing.assert_allclose(new, np.sqrt(variance), rtol=1e-5)


def test_the_authors_code_changes_standard_deviations_every_tau_batches_only():
    member = SDRDecay(beta=5, zeta=0.9, tau=3, published=True)
    first, last, sizes = after(member, 2)
    for old, new in zip(first, last, strict=True):
        np.testing.assert_array_equal(old, new)
    first, last, sizes = after(member, 7)
    for old, new, size in zip(first, last, sizes, strict=True):
        std = old.astype(float)
        for _ in range(2):
            std = 0.9 * (std + 5 * size)
        np.testing.assert_allclose(new, std, rtol=1e-5)


def test_the_authors_factor_falls_from_epoch_to_epoch(run_of, images):
    member = SDRDecay(beta=0.0, zeta=0.9, tau=19, published=True)
    training = Training(weights=member)
    run = run_of(training, epochs=3)
    keras.utils.set_random_seed(0)
    network = training.train(run, images())
    (factor,) = gaussian_layers(network)[0].state.numpy()
    assert factor == pytest.approx(0.9 * np.exp(-0.1))
    decayed = gaussian_layers(network)[0].kernel_std.numpy().max()
    first = 0.5 * np.sqrt(2 / 36)
    # Once an epoch; the largest of 36 uniforms is close to its bound.
    assert decayed == pytest.approx(first * 0.9**3 * np.exp(-0.1), rel=0.25)
    assert decayed <= first * 0.9**3 * np.exp(-0.1) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("beta", -1, "Expected beta >= 0. Received: beta=-1."),
        ("zeta", 0, "Expected zeta in (0, 1]. Received: zeta=0."),
        ("zeta", 1.1, "Expected zeta in (0, 1]. Received: zeta=1.1."),
        ("tau", 0, "Expected tau to be an integer >= 1. Received: tau=0."),
        ("start", -0.5, "Expected start >= 0. Received: start=-0.5."),
    ],
)
def test_bad_values_are_refused_in_one_line(field, value, line):
    with pytest.raises(BadInput) as failure:
        SDRDecay(**NONE | {field: value})
    assert str(failure.value) == line
