"""The clipped sum against a loop over examples, on networks of every supported layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from ftnoise.architectures import FmnistCNN1, FmnistDNN
from ftnoise.layers.convolution import ImageConv2D
from ftnoise.training.gradients.checks import check
from ftnoise.training.gradients.clipping import clipped_sum
from ftnoise.training.gradients.recording import RecordingTape

CLASSES = 3


def cross_entropy(network, x, y):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(y, network(x, training=True))


def fast(network, x, y, clip):
    """The clipped sum as the optimizer makes it, and how many examples were refused."""
    variables = network.trainable_variables

    @tf.function
    def compute():
        with RecordingTape(network) as tape:
            losses = cross_entropy(network, x, y)
        return clipped_sum(tape.parts(losses), variables, clip)

    sums, finite = compute()
    return [total.numpy().astype(np.float64) for total in sums], int(np.sum(~finite.numpy()))


def slow(network, x, y):
    """The gradient of each example by itself, in double precision."""
    found = []
    for n in range(len(y)):
        with tf.GradientTape() as tape:
            losses = cross_entropy(network, x[n : n + 1], y[n : n + 1])
        gradients = tape.gradient(losses, network.trainable_variables)
        found.append([tf.convert_to_tensor(g).numpy().astype(np.float64) for g in gradients])
    return found


def norm(gradients) -> float:
    return float(np.sqrt(sum(np.sum(g**2) for g in gradients)))


def clipped(examples, clip):
    """The sum of the examples' gradients, each with a norm of at most `clip`."""
    factors = [min(1.0, clip / max(norm(gradients), 1e-300)) for gradients in examples]
    return [
        sum(factor * g for factor, g in zip(factors, parts, strict=True))
        for parts in zip(*examples, strict=True)
    ]


def assert_same(found, known):
    gap = norm([a - b for a, b in zip(found, known, strict=True)])
    assert gap <= 1e-5 * norm(known), gap / norm(known)


def batch(shape, dtype="float32", count=5, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, *shape))
    return tf.constant(x, dtype), tf.constant(generator.integers(0, CLASSES, count), tf.int32)


def sequential(shape, *hidden, dtype="float32"):
    first = keras.layers.InputLayer(shape, dtype=dtype)
    return keras.Sequential([first, *hidden, layers.Flatten(), layers.Dense(CLASSES)])


def residual():
    x = keras.Input((6, 6, 4))
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = layers.GroupNormalization(2)(layers.Conv2D(4, 3, padding="same")(y))
    y = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    return keras.Model(x, layers.Dense(CLASSES)(y))


NETWORKS = {
    "dense": lambda: sequential((7,), layers.Dense(5, activation="tanh")),
    "dense, float64 input": lambda: sequential((7,), layers.Dense(5), dtype="float64"),
    "no bias": lambda: sequential((7,), layers.Dense(5, use_bias=False)),
    "dense of positions, Gram": lambda: sequential((2, 7), layers.Dense(9, activation="relu")),
    "dense of positions, direct": lambda: sequential((30, 3), layers.Dense(2)),
    "conv, direct": lambda: sequential((9, 8, 2), layers.Conv2D(3, 3, activation="relu")),
    "conv, Gram": lambda: sequential((5, 5, 8), layers.Conv2D(16, 4)),
    "conv, one channel": lambda: sequential((9, 9, 1), ImageConv2D(4, 5, activation="relu")),
    "conv, no bias": lambda: sequential((9, 8, 2), layers.Conv2D(3, 3, use_bias=False)),
    "layer norm": lambda: sequential((4, 6), layers.LayerNormalization()),
    "layer norm, axes": lambda: sequential((4, 6, 2), layers.LayerNormalization(axis=[1, 2])),
    "group norm": lambda: sequential((5, 5, 6), layers.GroupNormalization(3)),
    "group norm, scale alone": lambda: sequential(
        (5, 6), layers.GroupNormalization(2, center=False)
    ),
    "frozen": lambda: sequential(
        (7,), layers.Dense(6, trainable=False), layers.Dense(4, activation="relu")
    ),
    "nested": lambda: sequential((7,), keras.Sequential([layers.Dense(4, activation="relu")])),
    "residual": residual,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_sum_is_that_of_a_loop_over_examples(name):
    keras.utils.set_random_seed(0)
    network = NETWORKS[name]()
    # Weights away from their special start, such as scales of one.
    for weight in network.trainable_variables:
        weight.assign_add(0.1 * tf.random.normal(weight.shape))
    check(network)
    x, y = batch(network.input_shape[1:], network.inputs[0].dtype.name)
    examples = slow(network, x, y)
    for clip in (1e-3, 0.5, 1e6):
        found, refused = fast(network, x, y, clip)
        assert_same(found, clipped(examples, clip))
        assert refused == 0


@pytest.mark.parametrize("network", [FmnistDNN(), FmnistCNN1()], ids=["dnn", "cnn1"])
@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e6])
def test_the_sum_on_the_papers_networks(network, clip):
    keras.utils.set_random_seed(0)
    model = network.build()
    x, y = batch((28, 28, 1))
    assert_same(fast(model, x, y, clip)[0], clipped(slow(model, x, y), clip))


@settings(max_examples=25)
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same"]),
    channels=st.integers(1, 3),
    filters=st.integers(1, 5),
    clip=st.sampled_from([1e-3, 0.5, 1e6]),
)
def test_convolutions_of_all_options(size, stride, dilation, padding, channels, filters, clip):
    if stride > 1:
        dilation = 1  # Keras does not support both.
    options = {"strides": stride, "dilation_rate": dilation, "padding": padding}
    network = sequential((7, 8, channels), layers.Conv2D(filters, size, **options))
    x, y = batch(network.input_shape[1:], count=3)
    assert_same(fast(network, x, y, clip)[0], clipped(slow(network, x, y), clip))


HIDDEN = {
    "dense": {1: lambda: layers.Dense(4, activation="tanh")},
    "conv": {2: lambda: layers.Conv2D(4, 3, padding="same", activation="relu")},
    "group norm": {1: lambda: layers.GroupNormalization(2)},
    "layer norm": {1: lambda: layers.LayerNormalization()},
}


@settings(max_examples=15)
@given(
    rank=st.sampled_from([1, 2]),
    hidden=st.lists(st.tuples(st.sampled_from(sorted(HIDDEN)), st.booleans()), max_size=4),
    clip=st.sampled_from([1e-3, 0.5, 1e6]),
    seed=st.integers(0, 99),
)
def test_networks_of_all_layers(rank, hidden, clip, seed):
    x = y = keras.Input([5, 3, 4][-rank - 1 :])
    for kind, adds in hidden:
        make = HIDDEN[kind].get(rank) or HIDDEN[kind].get(1)
        if make is not None:
            before, y = y, make()(y)
            y = layers.Add()([before, y]) if adds else y
    network = keras.Model(x, layers.Dense(CLASSES)(layers.Flatten()(y)))
    check(network)
    x, y = batch(network.input_shape[1:], x.dtype.name, count=3, seed=seed)
    assert_same(fast(network, x, y, clip)[0], clipped(slow(network, x, y), clip))


def test_norms_hold_where_positions_cancel():
    """Single precision would take the norm of this example for zero, and leave it unclipped."""
    network = sequential((2, 7), layers.Dense(9))
    x = 1e5 * np.ones((1, 2, 7), np.float32)
    x[0, 1] += np.linspace(0, 8, 7, dtype=np.float32)
    g = np.ones((1, 2, 9), np.float32)
    g[0, 1] = -1
    layer = network.layers[0]
    parts = [(layer, tf.constant(x), tf.constant(g))]
    sums, _ = clipped_sum(parts, layer.trainable_variables, 1e-3)
    true = np.linalg.norm(np.linspace(0, 8, 7)) * 3
    assert norm([total.numpy() for total in sums]) <= 1e-3 * (1 + 1e-3)
    found = float(tf.linalg.global_norm(clipped_sum(parts, layer.trainable_variables, 1e6)[0]))
    assert found == pytest.approx(true, rel=0.1)


@pytest.mark.parametrize(
    ("shape", "inserted"),
    [((2, 7), (1.0, 1e10)), ((2, 7), (0.0, 1e12)), ((3, 40), (1.0, 1e8))],
    ids=["kernel", "bias", "wide"],
)
def test_what_cancels_in_an_example_does_not_round_the_others_away(shape, inserted):
    """By how much one example moves the sum of many, whatever its positions do to it."""
    layer = sequential(shape, layers.Dense(2 * shape[1])).layers[0]
    size, slope = inserted
    a = np.ones((251, *shape), np.float32)
    g = np.full((251, shape[0], 2 * shape[1]), 0.015, np.float32)
    a[125] = size
    g[125] = 0
    g[125, 0], g[125, 1] = slope, -slope
    rest = [n for n in range(251) if n != 125]

    def total(chosen):
        parts = [(layer, tf.constant(a[chosen]), tf.constant(g[chosen]))]
        sums, _ = clipped_sum(parts, layer.trainable_variables, 1.0)
        return [one.numpy().astype(np.float64) for one in sums]

    assert layer.units * shape[1] >= shape[0] * (layer.units + shape[1])  # the Gram form
    whole, without = total([*range(251)]), total(rest)
    assert norm([one - other for one, other in zip(whole, without, strict=True)]) <= 1.0 + 1e-3


def test_a_factor_that_is_flushed_to_zero_leaves_no_example_unclipped():
    layer = sequential((4,), layers.Dense(3)).layers[0]
    a, g = np.full((1, 4), 1e15, np.float32), np.full((1, 3), 1e-19, np.float32)
    parts = [(layer, tf.constant(a), tf.constant(g))]
    sums, _ = clipped_sum(parts, layer.trainable_variables, 1e-6)
    assert norm([total.numpy() for total in sums]) <= 1e-6 * (1 + 1e-3)


def test_no_example_adds_more_than_the_clipping_norm():
    network = NETWORKS["residual"]()
    x, y = batch((6, 6, 4), count=4)
    x = tf.concat([x[:3], 1e6 * x[3:]], axis=0)
    whole, _ = fast(network, x, y, 0.01)
    moves = []
    for n in range(4):
        rest = [k for k in range(4) if k != n]
        without, _ = fast(network, tf.gather(x, rest), tf.gather(y, rest), 0.01)
        moves.append(norm([a - b for a, b in zip(whole, without, strict=True)]))
    assert max(moves) <= 0.01 * (1 + 1e-4)
    assert sorted(moves)[1] > 0.009


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["residual", "conv, Gram", "conv, one channel", "layer norm"])
def test_an_example_without_a_finite_gradient_adds_zero_and_is_counted(name, bad):
    network = NETWORKS[name]()
    x, y = batch(network.input_shape[1:])
    spoiled = x.numpy()
    spoiled[2] = bad
    found, refused = fast(network, tf.constant(spoiled), y, 0.5)
    others = [0, 1, 3, 4]
    known, _ = fast(network, tf.gather(x, others), tf.gather(y, others), 0.5)
    assert_same(found, known)
    assert refused == 1


def test_recording_leaves_the_network_as_it_was():
    network = NETWORKS["residual"]()
    before = [set(vars(layer)) for layer in network.layers]
    x, y = batch((6, 6, 4))
    logits = network(x).numpy()
    fast(network, x, y, 1.0)
    with pytest.raises(ZeroDivisionError), RecordingTape(network):
        raise ZeroDivisionError
    assert [set(vars(layer)) for layer in network.layers] == before
    assert np.array_equal(network(x), logits)
