from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.layers import convolution as layers
from ftnoise.layers.convolution import ImageConv2D, gradient_in_input

KERNELS = [(size, size) for size in range(1, 9)] + [(1, 4), (5, 2), (8, 3)]


def pair(shape, *arguments, **options):
    """An `ImageConv2D` and Keras' layer with the same weights, and images of `shape`."""
    generator = np.random.default_rng(0)
    ours, theirs = ImageConv2D(*arguments, **options), keras.layers.Conv2D(*arguments, **options)
    for layer in (ours, theirs):
        layer.build((None, *shape[1:]))
    weights = [generator.normal(size=w.shape).astype(np.float32) for w in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs, tf.constant(generator.normal(size=shape).astype(np.float32))


def value_and_gradients(layer, x):
    """Output and the gradients in images, kernel and bias for an uneven upstream gradient."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        upstream = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
        loss = tf.reduce_sum(y * upstream)
    return y, tape.gradient(loss, [x, *layer.trainable_variables])


def assert_close(ours, theirs, tolerance=1e-5):
    theirs = np.asarray(theirs)
    assert np.asarray(ours).shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.fixture
def counted(monkeypatch):
    """Counts the uses of the fast gradient."""
    calls = []

    def counting(*arguments):
        calls.append(arguments)
        return gradient_in_input(*arguments)

    monkeypatch.setattr(layers, "gradient_in_input", counting)
    return calls


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_same_values_and_gradients_as_keras(kernel, padding, counted):
    ours, theirs, x = pair((3, 11, 10, 1), 4, kernel, padding=padding, activation="tanh")
    y, gradients = value_and_gradients(ours, x)
    known, known_gradients = value_and_gradients(theirs, x)
    assert np.array_equal(y, known)
    assert len(gradients) == 3
    for gradient, known_gradient in zip(gradients, known_gradients, strict=True):
        assert_close(gradient, known_gradient)
    assert len(counted) == 1


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_gradient_is_the_transposed_convolution_in_double_precision(padding):
    generator = np.random.default_rng(2)
    kernel = tf.constant(generator.normal(size=(4, 3, 2, 5)))
    height, width = (9, 8) if padding == "same" else (6, 6)
    upstream = tf.constant(generator.normal(size=(2, height, width, 5)))
    known = tf.nn.conv2d_transpose(upstream, kernel, (2, 9, 8, 2), 1, padding.upper())
    assert_close(gradient_in_input(upstream, kernel, padding), known, tolerance=1e-13)


def test_same_gradients_in_a_graph_with_batches_of_any_size(counted):
    ours, theirs, x = pair((5, 8, 8, 1), 3, 4, padding="same")
    signature = [tf.TensorSpec([None, 8, 8, 1])]

    def slopes(layer):
        def loss(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = tf.reduce_sum(tf.sin(layer(x)))
            return tape.gradient(value, [x, *layer.trainable_variables])

        return tf.function(loss, input_signature=signature)

    for batch in (x, x[:2]):
        pairs = zip(slopes(ours)(batch), slopes(theirs)(batch), strict=True)
        for gradient, known in pairs:
            assert_close(gradient, known)
    assert counted


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_same_second_derivatives_as_keras(padding, counted):
    ours, theirs, x = pair((3, 7, 6, 1), 4, (4, 3), padding=padding, activation="tanh")

    def slope_of_the_slope(layer):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = tf.reduce_sum(layer(x) ** 2)
            size = tf.reduce_sum(tf.square(inner.gradient(value, x)))
        return outer.gradient(size, [x, *layer.trainable_variables])

    pairs = zip(slope_of_the_slope(ours), slope_of_the_slope(theirs), strict=True)
    for gradient, known in pairs:
        assert np.abs(known).max() > 0
        assert_close(gradient, known)
    assert counted


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 9, 9, 1), {"strides": 2}),
        ((2, 9, 9, 1), {"strides": (1, 2)}),
        ((2, 9, 9, 1), {"dilation_rate": 2}),
        ((2, 9, 9, 3), {}),
        ((2, 9, 9, 4), {"groups": 2}),
    ],
    ids=str,
)
def test_anything_else_is_keras_own(shape, options, counted):
    ours, theirs, x = pair(shape, 4, 3, padding="same", **options)
    if options.get("groups"):
        # Gradients of grouped convolutions need a GPU; the values do not.
        assert np.array_equal(ours(x), theirs(x))
        return
    y, gradients = value_and_gradients(ours, x)
    known, known_gradients = value_and_gradients(theirs, x)
    assert np.array_equal(y, known)
    for gradient, known_gradient in zip(gradients, known_gradients, strict=True):
        assert np.array_equal(gradient, known_gradient)
    assert not counted


def test_channels_first_is_not_taken_for_channels_last():
    ours, theirs, _ = pair((2, 1, 9, 7), 4, 3, data_format="channels_first")
    assert ours.compute_output_shape((2, 1, 9, 7)) == theirs.compute_output_shape((2, 1, 9, 7))
    graph = tf.function(lambda x: ours(x)).get_concrete_function(tf.TensorSpec([2, 1, 9, 7]))
    assert graph.output_shapes == (2, 4, 7, 5)


def test_the_layer_survives_its_configuration():
    layer = ImageConv2D(4, (3, 2), padding="same", activation="relu", name="first")
    again = ImageConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
