"""The slopes against networks where they are known, and the penalty against autodiff's Hessian."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.errors import BadInput
from ftnoise.measures import noise_equivalence
from ftnoise.measures.noise_equivalence import NoiseEquivalence, in_double_precision
from ftnoise.training.penalties import Jacobian
from ftnoise.workspace import Subject, Workspace

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
MEASURE = NoiseEquivalence(sigmas=(0.1, 0.05, 0.025, 0.0125), draws=40)


def network(*hidden, classes=3):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.InputLayer((4,)), *hidden, keras.layers.Dense(classes)]
    made = keras.Sequential(layers)
    made.set_weights([2 * weight for weight in made.get_weights()])
    return made


def asked(made, measure=MEASURE):
    data = SimpleNamespace(x_train=X)
    return measure.evaluate(Subject(network=made, data=data, run=None, workspace=Workspace()))


@pytest.mark.parametrize("hidden", [(), (keras.layers.Dense(9, activation="tanh"),)])
def test_a_smooth_network_differs_by_the_fourth_power(hidden):
    found = asked(network(*hidden))
    assert found.scalars["slope_jacobian"] == pytest.approx(4, abs=0.1)
    assert found.scalars["slope_l2"] == pytest.approx(2, abs=0.1)
    # The draws are enough to see it.
    assert (10 ** found.arrays["log_jacobian"] > 4 * found.arrays["error"]).all()


def test_a_wrong_penalty_is_told(monkeypatch):
    trace = noise_equivalence.jacobian_trace
    forms = noise_equivalence.remainders

    def half(made, x, noise, sigmas):
        # As if the penalty were half of what it should be.
        off = trace(made, x) / 4
        return [
            value + sigma**2 * off
            for value, sigma in zip(forms(made, x, noise, sigmas), sigmas, strict=True)
        ]

    monkeypatch.setattr(noise_equivalence, "remainders", half)
    found = asked(network(keras.layers.Dense(9, activation="tanh")))
    assert found.scalars["slope_jacobian"] == pytest.approx(2, abs=0.1)


def test_the_penalty_is_that_of_training_and_the_hessian_of_the_loss():
    made = network(keras.layers.Dense(9, activation="tanh"))
    found = asked(made).scalars["penalty_jacobian"]
    trained = Jacobian(sigma=1.0).value(made, tf.constant(X)).numpy()
    assert found == pytest.approx(2 * trained, rel=1e-4)
    # The trace of the Hessian of the divergence to the network's own answer, at no noise.
    twin, x = in_double_precision(made), tf.constant(X, tf.float64)
    p = tf.nn.softmax(twin(x))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = -tf.reduce_sum(p * tf.nn.log_softmax(twin(x)))
        gradient = inner.gradient(loss, x)
    hessian = outer.batch_jacobian(gradient, x).numpy()
    assert found == pytest.approx(np.trace(hessian, axis1=1, axis2=2).mean(), rel=1e-9)


def test_the_difference_is_that_of_plain_averages():
    made = network(keras.layers.Dense(9, activation="tanh"))
    sigma, twin = 0.3, in_double_precision(made)
    found = asked(made, NoiseEquivalence(sigmas=(sigma, 0.2), draws=300))
    noise = np.random.default_rng(5).standard_normal((4000, *X.shape))
    p = tf.nn.softmax(twin(tf.constant(X, tf.float64)))
    log_q = tf.nn.log_softmax(twin(tf.constant((X + sigma * noise).reshape(-1, 4))))
    log_q = tf.reshape(log_q, [4000, *p.shape])
    losses = tf.reduce_sum(p * (tf.math.log(p) - log_q), axis=-1).numpy().mean(axis=1)
    plain = losses.mean() - sigma**2 / 2 * found.scalars["penalty_jacobian"]
    error = losses.std() / np.sqrt(len(losses))
    assert abs(abs(plain) - 10 ** found.arrays["log_jacobian"][0]) < 4 * error


def test_l2_is_the_sum_of_the_squared_kernels():
    made = network()
    kernel, bias = made.get_weights()
    made.set_weights([kernel, bias + 3])
    assert asked(made).scalars["penalty_l2"] == pytest.approx(float((kernel**2).sum()), rel=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"sigmas": (0.1,)}, {"sigmas": (0.1, 0.2)}, {"sigmas": (1, 0)}, {"draws": 1}]
)
def test_what_cannot_be_measured_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        NoiseEquivalence(**wrong)


def test_a_functional_model_is_refused_in_one_line():
    inputs = keras.Input((4,))
    with pytest.raises(BadInput, match=r"a Sequential network\. Received: network='Functional'"):
        asked(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
