"""Networks on which a certificate would be false, and what stands in the way of each."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise import certify
from ftnoise.core.errors import BadInput
from ftnoise.layers.noisy import NOISY
from ftnoise.layers.sensitivity import sensitivity
from ftnoise.user.certify import CertificationSettings, job, prepared
from ftnoise.verify.certificate import MEANS, certified
from ftnoise.verify.smoothing import NoisyNetwork, with_input_noise

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = np.arange(40) % 2


def linear(*front, inputs=3, noise=None):
    """Layers, then noise on the input of two logits."""
    layer = NOISY[keras.layers.Dense]
    noisy = layer(units=2, scale=0.5, kind="gaussian", on_input=True, stream="n", name="last")
    return keras.Sequential([keras.Input([inputs]), *front, noise or noisy])


def through(call):
    """A functional classifier whose hidden tensor goes through a function."""
    inputs = keras.Input([3])
    hidden = call(keras.layers.Dense(4)(inputs))
    return keras.Model(inputs, keras.layers.Dense(2)(hidden))


def test_a_network_that_mixes_its_batch_is_refused():
    model = through(lambda h: keras.layers.BatchNormalization()(h, training=True))
    with pytest.raises(BadInput, match=r"repeat its outputs|each example of a batch by itself"):
        certify(model, X, Y, sigma=1.0, draws=20)
    still = through(lambda h: h - tf.reduce_mean(h, axis=0, keepdims=True))
    with pytest.raises(BadInput, match="each example of a batch by itself"):
        certify(still, X, Y, sigma=1.0, draws=20)


def test_layers_in_training_mode_are_refused_behind_the_noise():
    inputs = keras.Input([3])
    layer = NOISY[keras.layers.Dense](
        units=4, scale=0.5, kind="gaussian", on_input=True, stream="n", name="noisy"
    )
    hidden = keras.layers.BatchNormalization()(layer(inputs), training=True)
    with pytest.raises(BadInput, match="layers in inference mode"):
        NoisyNetwork(keras.Model(inputs, keras.layers.Dense(2)(hidden)))


@pytest.mark.parametrize(
    "front",
    [
        keras.layers.ReLU(negative_slope=5.0),
        keras.layers.ReLU(threshold=1.0),
        type("Tenfold", (keras.layers.Dense,), {"call": lambda self, x: 10 * x})(3),
        type("Longer", (keras.layers.Flatten,), {"call": lambda self, x: 10 * x})(),
        keras.layers.Dense(3, activation=type("relu", (), {"__call__": lambda self, x: 9 * x})()),
    ],
    ids=["slope", "threshold", "dense", "flatten", "activation"],
)
def test_what_may_stretch_in_front_of_the_noise_is_refused(front):
    with pytest.raises(BadInput, match="contracting activations"):
        sensitivity(linear(front))


def test_a_layer_in_training_mode_in_front_of_the_noise_is_refused():
    inputs = keras.Input([3])
    hidden = keras.layers.Dropout(0.9)(inputs, training=True)
    layer = NOISY[keras.layers.Dense](
        units=2, scale=0.5, kind="gaussian", on_input=True, stream="n", name="last"
    )
    with pytest.raises(BadInput, match="contracting activations"):
        sensitivity(keras.Model(inputs, layer(hidden)))


def test_relus_that_contract_pass():
    assert sensitivity(linear(keras.layers.ReLU(max_value=6.0))) == pytest.approx(1)


def test_a_noise_layer_that_is_called_twice_is_refused():
    inputs = keras.Input([3])
    layer = NOISY[keras.layers.Dense](
        units=3, scale=100.0, kind="gaussian", on_input=True, stream="n", name="noisy"
    )
    with pytest.raises(BadInput, match="one call of the noise layer"):
        NoisyNetwork(keras.Model(inputs, layer(-layer(inputs))))


def test_kept_draws_are_those_of_the_same_noise_model_and_examples():
    # The identity goes with the kept draws.
    noises = [CertificationSettings(sigma=sigma, radius=(0.1,), draws=50) for sigma in (0.02, 5.0)]
    network, *_ = prepared(through(keras.layers.ReLU()), X, Y, noises[0])
    found = [job(network, x, Y, noise, {}).identity for x in (X, -X) for noise in noises]
    assert len({*found}) == 4
    assert job(network, X, Y, noises[0], {}).identity == found[0]
    bias = network.trainable_weights[-1]
    bias.assign_add(tf.ones(bias.shape))
    assert job(network, X, Y, noises[0], {}).identity not in found


@pytest.mark.parametrize(
    "last",
    [
        lambda h: keras.layers.Lambda(tf.nn.softmax)(h),
        lambda h: keras.layers.Average()(
            [keras.layers.Softmax()(h), keras.layers.Softmax()(2 * h)]
        ),
    ],
    ids=["lambda", "ensemble"],
)
def test_probabilities_that_cannot_be_taken_off_are_refused(last):
    inputs = keras.Input([3])
    model = keras.Model(inputs, last(keras.layers.Dense(2)(inputs)))
    with pytest.raises(BadInput, match="probabilities of another layer"):
        certify(model, X, Y, sigma=1.0, draws=20)


def test_draws_without_numbers_vote_for_no_class_and_certify_nothing_of_means():
    model = linear()
    model.layers[-1].kernel.assign(np.eye(3, 2))
    noisy = NoisyNetwork(model)
    x = np.array([[1, 0, 0], [np.nan, 0, 0]], np.float32)
    drawn = [noisy.draws(noisy.front(x), 200, key=key) for key in (1, 2)]
    assert drawn[1].votes.sum(1).tolist() == [200, 0]
    assert np.isfinite(drawn[1].sums).all()
    found = certified(*drawn, kind="gaussian", scale=0.5, sensitivity=1.0, alpha=0.01)
    for one in found.values():
        assert one.sizes[1] == 0
        assert np.isfinite(one.sizes).all()
    assert all(found[name].sizes[0] > 0 for name in MEANS)


@pytest.mark.parametrize(("weight", "certifies"), [(0.0, True), (np.nan, False), (np.inf, False)])
def test_kernels_without_size_in_front_of_the_noise_are_no_crash(weight, certifies):
    model = linear(keras.layers.Dense(3, use_bias=False))
    model.layers[0].set_weights([np.full((3, 3), weight)])
    model.layers[-1].kernel.assign(np.eye(3, 2))
    model.layers[-1].bias.assign([9.0, 0.0])
    noisy = NoisyNetwork(model)
    drawn = [noisy.draws(tf.zeros([1, 3]), 100, key=key) for key in (1, 2)]
    reach = {"scale": 0.5, "sensitivity": sensitivity(model)}
    found = certified(*drawn, kind="gaussian", alpha=0.01, **reach)
    assert (found["cohen"].sizes[0] > 0) == certifies


def test_a_model_that_is_called_noise_is_certified():
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)], name="noise")
    assert with_input_noise(model, 0.1)(X).shape == (40, 2)
