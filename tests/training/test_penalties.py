from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.layers.convolution import ImageConv2D
from ftnoise.training.penalties import L1, L2, Jacobian
from ftnoise.training.weights.sdr_learnable import SDRLearnable


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            ImageConv2D(3, 3, activation="relu", input_shape=(6, 6, 1)),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="tanh", bias_initializer="random_normal"),
            keras.layers.Dense(4, bias_initializer="random_normal"),
        ]
    )


def images(count, shape=(6, 6, 1), dtype=np.float32, seed=0):
    return tf.constant(np.random.default_rng(seed).random((count, *shape)).astype(dtype))


@pytest.mark.parametrize(
    ("penalty", "regularizer"),
    [(L2, keras.regularizers.L2), (L1, keras.regularizers.L1)],
    ids=["L2", "L1"],
)
def test_weight_penalties_are_keras_regularizers(network, penalty, regularizer):
    known = regularizer(0.03)
    convolution, normal, _, first, second = network.layers
    kernels = [convolution.kernel, first.kernel, second.kernel]
    vectors = [convolution.bias, normal.gamma, normal.beta, first.bias, second.bias]

    def slopes(value, variables):
        with tf.GradientTape() as tape:
            result = value()
        return result, tape.gradient(result, variables)

    for variables, spec in (
        (kernels, penalty(weight=0.03)),
        (kernels + vectors, penalty(weight=0.03, biases=True)),
    ):
        ours, gradients = slopes(lambda spec=spec: spec.value(network, None), variables)
        theirs, known_gradients = slopes(
            lambda variables=variables: tf.add_n([known(v) for v in variables]), variables
        )
        assert ours.shape == ()
        assert float(ours) == pytest.approx(float(theirs), rel=1e-6)
        for gradient, known_gradient in zip(gradients, known_gradients, strict=True):
            np.testing.assert_allclose(gradient, known_gradient, rtol=1e-6, atol=1e-9)


def test_standard_deviations_are_no_kernels():
    plain = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
    drawn = SDRLearnable(start=0.5).rebuild(plain)
    (layer,) = drawn.layers
    kernel, stds = (float(tf.reduce_sum(part**2)) for part in (layer.kernel, layer.kernel_std))
    assert float(L2(weight=1.0).value(drawn, None)) == pytest.approx(kernel)
    both = float(L2(weight=1.0, biases=True).value(drawn, None))
    assert both == pytest.approx(kernel + stds + float(tf.reduce_sum(layer.bias_std**2)))


def test_without_biases_their_gradient_is_nothing(network):
    for penalty in (L2(weight=1.0), L1(weight=1.0)):
        with tf.GradientTape() as tape:
            value = penalty.value(network, None)
        gradients = tape.gradient(value, network.trainable_variables)
        for gradient, variable in zip(gradients, network.trainable_variables, strict=True):
            assert (gradient is None) == (len(variable.shape) == 1)


def formula(network, x, sigma):
    """sigma^2 / 2 * mean trace(J^T (diag p - p p^T) J), from the whole Jacobian."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        logits = network(x)
    jacobian = tape.batch_jacobian(logits, x, experimental_use_pfor=False)
    jacobian = tf.reshape(jacobian, [*logits.shape, -1])
    p = tf.nn.softmax(logits)
    hessian = tf.linalg.diag(p) - p[:, :, None] * p[:, None, :]
    traces = tf.einsum("bki,bkl,bli->b", jacobian, hessian, jacobian)
    return sigma**2 / 2 * tf.reduce_mean(traces)


def curved(shape=(6, 6, 1), dtype="float32"):
    """A network with curvature everywhere."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.layers.Flatten(input_shape=shape, dtype=dtype),
            keras.layers.Dense(7, activation="tanh", kernel_initializer="he_normal", dtype=dtype),
            keras.layers.Dense(4, dtype=dtype),
        ]
    )


def test_the_jacobian_penalty_is_its_formula_with_the_same_gradient():
    network, x = curved(), images(5)
    with tf.GradientTape(persistent=True) as tape:
        ours = Jacobian(sigma=0.3).value(network, x)
        known = formula(network, x, sigma=0.3)
    assert float(known) > 1e-4
    assert float(ours) == pytest.approx(float(known), rel=1e-5)
    # The last bias moves the penalty only through p, the first kernel through J too.
    for variable in network.trainable_variables:
        expected = tape.gradient(known, variable)
        np.testing.assert_allclose(
            tape.gradient(ours, variable), expected, atol=1e-5 * np.abs(expected).max()
        )


def test_the_jacobian_penalty_differentiates_through_our_convolution():
    keras.utils.set_random_seed(2)
    networks = [
        keras.Sequential(
            [
                kind(3, 4, padding="same", activation="tanh", input_shape=(6, 6, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(4),
            ]
        )
        for kind in (ImageConv2D, keras.layers.Conv2D)
    ]
    ours, theirs = networks
    theirs.set_weights(ours.get_weights())
    gradients = []
    for network in networks:

        @tf.function
        def slopes(x, network=network):
            with tf.GradientTape() as tape:
                value = Jacobian(sigma=0.3).value(network, x)
            return value, tape.gradient(value, network.trainable_variables)

        gradients.append(slopes(images(4)))
    (value, mine), (known_value, known) = gradients
    assert float(value) == pytest.approx(float(known_value), rel=1e-5)
    for gradient, expected in zip(mine, known, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-5 * np.abs(expected).max())


def expected_noisy_loss(network, x, target, sigma):
    """E[CE(target, f(x + sigma N))] over 2 inputs, by Gauss-Hermite quadrature: no draws."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    shifts = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 1, 2)
    weights = np.outer(weights, weights).ravel() / weights.sum() ** 2
    noisy = tf.reshape(x[None] + sigma * shifts, [-1, 2])
    targets = tf.tile(target, [len(shifts), 1])
    losses = tf.nn.softmax_cross_entropy_with_logits(targets, network(noisy))
    means = tf.reduce_mean(tf.reshape(losses, [len(shifts), -1]), axis=1)
    return float(np.sum(weights * means.numpy()))


@pytest.mark.parametrize("hidden", [True, False], ids=["curved", "linear"])
def test_bishop_small_noise_is_the_jacobian_penalty_and_not_l2(hidden):
    # At fixed weights the equivalence needs the error, target - p, to average to zero wherever
    # the logits curve; a target of p itself does that. Linear logits have no such term.
    if hidden:
        network = curved((2,), "float64")
    else:
        keras.utils.set_random_seed(3)
        network = keras.Sequential([keras.layers.Dense(4, input_shape=(2,), dtype="float64")])
    x = images(6, (2,), np.float64)
    p = tf.nn.softmax(network(x))
    target = p if hidden else tf.one_hot([0, 1, 2, 3, 0, 1], 4, dtype=tf.float64)
    clean = float(tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, network(x))))

    sigmas = np.array([0.05, 0.1])
    excess = [expected_noisy_loss(network, x, target, sigma) - clean for sigma in sigmas]
    assert slope(sigmas, excess) == pytest.approx(2, abs=0.1)

    jacobian = [float(Jacobian(sigma=float(sigma)).value(network, x)) for sigma in sigmas]
    left = np.subtract(excess, jacobian)
    assert slope(sigmas, left) == pytest.approx(4, abs=0.2)

    # The size of the weights at the same scale leaves a term in sigma^2.
    l2 = [float(L2(weight=float(sigma) ** 2 / 2).value(network, x)) for sigma in sigmas]
    assert slope(sigmas, np.subtract(excess, l2)) == pytest.approx(2, abs=0.2)


def slope(sigmas, values):
    """Exponent of a power law through two points."""
    first, second = np.log(np.abs(values))
    return (second - first) / np.log(sigmas[1] / sigmas[0])


@pytest.mark.parametrize("kind", [L2, L1])
@pytest.mark.parametrize("weight", [-1e-9, float("nan"), float("inf"), "1", None, True])
def test_a_bad_weight_is_named(kind, weight):
    with pytest.raises(BadInput, match=r"Expected weight >= 0. Received: weight="):
        kind(weight=weight)


def test_other_bad_fields_are_named():
    with pytest.raises(BadInput, match=r"biases to be a bool. Received: biases=1"):
        L2(weight=0.1, biases=1)
    with pytest.raises(BadInput, match=r"sigma >= 0. Received: sigma=-0.1"):
        Jacobian(sigma=-0.1)


def test_nothing_times_zero(network):
    assert float(L2(weight=0).value(network, None)) == 0
    assert float(L1(weight=0).value(network, None)) == 0
    assert float(Jacobian(sigma=0).value(curved(), images(2))) == 0
