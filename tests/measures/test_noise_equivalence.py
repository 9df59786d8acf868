"""The slopes against networks where they are known, and the penalty against autodiff's Hessian."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.measures import noise_equivalence
from ftnoise.measures.noise_equivalence import NoiseEquivalence, in_double_precision
from ftnoise.training.penalties import Jacobian
from tests.attacks.small import noisy
from tests.measures.given import evaluate

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
SIGMAS = (0.1, 0.05, 0.025, 0.0125)
MEASURE = NoiseEquivalence(sigmas=SIGMAS, draws=40)


def network(*hidden, classes=3):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.InputLayer((4,)), *hidden, keras.layers.Dense(classes)]
    made = keras.Sequential(layers)
    made.set_weights([2 * weight for weight in made.get_weights()])
    return made


def kinked(activation):
    """One unit and the logits (0, 3 * unit): rectified, its only kink is at 0."""
    unit = keras.layers.Dense(1, activation=activation)
    made = keras.Sequential([keras.layers.InputLayer((1,)), unit, keras.layers.Dense(2)])
    made.set_weights([np.ones((1, 1)), np.zeros(1), np.array([[0.0, 3.0]]), np.zeros(2)])
    return made


def measured(made, measure=MEASURE, x=X):
    return evaluate(measure, made, x_train=x)


@pytest.mark.parametrize("hidden", [(), (keras.layers.Dense(9, activation="tanh"),)])
def test_a_smooth_network_differs_by_the_fourth_power(hidden):
    found = measured(network(*hidden))
    assert found.scalars["slope_jacobian"] == pytest.approx(4, abs=0.1)
    assert found.scalars["slope_l2"] == pytest.approx(2, abs=0.1)
    # The draws are enough for that.
    assert (10 ** found.arrays["log_jacobian"] > 4 * found.arrays["error"]).all()


@pytest.mark.parametrize(
    ("activation", "x", "power"),
    [
        ("relu", [0.0], 2),
        ("relu", np.linspace(-0.5, 0.5, 2000), 3),
        ("relu", np.linspace(1, 2, 30), 4),
        ("linear", np.linspace(-0.5, 0.5, 2000), 4),
    ],
    ids=["on a kink", "about a kink", "far from a kink", "no kink"],
)
def test_the_power_is_lower_where_rectified_units_switch(activation, x, power):
    x = np.array(x, np.float32)[:, None]
    measure = NoiseEquivalence(sigmas=SIGMAS, examples=2000, draws=60)
    found = measured(kinked(activation), measure, x).scalars
    assert found["slope_jacobian"] == pytest.approx(power, abs=0.15)
    assert found["slope_jacobian_low"] > power - 0.25
    assert found["slope_jacobian_high"] < power + 0.25


def remain(monkeypatch, more):
    """Plants a term, a function of sigma, in what remains beyond the second-order form."""
    real = noise_equivalence.form_and_remainders

    def planted(made, x, noise, sigmas):
        form, values = real(made, x, noise, sigmas)
        return form, values + more(np.array(sigmas))

    monkeypatch.setattr(noise_equivalence, "form_and_remainders", planted)


def test_a_term_of_the_second_power_is_detected(monkeypatch):
    made = network(keras.layers.Dense(9, activation="tanh"))
    off = noise_equivalence.jacobian_trace(in_double_precision(made), X) / 4
    # As if the penalty were half of what it should be.
    remain(monkeypatch, lambda sigmas: off * sigmas**2)
    assert measured(made).scalars["slope_jacobian"] == pytest.approx(2, abs=0.1)


def without_hessian(made, x):
    inputs = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logits = made(inputs)
    return float(np.square(tape.batch_jacobian(logits, inputs)).sum() / len(x))


@pytest.mark.parametrize("factor", [2 / 3, 1, 3 / 2, None])
def test_a_wrong_penalty_is_detected_by_the_form_over_it(monkeypatch, factor):
    made = network(keras.layers.Dense(9, activation="tanh"))
    right = noise_equivalence.jacobian_trace
    wrong = without_hessian if factor is None else lambda made, x: factor * right(made, x)
    monkeypatch.setattr(noise_equivalence, "jacobian_trace", wrong)
    found = measured(made, NoiseEquivalence(sigmas=SIGMAS, draws=100)).scalars
    off, error = found["form_over_jacobian"] - 1, found["form_over_jacobian_error"]
    assert abs(off) < 4 * error if factor == 1 else abs(off) > 5 * error
    # The slope does not depend on it.
    assert found["slope_jacobian"] == pytest.approx(4, abs=0.1)


def test_the_error_of_the_form_is_that_of_a_quadratic_form():
    # With small weights all examples have one form, noise @ M @ noise: its variance is 2 tr(M M).
    made = network()
    kernel = made.get_weights()[0] / 1000
    made.set_weights([kernel, np.zeros(3)])
    found = measured(made, NoiseEquivalence(sigmas=SIGMAS, draws=200)).scalars
    form = kernel @ (np.eye(3) / 3 - 1 / 9) @ kernel.T
    error = np.sqrt(2 * np.trace(form @ form) / len(X) / 200) / np.trace(form)
    assert found["penalty_jacobian"] == pytest.approx(np.trace(form), rel=1e-4)
    # Two thirds and three halves of it would be detected.
    assert found["form_over_jacobian_error"] == pytest.approx(error, rel=0.25)


def drawn(spread, draws=50, power=4, sigmas=SIGMAS):
    """Differences of a power law, whose draws lie within about `spread` times the mean."""
    noise = np.random.default_rng(2).normal(size=(draws, 1))
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    return np.array(sigmas) ** power * (1 + np.sqrt(draws) * np.array(spread) * noise)


def test_a_slope_is_fitted_where_the_difference_is_significant():
    sigmas = np.array([0.2, *SIGMAS])
    # In standard errors the differences are 2, 4, 10, 10, 10: the first is off the line.
    values = drawn((1 / 2, 1 / 4, 0.1, 0.1, 0.1), sigmas=sigmas)
    values[:, 0] *= 50
    found = noise_equivalence.slope(sigmas, values)
    assert found[0] == pytest.approx(4)
    assert found[1] < 4 < found[2]
    # Two strengths, or two beyond a gap or another sign, are too few.
    assert noise_equivalence.slope(sigmas, drawn((1, 1, 1, 0.1, 0.1), sigmas=sigmas)) is None
    gap = drawn((0.1, 0.1, 1, 0.1, 0.1), sigmas=sigmas)
    assert noise_equivalence.slope(sigmas, gap) is None
    turned = drawn((1, 1, 0.1, 0.1, 0.1), sigmas=sigmas) * [1, 1, -1, 1, 1]
    assert noise_equivalence.slope(sigmas, turned) is None
    assert noise_equivalence.slope(sigmas, 0 * values) is None


def test_a_slope_without_significant_differences_is_missing(monkeypatch):
    # As often above as below, drawn with the noise.
    def planted(made, x, noise, sigmas):
        return tf.ones([], tf.float64), tf.sign(tf.reshape(noise, [-1])[:1]) * np.ones(len(sigmas))

    monkeypatch.setattr(noise_equivalence, "form_and_remainders", planted)
    found = measured(network(keras.layers.Dense(9, activation="tanh")))
    assert not [name for name in found.scalars if name.startswith("slope_jacobian")]
    assert found.scalars["penalty_jacobian"] > 0
    # The figure shows the differences, with bands that contain the lines.
    for name in ("log_jacobian", "log_l2"):
        line, low, high = (found.arrays[name + end] for end in ("", "_low", "_high"))
        assert np.isfinite([line, low, high]).all()
        assert (low < line).all()
        assert (line < high).all()
        assert (line - low <= 1 + 1e-9).all()


def test_the_interval_of_a_slope_covers_it_as_often_as_stated():
    true = np.array(SIGMAS) ** 4
    generator = np.random.default_rng(3)
    held = []
    for _ in range(200):
        # One gamma for all strengths and one for each, of mean 1, which lean to one side.
        noise = generator.gamma(1, size=(80, 1)) * generator.gamma(2, 1 / 2, size=(80, 4))
        _, low, high = noise_equivalence.slope(np.array(SIGMAS), true * noise)
        held.append(low < 4 < high)
    assert 0.89 < np.mean(held) < 0.99


def test_the_penalty_is_that_of_training_and_the_hessian_of_the_loss():
    made = network(keras.layers.Dense(9, activation="tanh"))
    found = measured(made).scalars["penalty_jacobian"]
    trained = Jacobian(sigma=1.0).value(made, tf.constant(X)).numpy()
    assert found == pytest.approx(2 * trained, rel=1e-4)
    # The trace of the Hessian of the divergence to the network's own output, at no noise.
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
    found = measured(made, NoiseEquivalence(sigmas=(sigma, 0.2, 0.1), draws=300))
    noise = np.random.default_rng(5).standard_normal((4000, *X.shape))
    p = tf.nn.softmax(twin(tf.constant(X, tf.float64)))
    log_q = tf.nn.log_softmax(twin(tf.constant((X + sigma * noise).reshape(-1, 4))))
    log_q = tf.reshape(log_q, [4000, *p.shape])
    losses = tf.reduce_sum(p * (tf.math.log(p) - log_q), axis=-1).numpy().mean(axis=1)
    plain = losses.mean() - sigma**2 / 2 * found.scalars["penalty_jacobian"]
    error = losses.std() / np.sqrt(len(losses))
    assert abs(abs(plain) - 10 ** found.arrays["log_jacobian"][0]) < 4 * error
    # The difference to the other penalty has the same error, and its interval holds plain averages.
    plain = losses.mean() - sigma**2 / 2 * found.scalars["penalty_l2"]
    assert 10 ** found.arrays["log_l2_low"][0] - 4 * error < abs(plain)
    assert abs(plain) < 10 ** found.arrays["log_l2_high"][0] + 4 * error


def test_l2_is_the_sum_of_the_squared_kernels():
    made = network()
    kernel, bias = made.get_weights()
    made.set_weights([kernel, bias + 3])
    found = measured(made).scalars
    l2 = float((kernel**2).sum())
    assert found["penalty_l2"] == pytest.approx(l2, rel=1e-6)
    assert found["jacobian_per_l2"] == pytest.approx(found["penalty_jacobian"] / l2, rel=1e-6)


def test_a_ratio_to_0_is_missing():
    made = network()
    made.set_weights([0 * weight for weight in made.get_weights()])
    found = measured(made).scalars
    assert found == {"penalty_jacobian": 0, "penalty_l2": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigmas": (0.2, 0.1)},
        {"sigmas": (0.1, 0.2, 0.3)},
        {"sigmas": (1, 0.1, 0)},
        {"draws": 1},
    ],
)
def test_bad_fields_are_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        NoiseEquivalence(**wrong)


def test_networks_that_cannot_be_measured_are_refused_in_one_line():
    with pytest.raises(BadInput, match=r"a network that does not draw"):
        measured(noisy())
    inputs = keras.Input((4,))
    with pytest.raises(BadInput, match=r"a Sequential network\. Received: network='Functional'"):
        measured(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
